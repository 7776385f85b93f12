"""The commands for rules besides `push` and `rollback` (docs/deploying.md): they write nothing."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from handler.access.keys import Key, make_key_record
from handler.cli.key_records import name_of
from handler.cli.keys import list_arguments
from handler.cli.replay import add_arguments as replay_arguments
from handler.cli.replay import replay
from handler.cli.rules_diff import change_lines, format_rule_file
from handler.cli.rules_push import WHICH, push_arguments, push_rules, roll_back, rollback_arguments
from handler.cli.tables import Command, Connect, Tables
from handler.cli.terminal import Terminal, format_json, format_table
from handler.manage import history
from handler.manage.changes import compare
from handler.manage.keys import show_key
from rules import Record
from rules.review.check import check_ruleset
from rules.review.command_line import (
    InvalidInput,
    read_json,
    read_records,
    read_request,
    read_ruleset,
)
from rules.review.explain import explain
from rules.review.lint import KnownKeys


def check_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "file", metavar="FILE", nargs="?", help="a JSON list of records, - for standard input (the table)"
    )
    parser.add_argument("--keys", metavar="FILE", help="a JSON list of keys that scopes may name (the table)")


def history_arguments(parser: ArgumentParser) -> None:
    list_arguments(parser)
    parser.add_argument("--limit", type=int, default=20, metavar="N", help="at most N entries (%(default)s)")
    parser.add_argument("--before", type=int, metavar="NUMBER", help="only entries older than this one")


def which_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("which", metavar="WHICH", help=WHICH)


def diff_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("before", metavar="A", help=WHICH)
    parser.add_argument("after", metavar="B", nargs="?", help="another one (the table as it is now)")


def explain_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("request", metavar="REQUEST.json", help="a chat request, - for standard input")
    parser.add_argument("--key", metavar="KEY", help="id of the caller's key; gives its project and models")
    parser.add_argument("--project", help="the caller's project (default)")
    parser.add_argument("--function", help="the value of x-sluice-function")
    parser.add_argument("--at", metavar="TIME", help="like 2027-01-31T12:00:00Z or `mon 09:00`, in UTC (now)")


def list_rules(args: Namespace, connect: Connect, terminal: Terminal) -> int:
    """Print every record, the unreadable ones with their problem."""
    head, ruleset = ("KIND", "ID", "STATE", "SCOPE", "NOTE"), read_ruleset(connect().read_rules().items)
    rows = [(one.kind, one.id, _state(one), _scope(one), one.note) for one in ruleset.records]
    rows += [(bad.kind, bad.id, "BAD", "", f"`{bad.field}`: {bad.problem}") for bad in ruleset.problems]
    if args.json:
        terminal.print(format_json([dict(zip(map(str.lower, head), row, strict=True)) for row in rows]))
        return 0
    for line in format_table(head, rows):
        terminal.print(line)
    return 0


def _state(record: Record) -> str:
    return "on" if record.enabled else "disabled"


def _scope(record: Record) -> str:
    scope = {name: getattr(record.scope, name) for name in ("function", "key", "project")}
    return " ".join(f"{name}={','.join(values)}" for name, values in scope.items() if values) or "all"


def check_rules(args: Namespace, connect: Connect, terminal: Terminal) -> int:
    """Print the problems and warnings of a file or of the table, and run its tests."""
    named = args.stack or args.keys_table or getattr(args, "gateway", None)
    tables = connect() if args.file is None or named else None
    if tables and args.file is None:
        items = tables.read_rules().items
    else:
        items = read_records(args.file, standard_input=terminal.read)
    keys = tables.known_keys() if tables and not args.keys else None
    if args.keys:
        keys = _known_keys(read_json(args.keys, standard_input=terminal.read))
    result = check_ruleset(read_ruleset(items), keys)
    for line in result.lines:
        terminal.print(line)
    return 0 if result.ok else 2


def _known_keys(entries: Any) -> KnownKeys:
    """Return the ids and projects of key records, or of a file's entries. Raises InvalidInput."""
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise InvalidInput("--keys: this is not a JSON list of keys")
    now = datetime.now(UTC)
    return KnownKeys.of(make_key_record(entry, now=now) if "key" in entry else entry for entry in entries)


def pull_rules(args: Namespace, connect: Connect, terminal: Terminal) -> int:
    """Print the table as JSON, with its revision."""
    revision, items = connect().read_rules()
    terminal.print(format_rule_file(revision, items))
    return 0


def list_history(args: Namespace, connect: Connect, terminal: Terminal) -> int:
    """Print the sets of rules that were in force, the newest first."""
    entries = connect().run(history.list_history, limit=args.limit, before=args.before)
    if args.json:
        terminal.print(format_json([entry.as_json() for entry in entries]))
        return 0
    if not entries:
        terminal.print("no set of rules was in force yet; SLUICE_HISTORY_DAYS says how long one is kept")
        return 0
    rows = [(str(each.number), each.revision, each.time, each.summary, each.message) for each in entries]
    for line in format_table(("NUMBER", "REVISION", "IN FORCE SINCE", "CHANGES", "MESSAGE"), rows):
        terminal.print(line)
    return 0


def show_past(args: Namespace, connect: Connect, terminal: Terminal) -> int:
    """Print the records of an entry of the history, as `rules pull` prints the table."""
    entry, items = connect().run(history.read_entry, args.which)
    terminal.print(format_rule_file(entry.revision, items))
    return 0


def diff_past(args: Namespace, connect: Connect, terminal: Terminal) -> int:
    """Print what makes one set of the history of another one, or the table of it."""
    tables = connect()
    before = tables.run(history.read_entry, args.before).items
    after = tables.run(history.read_entry, args.after).items if args.after else tables.read_rules().items
    changes = compare(before, after)
    for line in [*change_lines(changes), str(changes)]:
        terminal.print(line)
    return 0


def print_schema(args: Namespace, connect: Connect, terminal: Terminal) -> int:
    """Print the JSON Schema of rule files."""
    from rules.review.schema import rules_schema  # only this command needs it

    terminal.print(format_json(rules_schema()))
    return 0


def explain_request(args: Namespace, connect: Connect, terminal: Terminal) -> int:
    """Print which model would answer a request, and why."""
    request = read_request(args.request, standard_input=terminal.read)
    tables = connect()
    ruleset = read_ruleset(tables.read_rules().items)
    key = _caller(tables, args.key, terminal) if args.key else Key(id="")
    caller = {"project": args.project or key.project, "key": key.id, "key_models": key.models}
    at = args.at or datetime.now(UTC).isoformat()
    terminal.print(explain(ruleset, request, at=at, function=args.function, **caller))
    for problem in ruleset.problems:
        terminal.warn(str(problem))
    terminal.warn("every provider counts as available; POST /explain knows which ones a running gateway has")
    return 0


def _caller(tables: Tables, key: str, terminal: Terminal) -> Key:
    """Return the key that a person named. Raises InvalidInput if its record cannot be read."""
    record = tables.run(show_key, name_of(key, terminal))[0]
    if record["problem"]:
        raise InvalidInput(f"--key: {record['problem']}")
    models = None if record["models"] == "all" else tuple(record["models"])
    return Key(id=record["id"], project=record["project"], models=models)


# Each verb: its help, its command, and a function that adds its arguments.
VERBS: Mapping[str, tuple[str, Command, Callable[[ArgumentParser], object]]] = {
    "list": ("list every record on one line", list_rules, list_arguments),
    "check": ("read every record and run the set's own tests", check_rules, check_arguments),
    "pull": ("print the table as JSON for editing", pull_rules, lambda parser: None),
    "push": ("write the records of a file into the table", push_rules, push_arguments),
    "history": ("list the sets that were in force", list_history, history_arguments),
    "show": ("print the records of a set of the history", show_past, which_arguments),
    "diff": ("print how two sets of the history differ", diff_past, diff_arguments),
    "rollback": ("write a set of the history into the table", roll_back, rollback_arguments),
    "schema": ("print the JSON Schema of rule files, for editors", print_schema, lambda parser: None),
    "explain": ("print which model would answer a request, and why", explain_request, explain_arguments),
    "replay": ("print what a push would have changed for recent requests", replay, replay_arguments),
}

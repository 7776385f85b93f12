"""The commands `rules list | check | pull | push | explain` (docs/deploying.md).

Rules are edited by pull, edit, push. A push shows its changes first, and refuses a set that is wrong.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NoReturn

from handler.access.keys import Key, make_key_record
from handler.aws.errors import StoreError
from handler.cli.key_records import name_of
from handler.cli.keys import list_arguments
from handler.cli.rules_diff import change_lines, format_rule_file
from handler.cli.tables import Command, Connect, Tables
from handler.cli.terminal import Terminal, format_json, format_table
from handler.manage.changes import compare, merge
from handler.manage.keys import show_key
from handler.manage.rules import Review, RulesChanged, push, review
from handler.store.attributes import Item
from handler.store.snapshot import EMPTY, STALE
from rules import Problem, Record
from rules.review.check import check_ruleset, count
from rules.review.command_line import (
    InvalidInput,
    read_json,
    read_records,
    read_request,
    read_rule_file,
    read_ruleset,
)
from rules.review.explain import explain
from rules.review.lint import KnownKeys


def push_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "file",
        metavar="FILE",
        nargs="?",
        default="-",
        help="what `rules pull` printed, or a JSON list of records (-: standard input)",
    )
    parser.add_argument("--yes", action="store_true", help="write without confirmation")
    parser.add_argument("--prune", action="store_true", help="remove the records that are not in FILE")
    parser.add_argument(
        "--yes-delete-everything", action="store_true", help="allow --prune with a FILE without records"
    )


def check_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "file", metavar="FILE", nargs="?", help="a JSON list of records, - for standard input (the table)"
    )
    parser.add_argument("--keys", metavar="FILE", help="a JSON list of keys that scopes may name (the table)")


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
    tables = connect() if args.file is None or args.stack or args.keys_table else None
    if tables and args.file is None:
        items = tables.read_rules().items
    else:
        items = read_records(args.file, standard_input=terminal.read)
    keys = _keys_of(tables) if tables and not args.keys else None
    if args.keys:
        keys = _known_keys(read_json(args.keys, standard_input=terminal.read))
    result = check_ruleset(read_ruleset(items), keys)
    for line in result.lines:
        terminal.print(line)
    return 0 if result.ok else 2


def _keys_of(tables: Tables) -> KnownKeys | None:
    """Return the keys of the table for warnings, or None where reading them is not allowed."""
    try:
        return _known_keys(tables.read_keys())
    except StoreError:
        return None


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


def push_rules(args: Namespace, connect: Connect, terminal: Terminal) -> int:
    """Write the records of a file into the table, after checks and a confirmation."""
    new, revision = read_rule_file(args.file, standard_input=terminal.read)
    _refuse(review([], new).problems, terminal)
    tables = connect()
    stored = tables.read_rules()
    after = new if args.prune else merge(stored.items, new)
    if revision not in (None, stored.revision) and compare(stored.items, after).number:
        _refuse_changed(RulesChanged(stored.revision, compare(new, stored.items), since_base=False), terminal)
    if not after and stored.items and not args.yes_delete_everything:
        everything = count(stored.items, "record")
        raise InvalidInput(f"{args.file} is empty: to remove all {everything} add --yes-delete-everything")
    reviewed = _reviewed(stored.items, after, tables, terminal)
    if not reviewed.changes.number:
        terminal.print("nothing to change")
        return 0
    for line in change_lines(reviewed.changes):
        terminal.print(line)
    question = f"{reviewed.changes}: write to {tables.settings.rules_table}?"
    if not (args.yes or not after or _confirm(question, terminal)):
        terminal.print("nothing was written")
        return 1
    try:
        changes = tables.run(push, stored.revision, after).changes
    except RulesChanged as error:
        _refuse_changed(error, terminal)
    terminal.print(f"{changes}; {_in_force(tables.settings.rules_ttl * STALE, emptied=not after)}")
    return 0


def _in_force(max_age: float, *, emptied: bool) -> str:
    """Say when every instance uses the change. `max_age`: seconds that rules are used without a refresh."""
    if not emptied:
        return f"in force within {max_age:g} seconds"
    return f"in force within {EMPTY + 2 * max_age:g} seconds: the old rules stay for {EMPTY:g}"


def _refuse_changed(error: RulesChanged, terminal: Terminal) -> NoReturn:
    """Print what changed in the table meanwhile, and raise InvalidInput."""
    terminal.print("changed in the table:" if error.since_base else "the table differs from the file in:")
    for line in change_lines(error.changes):
        terminal.print(line)
    written = f"{error.written} changes were written" if error.written else "nothing was written"
    raise InvalidInput(f"the table changed since it was read; {written}. Pull again, and repeat your changes")


def _refuse(problems: Sequence[Problem], terminal: Terminal) -> None:
    """Raise InvalidInput if there are problems of records that would be written."""
    for problem in problems:
        terminal.warn(problem.message)
    if problems:
        raise InvalidInput(f"{count(problems, 'problem')}: nothing was written")


def _reviewed(before: list[Item], after: list[Any], tables: Tables, terminal: Terminal) -> Review:
    """Return the review of the table as it will be. Raises InvalidInput if it cannot be written."""
    found = review(before, after, _keys_of(tables))
    for problem in found.problems:
        if problem not in found.new_problems:
            terminal.warn(f"note: in the table already: {problem.message}")
    _refuse(found.new_problems, terminal)
    for finding in found.warnings:
        terminal.warn(f"warning: {finding}")
    for failure in found.failed:
        terminal.print(str(failure))
    if found.failed:
        bad = len({failure.id for failure in found.failed})
        raise InvalidInput(f"{bad} of {len(found.tests)} tests do not hold: nothing was written")
    return found


def _confirm(question: str, terminal: Terminal) -> bool:
    answer = terminal.confirm(question)
    if answer is None:
        raise InvalidInput("not a terminal: pass --yes to write without confirmation")
    return answer


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
    "explain": ("print which model would answer a request, and why", explain_request, explain_arguments),
}

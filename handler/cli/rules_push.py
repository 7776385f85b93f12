"""The commands `rules push | rollback`: they show what they would change, and refuse a set that is wrong."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from handler.cli.rules_diff import change_lines
from handler.cli.tables import Connect, Tables
from handler.cli.terminal import Terminal
from handler.manage.changes import merge
from handler.manage.history import read_entry
from handler.manage.rules import Review, RulesChanged, StoredRules, check_base, push, review
from handler.store.attributes import Item
from handler.store.history import MAX_MESSAGE
from handler.store.snapshot import EMPTY, STALE
from rules import Problem
from rules.review.check import count
from rules.review.command_line import InvalidInput, read_rule_file

WHICH = "a number of `rules history`, or a revision or its beginning"


def push_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "file",
        metavar="FILE",
        nargs="?",
        default="-",
        help="what `rules pull` printed, or a JSON list of records (-: standard input)",
    )
    parser.add_argument("--prune", action="store_true", help="remove the records that are not in FILE")
    _write_arguments(parser)


def rollback_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("which", metavar="WHICH", help=WHICH)
    _write_arguments(parser)


def _write_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--message", metavar="TEXT", help="what the history says about the new set")
    parser.add_argument("--yes", action="store_true", help="write without confirmation")
    parser.add_argument("--yes-delete-everything", action="store_true", help="allow a set without records")


def push_rules(args: Namespace, connect: Connect, terminal: Terminal) -> int:
    """Write the records of a file into the table, after checks and a confirmation."""
    new, revision = read_rule_file(args.file, standard_input=terminal.read)
    _refuse(review([], new).problems, terminal)
    tables = connect()
    stored = tables.read_rules()
    if revision is not None:
        with _changes_shown(terminal):
            tables.run(check_base, revision, stored, new)
    after = new if args.prune else merge(stored.items, new)
    return _push(args, tables, stored, after, terminal)


def roll_back(args: Namespace, connect: Connect, terminal: Terminal) -> int:
    """Write the records of an entry of the history and remove all others, as `push --prune` does."""
    tables = connect()
    entry, items = tables.run(read_entry, args.which)
    args.message = args.message or f"back to {entry.number} of {entry.time}"
    return _push(args, tables, tables.read_rules(), items, terminal)


def _push(args: Namespace, tables: Tables, stored: StoredRules, after: list[Any], terminal: Terminal) -> int:
    """Make the table hold these records, after checks and a confirmation."""
    if len(args.message or "") > MAX_MESSAGE:
        raise InvalidInput(f"--message has more than {MAX_MESSAGE:,} characters")
    if not after and stored.items and not args.yes_delete_everything:
        everything = count(stored.items, "record")
        raise InvalidInput(f"the new set is empty: to remove all {everything} add --yes-delete-everything")
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
    with _changes_shown(terminal):
        changes = tables.run(push, stored.revision, after, message=args.message).changes
    terminal.print(f"{changes}; {_in_force(tables.settings.rules_ttl * STALE, emptied=not after)}")
    return 0


def _in_force(max_age: float, *, emptied: bool) -> str:
    """Say when every instance uses the change. `max_age`: seconds that rules are used without a refresh."""
    if not emptied:
        return f"in force within {max_age:g} seconds"
    return f"in force within {EMPTY + 2 * max_age:g} seconds: the old rules stay for {EMPTY:g}"


@contextmanager
def _changes_shown(terminal: Terminal) -> Iterator[None]:
    """Turn RulesChanged into InvalidInput, and print what changed in the table meanwhile."""
    try:
        yield
    except RulesChanged as error:
        terminal.print("changed in the table:" if error.since_base else "the table differs from the file in:")
        for line in change_lines(error.changes):
            terminal.print(line)
        written = f"{error.written} changes were written" if error.written else "nothing was written"
        raise InvalidInput(
            f"the table changed since it was read; {written}. Pull again, and repeat your changes"
        ) from error


def _refuse(problems: Sequence[Problem], terminal: Terminal) -> None:
    """Raise InvalidInput if there are problems of records that would be written."""
    for problem in problems:
        terminal.warn(problem.message)
    if problems:
        raise InvalidInput(f"{count(problems, 'problem')}: nothing was written")


def _reviewed(before: list[Item], after: list[Any], tables: Tables, terminal: Terminal) -> Review:
    """Return the review of the table as it will be. Raises InvalidInput if it cannot be written."""
    found = review(before, after, tables.known_keys())
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

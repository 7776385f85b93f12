"""`rules list | check | pull | push`: the Rules table from the command line (docs/deploying.md).

The natural way is pull, edit, push: a push refuses a set that is wrong, and shows its changes first.
"""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from handler.access.keys import make_key_record
from handler.cli.rules_diff import changes, name_of, records_text, write
from handler.cli.terminal import Terminal, columns, json_text
from handler.settings import Settings
from handler.store.attributes import Item, deserialize_item, serialize_item
from handler.store.dynamodb import StoreError, scan
from handler.store.snapshot import EMPTY, STALE
from rules import Record
from rules.review.check import (  # not in the front door: no request needs these
    assume_all_available,
    count,
    failures,
    report,
    warnings,
)
from rules.review.command_line import InvalidInput, read_json, read_records, read_ruleset
from rules.review.lint import KnownKeys, check_patterns


@dataclass(frozen=True, slots=True)
class Tables:
    """A botocore DynamoDB client, and the settings that name the tables."""

    client: Any
    settings: Settings

    def read_rules(self) -> list[Item]:
        return self._items(self.settings.rules_table)

    def read_keys(self) -> list[Item]:
        return self._items(self.settings.keys_table)

    def _items(self, table: str) -> list[Item]:
        return [deserialize_item(item) for item in scan(self.client, table, consistent=True)]


Connect = Callable[[], Tables]  # only when it is needed: a file can be checked without AWS


def list_rules(given: Namespace, connect: Connect, terminal: Terminal) -> int:
    head, ruleset = ("KIND", "ID", "STATE", "SCOPE", "NOTE"), read_ruleset(connect().read_rules())
    rows = [(one.kind, one.id, _state(one), _scope(one), one.note) for one in ruleset.records]
    rows += [(bad.kind, bad.id, "BAD", "", f"`{bad.field}`: {bad.problem}") for bad in ruleset.problems]
    if given.json:
        terminal.say(json_text([dict(zip(map(str.lower, head), row, strict=True)) for row in rows]))
        return 0
    for line in columns(head, rows):
        terminal.say(line)
    return 0


def _state(record: Record) -> str:
    if not record.enabled:
        return "disabled"
    return "on" if record.active else "not active"


def _scope(record: Record) -> str:
    given = {name: getattr(record.scope, name) for name in ("function", "key", "project")}
    return " ".join(f"{name}={','.join(names)}" for name, names in given.items() if names) or "all"


def check_rules(given: Namespace, connect: Connect, terminal: Terminal) -> int:
    tables = connect() if given.file is None or given.stack or given.keys_table else None
    if tables and given.file is None:
        items = tables.read_rules()
    else:
        items = read_records(given.file, standard_input=terminal.read)
    keys = _known(read_json(given.keys, standard_input=terminal.read)) if given.keys else _keys_of(tables)
    found = report(read_ruleset(items), keys)
    for line in found.lines:
        terminal.say(line)
    return 0 if found.ok else 2


def _keys_of(tables: Tables | None) -> KnownKeys | None:
    """Reads the keys for warnings; None where the person may write rules but not read keys."""
    try:
        return _known(tables.read_keys()) if tables else None
    except StoreError:
        return None


def pattern_warnings(tables: Tables, records: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Warnings of patterns that match no model; none if the rules cannot be read."""
    listed = {record["id"]: record["models"] for record in records if isinstance(record["models"], list)}
    try:
        ruleset = read_ruleset(tables.read_rules() if listed else ())
    except (StoreError, InvalidInput):
        return
    catalog, _ = assume_all_available(ruleset)
    for id, patterns in listed.items():
        for why in check_patterns(patterns, ruleset, catalog):
            yield f"warning: {id}: `models`: {why}"


def _known(entries: Any) -> KnownKeys:
    """The ids and projects of key records, or of a file's entries. Raises InvalidInput."""
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise InvalidInput("--keys: this is not a JSON list of keys")
    now = datetime.now(UTC)
    return KnownKeys.of(make_key_record(entry, now=now) if "key" in entry else entry for entry in entries)


def pull_rules(given: Namespace, connect: Connect, terminal: Terminal) -> int:
    terminal.say(records_text(connect().read_rules()))
    return 0


def push_rules(given: Namespace, connect: Connect, terminal: Terminal) -> int:
    new = read_records(given.file, standard_input=terminal.read)
    _refuse_bad(new, terminal)
    tables = connect()
    before = tables.read_rules()
    found = changes(before, new, prune=given.prune)
    emptied = given.prune and not new
    if emptied and before and not given.yes_delete_everything:
        everything = count(before, "record")
        raise InvalidInput(f"{given.file} is empty: to remove all {everything} add --yes-delete-everything")
    _refuse_failing([*(() if given.prune else before), *new], tables, terminal)
    if not found.count:
        terminal.say("nothing to change")
        return 0
    for line in found.lines():
        terminal.say(line)
    if not (given.yes or emptied) and not _confirmed(
        f"{found}: write to {tables.settings.rules_table}?", terminal
    ):
        terminal.say("nothing was written")
        return 1
    if changes(before, tables.read_rules(), prune=True).count:
        raise InvalidInput(
            "the table was changed meanwhile: nothing was written, push again to see what is new"
        )
    write(tables.client, tables.settings.rules_table, found, sleep=time.sleep)
    terminal.say(f"{found}; {_in_force(tables.settings.rules_ttl * STALE, emptied=emptied)}")
    return 0


def _in_force(old: float, *, emptied: bool) -> str:
    """`old`: the age in seconds at which an instance waits for newer rules before it serves."""
    if not emptied:
        return f"in force within {old:g} seconds"
    why = f"the rules from before an emptied table are kept for {EMPTY:g}"
    return f"in force within {EMPTY + 2 * old:g} seconds: {why}"


def _refuse_bad(items: list[Any], terminal: Terminal) -> None:
    """What is pushed must be readable, each record of it."""
    problems = [problem.message for problem in read_ruleset(items).problems] or _unstorable(items)
    for line in problems:
        terminal.warn(line)
    if problems:
        raise InvalidInput(f"{count(problems, 'problem')}: nothing was written")


def _unstorable(items: list[Item]) -> list[str]:
    lines = []
    for item in items:
        try:
            serialize_item(item)
        except ValueError as error:
            lines.append(f"{'/'.join(name_of(item))}: {error}")
    return lines


def _refuse_failing(after: list[Item], tables: Tables, terminal: Terminal) -> None:
    """The table as it will be must keep its own tests; what was bad in it before is named, and stays."""
    ruleset = read_ruleset({name_of(item): item for item in after}.values())
    for problem in ruleset.problems:
        terminal.warn(f"note: in the table already: {problem.message}")
    for finding in warnings(ruleset, _keys_of(tables)):
        terminal.warn(f"warning: {finding}")
    failed = failures(ruleset)
    for failure in failed:
        terminal.say(str(failure))
    if failed:
        tests, bad = len(ruleset.enabled("test")), len({failure.id for failure in failed})
        raise InvalidInput(f"{bad} of {tests} tests do not hold: nothing was written")


def _confirmed(question: str, terminal: Terminal) -> bool:
    answer = terminal.confirm(question)
    if answer is None:
        raise InvalidInput("there is no terminal to ask at: say --yes to write without being asked")
    return answer

"""Records as a person edits them: their JSON text, what a push would change, and the writing of it.

The text is the same for the same records, every number digit for digit as DynamoDB keeps it.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from handler.cli.terminal import bare, shown
from handler.store.attributes import Item, number_text, serialize_item
from handler.store.dynamodb import StoreError, call_aws

FIRST = ("kind", "id", "enabled", "note", "scope", "when", "priority")  # of a record's fields, in its text
WIDTH = 100  # columns a value may take on its line
TRANSACTION = 100  # most items of one TransactWriteItems
BATCH = 25  # most items of one BatchWriteItem
TRIES = 8  # of what DynamoDB leaves unprocessed, waiting 0.1 s and twice as long each time

KEY = ("kind", "id")
Name = tuple[str, str]  # kind and id
Write = tuple[str, dict[str, Any]]  # Put or Delete, and what


def compact(value: Any) -> str:
    """JSON on one line; a set is a sorted list, binary its base64."""
    match value:
        case str():
            return shown(value)
        case None | bool():
            return json.dumps(value)
        case int() | float() | Decimal():
            return number_text(value)
        case bytes():
            return shown(b64encode(value).decode())
        case Mapping():
            return "{" + ", ".join(f"{shown(str(name))}: {compact(one)}" for name, one in value.items()) + "}"
        case set() | frozenset():
            return "[" + ", ".join(sorted(map(compact, value))) + "]"
        case _:
            return "[" + ", ".join(map(compact, value)) + "]"


def pretty(value: Any, indent: str = "", *, open: bool = True) -> str:
    """JSON over several lines: `open` at this level, further in only where a line would get too long."""
    line = compact(value)
    if not isinstance(value, dict | list) or not value or (not open and len(indent) + len(line) <= WIDTH):
        return line
    inner = indent + "  "
    if isinstance(value, dict):
        members = [f"{shown(name)}: {pretty(one, inner, open=False)}" for name, one in value.items()]
        return "{\n" + ",\n".join(inner + member for member in members) + "\n" + indent + "}"
    return "[\n" + ",\n".join(inner + pretty(one, inner, open=False) for one in value) + "\n" + indent + "]"


def name_of(item: Mapping[str, Any]) -> Name:
    return item["kind"], item["id"]


def in_order(items: Iterable[Mapping[str, Any]]) -> list[Item]:
    """The records by kind and id, their fields in an order that reads well."""
    return [_fields_in_order(item) for item in sorted(items, key=name_of)]


def _fields_in_order(item: Mapping[str, Any]) -> Item:
    rest = sorted(item.keys() - set(FIRST))
    return {name: _sorted(item[name]) for name in (*FIRST, *rest) if name in item}


def _sorted(value: Any) -> Any:
    """Maps by name: DynamoDB keeps no order of them."""
    match value:
        case Mapping():
            return {name: _sorted(value[name]) for name in sorted(value)}
        case list() | tuple():
            return [_sorted(one) for one in value]
        case _:
            return value


def records_text(items: Iterable[Mapping[str, Any]]) -> str:
    """A JSON list of the records, one field to a line."""
    records = ["  " + pretty(item, "  ") for item in in_order(items)]
    return "[\n" + ",\n".join(records) + "\n]" if records else "[]"


@dataclass(frozen=True, slots=True)
class Changes:
    """What makes one set of records another."""

    added: list[Item]
    changed: list[tuple[Item, Item]]  # before, after
    removed: list[Item]

    @property
    def count(self) -> int:
        return len(self.added) + len(self.changed) + len(self.removed)

    def lines(self) -> Iterator[str]:
        yield from (f"+ {_title(item)}" for item in self.added)
        for before, after in self.changed:
            yield f"~ {_title(after)}"
            yield from _differences(before, after)
        yield from (f"- {_title(item)}" for item in self.removed)

    def __str__(self) -> str:
        return f"{len(self.added)} added, {len(self.changed)} changed, {len(self.removed)} removed"


def changes(before: Iterable[Item], after: Iterable[Item], *, prune: bool) -> Changes:
    """What a push of `after` changes; without `prune` a record that is not in it stays."""
    old = {name_of(item): item for item in in_order(before)}
    new = {name_of(item): item for item in in_order(after)}
    both = [(old[name], item) for name, item in new.items() if name in old]
    return Changes(
        added=[item for name, item in new.items() if name not in old],
        changed=[(one, other) for one, other in both if compact(one) != compact(other)],
        removed=[item for name, item in old.items() if name not in new] if prune else [],
    )


def _title(item: Mapping[str, Any]) -> str:
    return "/".join(map(bare, name_of(item)))


def _differences(before: Item, after: Item) -> Iterator[str]:
    for field in {**before, **after}:
        old, new = (compact(item[field]) if field in item else None for item in (before, after))
        if old != new:
            yield f"    {field}: {_short(old)} -> {_short(new)}"


def _short(text: str | None) -> str:
    if text is None:
        return "(none)"
    return text if len(text) <= WIDTH else text[: WIDTH - 3] + "..."


def write(client: Any, table: str, found: Changes, *, sleep: Callable[[float], None]) -> None:
    """One transaction where it fits; else additions, then changes, then removals. Raises StoreError."""
    steps: list[list[Write]] = [
        [("Put", {"Item": serialize_item(item)}) for item in found.added],
        [("Put", {"Item": serialize_item(item)}) for _, item in found.changed],
        [
            ("Delete", {"Key": serialize_item({"kind": kind, "id": id})})
            for kind, id in map(name_of, found.removed)
        ],
    ]
    if found.count <= TRANSACTION:
        writes = [{verb: {**what, "TableName": table}} for step in steps for verb, what in step]
        call_aws(client, "transact_write_items", {"TransactItems": writes})
        return
    for step in steps:
        requests = [{f"{verb}Request": what} for verb, what in step]
        for start in range(0, len(requests), BATCH):
            _write_batch(client, table, requests[start : start + BATCH], sleep)


def _write_batch(client: Any, table: str, requests: list[Any], sleep: Callable[[float], None]) -> None:
    for attempt in range(TRIES):
        answer = call_aws(client, "batch_write_item", {"RequestItems": {table: requests}})
        requests = answer.get("UnprocessedItems", {}).get(table, [])
        if not requests:
            return
        sleep(0.1 * 2**attempt)
    raise StoreError(f"batch write item {table}: throttled; push again to write what is left")

"""Formats the records of rules as JSON, compares two sets of them, and writes the difference.

The same records always give the same text, with every digit of their numbers.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from handler.aws.errors import StoreError
from handler.aws.sdk import call_aws
from handler.cli.terminal import escape, quote
from handler.store.attributes import Item, number_text, serialize_item

FIRST_FIELDS = ("kind", "id", "enabled", "note", "scope", "when", "priority")
WIDTH = 100  # of a line, in columns
MAX_TRANSACTION = 100  # items of one TransactWriteItems
MAX_BATCH = 25  # items of one BatchWriteItem
TRIES = 8  # to write what DynamoDB left unprocessed, with a pause of 0.1 s that doubles each time

Name = tuple[str, str]  # kind and id
Write = tuple[str, dict[str, Any]]  # Put or Delete, and its arguments


def format_compact(value: Any) -> str:
    """Return JSON on one line, with sets as sorted lists and binary as base64."""
    match value:
        case str():
            return quote(value)
        case None | bool():
            return json.dumps(value)
        case int() | float() | Decimal():
            return number_text(value)
        case bytes():
            return quote(b64encode(value).decode())
        case Mapping():
            return (
                "{"
                + ", ".join(f"{quote(str(name))}: {format_compact(one)}" for name, one in value.items())
                + "}"
            )
        case set() | frozenset():
            return "[" + ", ".join(sorted(map(format_compact, value))) + "]"
        case _:
            return "[" + ", ".join(map(format_compact, value)) + "]"


def format_indented(value: Any, indent: str = "", *, open: bool = True) -> str:
    """Return JSON on several lines. `open`: also where the value would fit on one line."""
    line = format_compact(value)
    if not isinstance(value, dict | list) or not value or (not open and len(indent) + len(line) <= WIDTH):
        return line
    inner = indent + "  "
    if isinstance(value, dict):
        members = [f"{quote(name)}: {format_indented(one, inner, open=False)}" for name, one in value.items()]
        return "{\n" + ",\n".join(inner + member for member in members) + "\n" + indent + "}"
    return (
        "[\n"
        + ",\n".join(inner + format_indented(one, inner, open=False) for one in value)
        + "\n"
        + indent
        + "]"
    )


def record_name(item: Mapping[str, Any]) -> Name:
    return item["kind"], item["id"]


def sort_records(items: Iterable[Mapping[str, Any]]) -> list[Item]:
    """Return the records sorted by kind and id, their FIRST_FIELDS first and the others sorted by name."""
    return [_sort_fields(item) for item in sorted(items, key=record_name)]


def _sort_fields(item: Mapping[str, Any]) -> Item:
    rest = sorted(item.keys() - set(FIRST_FIELDS))
    return {name: _sort_maps(item[name]) for name in (*FIRST_FIELDS, *rest) if name in item}


def _sort_maps(value: Any) -> Any:
    """Return the value with its maps sorted by name, since DynamoDB does not keep their order."""
    match value:
        case Mapping():
            return {name: _sort_maps(value[name]) for name in sorted(value)}
        case list() | tuple():
            return [_sort_maps(one) for one in value]
        case _:
            return value


def format_records(items: Iterable[Mapping[str, Any]]) -> str:
    """Return a JSON list of the records with each field on a line."""
    records = ["  " + format_indented(item, "  ") for item in sort_records(items)]
    return "[\n" + ",\n".join(records) + "\n]" if records else "[]"


@dataclass(frozen=True, slots=True)
class Changes:
    """The difference between two sets of records."""

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


def compare(before: Iterable[Item], after: Iterable[Item], *, prune: bool) -> Changes:
    """Return what a push of `after` changes. Without `prune` it removes nothing."""
    old = {record_name(item): item for item in sort_records(before)}
    new = {record_name(item): item for item in sort_records(after)}
    both = [(old[name], item) for name, item in new.items() if name in old]
    return Changes(
        added=[item for name, item in new.items() if name not in old],
        changed=[(one, other) for one, other in both if format_compact(one) != format_compact(other)],
        removed=[item for name, item in old.items() if name not in new] if prune else [],
    )


def _title(item: Mapping[str, Any]) -> str:
    return "/".join(map(escape, record_name(item)))


def _differences(before: Item, after: Item) -> Iterator[str]:
    for field in {**before, **after}:
        old, new = (format_compact(item[field]) if field in item else None for item in (before, after))
        if old != new:
            yield f"    {field}: {_short(old)} -> {_short(new)}"


def _short(text: str | None) -> str:
    if text is None:
        return "(none)"
    return text if len(text) <= WIDTH else text[: WIDTH - 3] + "..."


def write_changes(client: Any, table: str, changes: Changes, *, sleep: Callable[[float], None]) -> None:
    """Write in one transaction if it fits, else additions, changes and removals in this order.

    Raises StoreError.
    """
    steps: list[list[Write]] = [
        [("Put", {"Item": serialize_item(item)}) for item in changes.added],
        [("Put", {"Item": serialize_item(item)}) for _, item in changes.changed],
        [
            ("Delete", {"Key": serialize_item({"kind": kind, "id": id})})
            for kind, id in map(record_name, changes.removed)
        ],
    ]
    if changes.count <= MAX_TRANSACTION:
        writes = [{verb: {**arguments, "TableName": table}} for step in steps for verb, arguments in step]
        call_aws(client, "transact_write_items", {"TransactItems": writes})
        return
    for step in steps:
        requests = [{f"{verb}Request": arguments} for verb, arguments in step]
        for start in range(0, len(requests), MAX_BATCH):
            _write_batch(client, table, requests[start : start + MAX_BATCH], sleep)


def _write_batch(client: Any, table: str, requests: list[Any], sleep: Callable[[float], None]) -> None:
    for attempt in range(TRIES):
        answer = call_aws(client, "batch_write_item", {"RequestItems": {table: requests}})
        requests = answer.get("UnprocessedItems", {}).get(table, [])
        if not requests:
            return
        sleep(0.1 * 2**attempt)
    raise StoreError(f"batch write item {table}: throttled; push again to write what is left")

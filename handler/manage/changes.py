"""Compares two sets of records, and gives records as JSON.

The same records always give the same text, with every digit of their numbers.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from handler.store.attributes import Item, number_text

FIRST_FIELDS = ("kind", "id", "enabled", "note", "scope", "when", "priority")

Name = tuple[str, str]  # kind and id


def quote(text: str) -> str:
    """Return a text as JSON that no terminal takes for a control sequence."""
    return json.dumps(text, ensure_ascii=not text.isprintable())


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
            members = (f"{quote(str(name))}: {format_compact(one)}" for name, one in value.items())
            return "{" + ", ".join(members) + "}"
        case set() | frozenset():
            return "[" + ", ".join(sorted(map(format_compact, value))) + "]"
        case _:
            return "[" + ", ".join(map(format_compact, value)) + "]"


def as_json(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record as it is stored in values that JSON has: numbers with a fraction as float."""
    return dict(json.loads(format_compact(sort_fields(item))))


def record_name(item: Mapping[str, Any]) -> Name:
    return item["kind"], item["id"]


def sort_records(items: Iterable[Mapping[str, Any]]) -> list[Item]:
    """Return the records sorted by kind and id, their FIRST_FIELDS first and the others sorted by name."""
    return [sort_fields(item) for item in sorted(items, key=record_name)]


def sort_fields(item: Mapping[str, Any]) -> Item:
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


class Changes(NamedTuple):
    """The difference between two sets of records, each part sorted by kind and id."""

    added: list[Item]
    changed: list[tuple[Item, Item]]  # before, after
    removed: list[Item]

    @property
    def number(self) -> int:
        return len(self.added) + len(self.changed) + len(self.removed)

    @property
    def names(self) -> set[Name]:
        return {record_name(item) for item in (*self.added, *(new for _, new in self.changed), *self.removed)}

    def __str__(self) -> str:
        return f"{len(self.added)} added, {len(self.changed)} changed, {len(self.removed)} removed"

    def as_json(self) -> list[dict[str, Any]]:
        """Return one object for each changed record: `change`, `kind`, `id`, and it `before` and `after`."""
        parts = (
            *(("added", None, item) for item in self.added),
            *(("changed", before, after) for before, after in self.changed),
            *(("removed", item, None) for item in self.removed),
        )
        return [_change(*part) for part in parts]


def _change(change: str, before: Item | None, after: Item | None) -> dict[str, Any]:
    kind, id = record_name(after or before or {})
    sides = {"before": before, "after": after}
    return {
        "change": change,
        "kind": kind,
        "id": id,
        **{name: as_json(item) for name, item in sides.items() if item is not None},
    }


def compare(before: Iterable[Mapping[str, Any]], after: Iterable[Mapping[str, Any]]) -> Changes:
    """Return what makes `after` of `before`."""
    old = {record_name(item): item for item in sort_records(before)}
    new = {record_name(item): item for item in sort_records(after)}
    both = [(old[name], item) for name, item in new.items() if name in old]
    return Changes(
        added=[item for name, item in new.items() if name not in old],
        changed=[(one, other) for one, other in both if format_compact(one) != format_compact(other)],
        removed=[item for name, item in old.items() if name not in new],
    )


def merge(before: Iterable[Mapping[str, Any]], records: Iterable[Mapping[str, Any]]) -> list[Any]:
    """Return `before` with these records in it, in the place of those with the same kind and id."""
    return [*{record_name(item): item for item in (*before, *records)}.values()]

"""From an item of the table, or of a file, to a record; every problem names the field and what was meant."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from typing import Any, NamedTuple

from pydantic import ValidationError

from rules.errors import InvalidRecord
from rules.records.base import Record
from rules.records.coercion import join, mapping, nearest, no_others, shown, text, untrimmed, within
from rules.records.kinds import KINDS

DEEPEST = 32  # levels, as DynamoDB allows
LARGEST = 65_536  # bytes of one record, as canonical JSON


class Reading(NamedTuple):
    """A record, the item that it was read from, and that item's canonical text."""

    record: Record
    item: Mapping[str, Any]
    text: str


def read_record(item: Mapping[str, Any]) -> Record:
    """The record that `item` is. Raises InvalidRecord, and nothing else whatever it is given."""
    return read(item).record


def read(item: Any) -> Reading:
    try:
        return _read(within("record", mapping, item))
    except InvalidRecord as error:
        kind, id = named(item)
        raise InvalidRecord(error.field, error.problem, kind=kind, id=id) from None


def named(item: Any) -> tuple[str, str]:
    """Kind and id as far as they can be told; "" where they cannot."""
    given = item if isinstance(item, Mapping) else {}
    kind, id = (given.get(field) for field in ("kind", "id"))
    return kind if isinstance(kind, str) else "", id if isinstance(id, str) else ""


def _read(item: Mapping[str, Any]) -> Reading:
    size = len(written := canonical(item))
    if size > LARGEST:
        raise InvalidRecord("record", f"is {size} bytes, more than {LARGEST}")
    for field in ("kind", "id"):
        if field not in item:
            raise InvalidRecord(field, "is missing")
        within(field, text, item[field])
    if untrimmed(item["id"]):
        raise InvalidRecord("id", f"has white space around it: write {shown(item['id'].strip())}")
    if item["kind"] not in KINDS:
        raise InvalidRecord("kind", f"unknown kind `{item['kind'][:100]}`{nearest(item['kind'], KINDS)}")
    kind = KINDS[item["kind"]]
    no_others(item, _fields(kind))
    if not kind.scoped:
        _applies_to_all(item)
    try:
        return Reading(kind.model_validate(dict(item)), item, written)
    except ValidationError as error:
        raise _problem(error) from None


@cache
def _fields(kind: type[Record]) -> frozenset[str]:
    return frozenset(field.alias or name for name, field in kind.model_fields.items())


def _applies_to_all(item: Mapping[str, Any]) -> None:
    for field in ("scope", "when"):
        if item.get(field):
            raise InvalidRecord(
                field, f"{item['kind']} records hold for every request: `access` says who may use what"
            )


def _problem(error: ValidationError) -> InvalidRecord:
    """The first thing that is wrong, in the order of the class's fields."""
    first = error.errors(include_url=False, include_input=False)[0]
    path = ".".join(str(part) for part in first["loc"])
    cause = first.get("ctx", {}).get("error")
    if isinstance(cause, InvalidRecord):
        return InvalidRecord(join(path, cause.field), cause.problem)
    return InvalidRecord(path, "is missing" if first["type"] == "missing" else first["msg"])


def canonical(item: Any) -> str:
    """One text for what is equal: names sorted, 1.0 as 1, a set as a sorted list. Raises InvalidRecord."""
    return json.dumps(_canonical(item, 0), sort_keys=True, separators=(",", ":"))


def _canonical(value: Any, depth: int) -> Any:
    if depth > DEEPEST:
        raise InvalidRecord("record", f"is nested deeper than {DEEPEST} levels")
    match value:
        case None | bool() | str():
            return value
        case Mapping():
            return {str(name): _canonical(each, depth + 1) for name, each in value.items()}
        case list() | tuple():
            return [_canonical(each, depth + 1) for each in value]
        case set() | frozenset():
            return sorted((_canonical(each, depth + 1) for each in value), key=repr)
        case int() | float() | Decimal():
            return _number(value)
    return repr(value)


def _number(value: int | float | Decimal) -> int | float | str:
    """Integral numbers as int, others as float; what neither can hold exactly enough as its own text."""
    try:
        size = float(value)
    except (OverflowError, ValueError):
        return hex(value) if isinstance(value, int) else str(value)
    if abs(size) < 2**53:
        return int(size) if size.is_integer() else size
    return str(value)

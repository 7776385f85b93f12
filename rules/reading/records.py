"""Reads a record from an item of the table or of a file. An error names the field and what is expected."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple, get_type_hints

from rules.errors import InvalidRecord
from rules.reading.coercion import (
    has_outer_space,
    join_path,
    quoted,
    read_at,
    read_mapping,
    read_text,
    refuse_unknown_fields,
    suggest,
)
from rules.reading.fields import read_own_name
from rules.reading.provider_fields import read_provider_id
from rules.records.base import Record
from rules.records.kinds import KINDS

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError

# By kind, the reader of ids that are names of something else too.
_ID_READERS: Mapping[str, Callable[[Any], str]] = {"alias": read_own_name, "provider": read_provider_id}

MAX_DEPTH = 32  # levels, as in DynamoDB
MAX_RECORD_BYTES = 65_536  # of canonical JSON


class SourcedRecord(NamedTuple):
    """A record with the item that it was read from, and that item as canonical JSON."""

    record: Record
    item: Mapping[str, Any]
    json: str


def read_record(item: Mapping[str, Any]) -> Record:
    """Return the record of an item. Raises InvalidRecord, and nothing else for any value."""
    return read_item(item).record


def read_item(item: Any) -> SourcedRecord:
    """Return the record of an item, with its source. Raises InvalidRecord with kind and id."""
    try:
        return _read(read_at("record", read_mapping, item))
    except InvalidRecord as error:
        kind, id = kind_and_id(item)
        raise InvalidRecord(error.field, error.problem, kind=kind, id=id) from None


def kind_and_id(item: Any) -> tuple[str, str]:
    """Return the kind and the id of an item; "" for what is missing or not a text."""
    fields = item if isinstance(item, Mapping) else {}
    kind, id = (fields.get(field) for field in ("kind", "id"))
    return kind if isinstance(kind, str) else "", id if isinstance(id, str) else ""


def _read(item: Mapping[str, Any]) -> SourcedRecord:
    size = len(text := canonical_json(item))
    if size > MAX_RECORD_BYTES:
        raise InvalidRecord("record", f"is {size} bytes, more than {MAX_RECORD_BYTES}")
    for field in ("kind", "id"):
        if field not in item:
            raise InvalidRecord(field, "is missing")
        read_at(field, read_text, item[field])
    if has_outer_space(item["id"]):
        raise InvalidRecord("id", f"has white space around it: write {quoted(item['id'].strip())}")
    if item["kind"] not in KINDS:
        raise InvalidRecord("kind", f"unknown kind `{item['kind'][:100]}`{suggest(item['kind'], KINDS)}")
    kind = item["kind"]
    refuse_unknown_fields(item, _written_names(kind))
    if not KINDS[kind].scoped:
        _refuse_scope(item)
    return SourcedRecord(_validated(kind, item), item, text)


def _validated(kind: str, item: Mapping[str, Any]) -> Record:
    from pydantic import ValidationError  # no request needs it: compiled records are not validated again

    try:
        valid = _model(kind).model_validate(dict(item))
    except ValidationError as error:
        raise _first_problem(error) from None
    record = KINDS[kind](**valid.__dict__)
    if kind in _ID_READERS:
        read_at("id", _ID_READERS[kind], record.id)
    record.check()
    return record


@cache
def _model(kind: str) -> type[BaseModel]:
    """Return the model that validates the fields of a kind, made of the annotations of its class."""
    from pydantic import ConfigDict, Field, create_model

    from rules.reading import field_types

    made = KINDS[kind]
    types = get_type_hints(made, vars(field_types), include_extras=True)
    fields: dict[str, Any] = {
        name: (types[name], Field(getattr(made, name, ...), alias=name.removesuffix("_")))
        for name in made.field_names
    }
    return create_model(made.__name__, __config__=ConfigDict(extra="forbid"), **fields)


@cache
def _written_names(kind: str) -> frozenset[str]:
    """Return the names of a kind's fields as people write them: `as`, which Python reserves, is `as_`."""
    return frozenset(name.removesuffix("_") for name in KINDS[kind].field_names)


def _refuse_scope(item: Mapping[str, Any]) -> None:
    for field in ("scope", "when"):
        if item.get(field):
            problem = f"`{item['kind']}` records apply to everyone and take no `scope` or `when`"
            raise InvalidRecord(field, f"{problem}; restrict use with an `access` record")


def _first_problem(error: ValidationError) -> InvalidRecord:
    """Return the first error in the order of the fields of the class."""
    first = error.errors(include_url=False, include_input=False)[0]
    path = ".".join(str(part) for part in first["loc"])
    cause = first.get("ctx", {}).get("error")
    if isinstance(cause, InvalidRecord):
        return InvalidRecord(join_path(path, cause.field), cause.problem)
    return InvalidRecord(path, "is missing" if first["type"] == "missing" else first["msg"])


def canonical_json(item: Any) -> str:
    """Return one text for equal items: names sorted, 1.0 as 1, sets as sorted lists. Raises InvalidRecord."""
    return json.dumps(_canonical(item, 0), sort_keys=True, separators=(",", ":"))


def _canonical(value: Any, depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise InvalidRecord("record", f"is nested deeper than {MAX_DEPTH} levels")
    match value:
        case None | bool() | str():
            return value
        case Mapping():
            return {str(name): _canonical(member, depth + 1) for name, member in value.items()}
        case list() | tuple():
            return [_canonical(member, depth + 1) for member in value]
        case set() | frozenset():
            return sorted((_canonical(member, depth + 1) for member in value), key=repr)
        case int() | float() | Decimal():
            return _canonical_number(value)
    return repr(value)


def _canonical_number(value: int | float | Decimal) -> int | float | str:
    """Return an integral number as int, others as float; a text where neither is exact enough."""
    try:
        size = float(value)
    except (OverflowError, ValueError):
        return hex(value) if isinstance(value, int) else str(value)
    if abs(size) < 2**53:
        return int(size) if size.is_integer() else size
    return str(value)

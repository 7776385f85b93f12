"""The compiled form of a set of records: plain data, which an instance that starts need not validate again.

It holds for one version of this code and for one content of the table. Whatever else is found in its place is
ignored, and the records are read as people wrote them.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from rules.records.base import Record
from rules.records.conditions import Condition
from rules.records.kinds import KINDS, Arm
from rules.records.scope import Scope

MAX_JSON = 8_000_000  # bytes that are decompressed
VERSION_FILE = "code_version.txt"  # scripts/package.py writes it

_SCALARS = (type(None), bool, int, float, str)
_ODD = (AttributeError, LookupError, RecursionError, TypeError, ValueError, zlib.error)  # of a foreign form


class Compiled(NamedTuple):
    """The records of a set, in its order, and its revision."""

    revision: str
    records: tuple[Record, ...]


@cache
def code_version() -> str:
    """Return a text that changes with the code that reads records: its hash, stored when it was packaged."""
    folder = Path(__file__).parents[1]
    try:
        return (folder / VERSION_FILE).read_text()
    except OSError:  # a checkout
        digest = sha256()
        for path in sorted(folder.rglob("*.py")):
            digest.update(path.read_bytes())
        return digest.hexdigest()[:32]


def content_hash(items: Sequence[Mapping[str, Any]]) -> str | None:
    """Return the same text for the same items in any order; None for values that no table returns."""
    try:
        ordered = sorted(items, key=lambda item: (item["kind"], item["id"]))
        return sha256(_ITEMS.encode(ordered).encode()).hexdigest()
    except _ODD:
        return None


def _marked(value: Any) -> dict[str, Any]:
    """Return JSON that no attribute has: DynamoDB has no empty names."""
    if isinstance(value, set | frozenset):
        return {"": sorted(map(repr, value))}
    if isinstance(value, Decimal | bytes):
        return {"": repr(value)}
    raise TypeError(type(value).__name__)


_ITEMS = json.JSONEncoder(sort_keys=True, separators=(",", ":"), default=_marked)


def compile_records(compiled: Compiled, content: str) -> bytes | None:
    """Return the compiled form of records, or None if it would not give exactly these records again."""
    try:
        rows = [_row(record) for record in compiled.records]
        text = json.dumps([compiled.revision, rows], separators=(",", ":"))
        data = _head(content) + zlib.compress(text.encode())
    except _ODD:
        return None
    return data if read_compiled(data, content) == compiled else None


def read_compiled(data: object, content: str) -> Compiled | None:
    """Return what `compile_records` was given, or None for a form of other code or content, or a bad one."""
    head = _head(content)
    if not isinstance(data, bytes) or not data.startswith(head):
        return None
    unpacked = zlib.decompressobj()
    try:
        text = unpacked.decompress(data[len(head) :], MAX_JSON)
        if not unpacked.eof or unpacked.unused_data:
            return None
        revision, rows = json.loads(text)
        if not isinstance(revision, str):
            return None
        return Compiled(revision, tuple([_record(*row) for row in rows]))
    except _ODD:
        return None


def _head(content: str) -> bytes:
    return f"{code_version()} {content}\n".encode()


def _row(record: Record) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """Return kind, the fields that are JSON, and the others, each with the name of its form."""
    plain: dict[str, Any] = {}
    others: dict[str, Any] = {}
    for name in record.field_names:
        value = getattr(record, name)
        default = getattr(KINDS[record.kind], name, ...)
        if value is default or (type(value) is type(default) and value == default):
            continue
        if _is_json(value):
            plain[name] = value
        else:
            form = _form(name, value)
            others[name] = [form, _FORMS[form].encode(value)]
    return record.kind, plain, others


def _record(kind: str, plain: dict[str, Any], others: dict[str, Any]) -> Record:
    for name, (form, value) in others.items():
        plain[name] = _FORMS[form].decode(value)
    record = KINDS[kind].of(plain)
    if record.kind != kind:
        raise ValueError("a record of another kind")
    return record


def _is_json(value: Any) -> bool:
    if type(value) is list:
        return all(map(_is_json, value))
    if type(value) is dict:
        return all(type(name) is str and _is_json(member) for name, member in value.items())
    return type(value) in _SCALARS


def _form(name: str, value: Any) -> str:
    if name in ("scope", "when", "split"):
        return name
    if type(value) is Decimal:
        return "decimal"
    return "tuple" if type(value) is tuple and all(type(each) in _SCALARS for each in value) else "nested"


class _Form(NamedTuple):
    encode: Callable[[Any], Any]
    decode: Callable[[Any], Any]


def _read_condition(fact: str, op: str, value: Any) -> Condition:
    return Condition(fact, op, tuple(value) if type(value) is list else value)


def _nest(value: Any) -> Any:
    """Return JSON in which each list begins with the name of its type."""
    if type(value) in _NESTED:
        members: Iterable[Any] = sorted(value) if type(value) is frozenset else value
        return [type(value).__name__, *map(_nest, members)]
    if type(value) is dict:
        return {name: _nest(member) for name, member in value.items()}
    if type(value) not in _SCALARS:
        raise TypeError(type(value).__name__)
    return value


def _unnest(value: Any) -> Any:
    if type(value) is list:
        return _TYPES[value[0]](map(_unnest, value[1:]))
    return {name: _unnest(member) for name, member in value.items()} if type(value) is dict else value


_NESTED = (list, tuple, frozenset)
_TYPES: Mapping[str, Callable[[Iterable[Any]], Any]] = {type_.__name__: type_ for type_ in _NESTED}

_FORMS: Mapping[str, _Form] = {
    "scope": _Form(
        lambda scope: {name: names for name, names in scope.as_dict().items() if names is not None},
        lambda fields: Scope.of({name: tuple(names) for name, names in fields.items()}),
    ),
    "when": _Form(
        lambda when: [(each.fact, each.op, each.value) for each in when],
        lambda when: tuple([_read_condition(*each) for each in when]),
    ),
    "split": _Form(
        lambda arms: [(arm.model, arm.weight) for arm in arms],
        lambda arms: tuple([Arm(*arm) for arm in arms]),
    ),
    "decimal": _Form(str, Decimal),
    "tuple": _Form(list, tuple),
    "nested": _Form(_nest, _unnest),
}

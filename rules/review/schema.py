"""The JSON Schema of records and of rule files, by which editors complete and check them.

A schema accepts every record that can be read, with the spellings that reading forgives, such as "3" for 3.
It does not find everything that reading refuses: it says nothing of fields that do not go together.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import NoneType
from typing import Any, get_args, get_type_hints

from rules.facts.facts import EFFORTS, FAMILIES, VOCABULARY, FactType
from rules.reading import field_types
from rules.reading.conditions import OPERATORS
from rules.records.base import UNEVADABLE_FACTS, EnforcedRecord, Record
from rules.records.kinds import KINDS
from rules.review.schema_fields import ABOUT, FIELDS, FLAG, TEXT, Schema, list_of, map_of, one_of, whole

DRAFT = "https://json-schema.org/draft/2020-12/schema"
ID = "urn:sluice:rules"


@cache
def record_schemas() -> Mapping[str, Schema]:
    """Return the schema of each kind of record."""
    return {kind: _record_schema(kind, record) for kind, record in KINDS.items()}


def rules_schema() -> Schema:
    """Return the schema of a rule file: a list of records, or what `rules pull` prints."""
    kinds = [
        {"if": {"properties": {"kind": {"const": kind}}}, "then": {"$ref": f"#/$defs/{kind}"}}
        for kind in KINDS
    ]
    record = {
        "type": "object",
        "required": ["kind", "id"],
        "properties": {"kind": _described("kind")},
        "allOf": kinds,
    }
    records = {"type": "array", "items": {"$ref": "#/$defs/record"}}
    file = map_of({"revision": {"type": ["string", "null"]}, "records": records}, "records")
    return {
        "$schema": DRAFT,
        "$id": ID,
        "title": "Rules of Sluice",
        "anyOf": [records, file],
        "$defs": {**record_schemas(), "record": record},
    }


def _record_schema(kind: str, record: type[Record]) -> Schema:
    types = get_type_hints(record, vars(field_types))
    names = [name for name in record.field_names if name != "scope" or record.scoped]
    written = {name: name.removesuffix("_") for name in names}
    required = (written[name] for name in names if not hasattr(record, name))
    fields = {written[name]: _field(kind, written[name], types[name]) for name in names}
    return {"title": kind, "description": ABOUT[kind], **map_of(fields, *required)}


def _field(kind: str, name: str, type: Any) -> Schema:
    schema: Schema
    if name == "kind":
        schema = {**_described(name), "enum": [kind]}
    elif name == "scope":
        schema = _scope(kind)
    elif name == "when":
        schema = _when(kind)
    else:
        schema = _described(f"{kind}.{name}" if f"{kind}.{name}" in FIELDS else name)
    if NoneType in get_args(type):
        return {"anyOf": [schema, {"type": "null"}]}
    return schema


def _described(field: str) -> Schema:
    schema, description = FIELDS[field]
    return {"description": description, **schema}


def _scope(kind: str) -> Schema:
    names = ("key", "project") if issubclass(KINDS[kind], EnforcedRecord) else ("function", "key", "project")
    schema = map_of(dict.fromkeys(names, list_of(TEXT, minItems=1)), minProperties=1)
    return {"description": "The callers that it applies to; without it, all.", **schema}


def _when(kind: str) -> Schema:
    described = {"description": "Conditions on the request, all of which must hold."}
    if not KINDS[kind].scoped:
        return {**described, "type": "object", "maxProperties": 0}
    if issubclass(KINDS[kind], EnforcedRecord):
        return {**described, **map_of({fact: _operand(VOCABULARY[fact]) for fact in UNEVADABLE_FACTS})}
    families = {rf"^{name}\..": _operand(type) for name, type in FAMILIES.items()}
    facts = map_of({fact: _operand(type) for fact, type in VOCABULARY.items()})
    return {**described, **facts, "patternProperties": families}


def _operand(type: FactType) -> Schema:
    """Return the schema of what a condition asks of a fact: a value, a list, or operators."""
    value = _value(type)
    operators = {
        "exists": FLAG,
        **{name: list_of(value) for name in OPERATORS if name in ("is", "not", "in", "like", "contains")},
        **{name: whole() for name in OPERATORS if name in ("gt", "gte", "lt", "lte")},
    }
    values = {"type": "array", "items": value, "minItems": 1}
    return {"anyOf": [value, values, map_of(operators, minProperties=1)]}


def _value(type: FactType) -> Schema:
    if type.kind == "flag":
        return FLAG
    if type.kind in ("count", "number"):
        return {"anyOf": [whole(0, type.maximum), FLAG]}
    if type.kind == "effort":
        return {"anyOf": [one_of(*EFFORTS), TEXT, FLAG]}
    if type.choices:
        return {"anyOf": [one_of(*type.choices), {"type": "string"}]}
    return {"type": ["string", "number", "boolean"]} if type.scalars else TEXT

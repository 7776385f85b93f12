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
from rules.records.base import UNEVADABLE_FACTS, EnforcedRecord
from rules.records.kinds import KINDS
from rules.review.schema_fields import ABOUT, FIELDS, FLAG, TEXT, Schema, list_of, map_of, one_of, whole

DRAFT = "https://json-schema.org/draft/2020-12/schema"
ID = "urn:sluice:rules"

# The types of facts, each with the name of its definition: that of the first fact that has it.
_TYPES: Mapping[FactType, str] = {
    type: f"when-{fact}" for fact, type in reversed([*VOCABULARY.items(), *FAMILIES.items()])
}


@cache
def record_schemas() -> Mapping[str, Schema]:
    """Return the schema of each kind of record, complete in itself."""
    facts = {"$defs": _fact_schemas()}
    return {kind: _record_schema(kind) | (facts if record.scoped else {}) for kind, record in KINDS.items()}


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
        "$defs": {"record": record, **{kind: _record_schema(kind) for kind in KINDS}, **_fact_schemas()},
    }


def _record_schema(kind: str) -> Schema:
    """Return the schema of a kind, for a document whose `$defs` have `_fact_schemas`."""
    record = KINDS[kind]
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
    known = UNEVADABLE_FACTS if issubclass(KINDS[kind], EnforcedRecord) else VOCABULARY
    facts = map_of({fact: _reference(VOCABULARY[fact]) for fact in known})
    if known is VOCABULARY:
        facts["patternProperties"] = {rf"^{name}\..": _reference(type) for name, type in FAMILIES.items()}
    return {**described, **facts}


def _reference(type: FactType) -> Schema:
    return {"$ref": f"#/$defs/{_TYPES[type]}"}


def _fact_schemas() -> Mapping[str, Schema]:
    """Return what a condition may ask of facts of each type: a value, a list, or operators."""
    whens = {name: _fact_schema(f"{name}-value") for name in _TYPES.values()}
    return {**whens, **{f"{name}-value": _value(type) for type, name in _TYPES.items()}}


def _fact_schema(value_name: str) -> Schema:
    value = {"$ref": f"#/$defs/{value_name}"}
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

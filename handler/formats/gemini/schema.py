"""Translates Gemini's Schema, a part of OpenAPI's, into JSON Schema.

Unknown keywords are copied, so a client that writes JSON Schema into such a field loses nothing.
https://ai.google.dev/api/caching#Schema
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from handler.errors import Json
from handler.formats.gemini.fields import camel_case

_UNSPECIFIED = "type_unspecified"


def json_schema(schema: Any) -> Any:
    """Return the JSON Schema of a Schema; any value but an object is returned as it is."""
    if not isinstance(schema, dict):
        return schema
    new: Json = {}
    nullable, order = False, None
    for keyword, value in schema.items():
        match camel_case(keyword):
            case "nullable":
                nullable = value is True
            case "propertyOrdering":
                order = value
            case "format" if value == "enum":  # of texts with an `enum`, not a format of JSON Schema
                pass
            case name if value is not None and name in _KEYWORDS:
                new |= _KEYWORDS[name](value)
            case _:
                new[keyword] = value
    if isinstance(order, list) and isinstance(new.get("properties"), dict):
        new["properties"] = _in_order(new["properties"], order)
    return _with_null(new) if nullable else new


def _in_order(properties: Json, order: list[Any]) -> Json:
    first = {name: properties[name] for name in order if isinstance(name, str) and name in properties}
    return first | properties


def _with_null(schema: Json) -> Json:
    """Return the schema that accepts null too."""
    new = dict(schema)
    if isinstance(kind := schema.get("type"), str):
        new["type"] = [kind, "null"]
    elif isinstance(kind, list) and "null" not in kind:
        new["type"] = [*kind, "null"]
    if isinstance(values := schema.get("enum"), list) and None not in values:
        new["enum"] = [*values, None]
    if isinstance(alternatives := schema.get("anyOf"), list) and {"type": "null"} not in alternatives:
        new["anyOf"] = [*alternatives, {"type": "null"}]
    return new


def _type(value: Any) -> Json:
    """Return `type` in lower case; {} for an unspecified one."""
    if isinstance(value, list):
        return {"type": [one.lower() if isinstance(one, str) else one for one in value]}
    kind = value.lower() if isinstance(value, str) else value
    return {} if kind == _UNSPECIFIED else {"type": kind}


def _reference(value: Any) -> Json:
    is_own = isinstance(value, str) and value.startswith("#/defs/")
    return {"$ref": f"#/$defs/{value.removeprefix('#/defs/')}" if is_own else value}


def _schemas(value: Any) -> Any:
    """Translate the schemas in a list; a value that is no list is one schema."""
    return [json_schema(one) for one in value] if isinstance(value, list) else json_schema(value)


def _named_schemas(value: Any) -> Any:
    return {name: json_schema(one) for name, one in value.items()} if isinstance(value, dict) else value


def _count(value: Any) -> Any:
    """Return a 64-bit integer, which the JSON of Google's APIs may have as text."""
    return int(value) if isinstance(value, str) and value.isdecimal() and len(value) < 20 else value


def _keyword(name: str, translate: Callable[[Any], Any]) -> Callable[[Any], Json]:
    return lambda value: {name: translate(value)}


_KEYWORDS: Mapping[str, Callable[[Any], Json]] = {
    "type": _type,
    "ref": _reference,
    "example": lambda value: {"examples": [value]},
    **{name: _keyword(name, _named_schemas) for name in ("properties", "$defs", "patternProperties")},
    "defs": _keyword("$defs", _named_schemas),
    **{
        name: _keyword(name, _schemas)
        for name in ("items", "prefixItems", "anyOf", "oneOf", "allOf", "additionalProperties", "not")
    },
    **{
        name: _keyword(name, _count)
        for name in ("minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties")
    },
}

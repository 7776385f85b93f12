"""A JSON Schema as Gemini takes it: the words it knows, and the others said with those where that can be.

The words: `responseJsonSchema` in https://ai.google.dev/api/generate-content#GenerationConfig
Schemas are walked, not names: a property that is called `default` or `$ref` stays.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from handler.providers.base import Json

_PLAIN = frozenset(
    {
        *("$id", "$anchor", "title", "description", "format", "propertyOrdering"),
        *("minItems", "maxItems", "minimum", "maximum"),
    }
)
_NAMES = {"definitions": "$defs", "oneOf": "anyOf"}


def cleaned(schema: Any) -> Json:
    """The schema without what Gemini refuses. One that says nothing readable is an object."""
    return _schema(schema) if isinstance(schema, dict) else {"type": "object"}


def _schema(schema: Any) -> Any:
    """One schema; `true` and `false` stay what they are."""
    if not isinstance(schema, dict):
        return schema
    schema = _merged(schema)
    if isinstance(target := schema.get("$ref"), str):  # nothing but what begins with $ may stand beside it
        known = {_NAMES.get(name, name): value for name, value in schema.items()}
        beside = {"$defs": _named(known["$defs"])} if "$defs" in known else {}
        return {"$ref": target.replace("#/definitions/", "#/$defs/"), **beside}
    new: Json = {name: value for name, value in schema.items() if name in _PLAIN}
    for name, value in schema.items():
        known = _NAMES.get(name, name)
        if known in _WORDS:
            new[known] = _WORDS[known](value)
    new.update(_typed(schema))
    new.update(_bounds(schema))
    properties = new.get("properties", {})
    if "required" in schema:
        new["required"] = [name for name in _required(schema) if name in properties]
    if isinstance(items := new.get("items"), list):  # the older way to say prefixItems
        del new["items"]
        new["prefixItems"] = items
    return {name: value for name, value in new.items() if value != [] and value is not None}


def _merged(schema: Json) -> Json:
    """`allOf`, which Gemini does not know, laid together: later ones win, properties and required add up."""
    parts = schema.get("allOf")
    if not isinstance(parts, list):
        return schema
    whole: Json = {}
    properties: Json = {}
    required: dict[str, None] = {}
    rest = {name: value for name, value in schema.items() if name != "allOf"}
    for part in (*filter(lambda one: isinstance(one, dict), parts), rest):
        part = _merged(part)
        whole |= part
        properties |= _object(part, "properties")
        required |= dict.fromkeys(_required(part))
    whole |= {"properties": properties} if properties else {}
    return whole | ({"required": list(required)} if required else {})


def _typed(schema: Json) -> Json:
    """`type` and `enum`: an enum holds texts and numbers, `const` is one of one, null is a type."""
    kinds = schema.get("type")
    kinds = [kind for kind in (kinds if isinstance(kinds, list) else [kinds]) if isinstance(kind, str)]
    values = [schema["const"]] if "const" in schema else schema.get("enum")
    said: Json = {}
    if isinstance(values, list):
        if kinds and None in values:
            kinds.append("null")
        said["enum"] = [value for value in values if isinstance(value, str | int | float)]
        if any(isinstance(value, bool) for value in values):
            said["enum"], kinds = [], kinds or ["boolean"]
    if kinds and schema.get("nullable") is True:
        kinds.append("null")
    kinds = list(dict.fromkeys(kinds))
    return said | ({"type": kinds[0] if len(kinds) == 1 else kinds} if kinds else {})


def _bounds(schema: Json) -> Json:
    """Bounds that are not included, as the next whole number where numbers are whole."""
    kind = schema.get("type")
    step = 1 if kind == "integer" or (isinstance(kind, list) and "integer" in kind) else 0
    said: Json = {}
    for name, bound, more in (("exclusiveMinimum", "minimum", step), ("exclusiveMaximum", "maximum", -step)):
        value = schema.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool) and bound not in schema:
            said[bound] = value + more
    return said


def _object(schema: Json, name: str) -> Json:
    value = schema.get(name)
    return value if isinstance(value, dict) else {}


def _required(schema: Json) -> list[str]:
    value = schema.get("required")
    return [name for name in value if isinstance(name, str)] if isinstance(value, list) else []


def _each(value: Any) -> Any:
    """Schemas in a list, or one of them."""
    return [_schema(one) for one in value] if isinstance(value, list) else _schema(value)


def _named(value: Any) -> Json:
    """Schemas under names; PHP writes none of them as a list."""
    return {name: _schema(one) for name, one in value.items()} if isinstance(value, dict) else {}


# Words that hold schemas, and how to walk them.
_WORDS: Mapping[str, Callable[[Any], Any]] = {
    "properties": _named,
    "$defs": _named,
    "anyOf": _each,
    "prefixItems": _each,
    "items": _each,
    "additionalProperties": _schema,
}

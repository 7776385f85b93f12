"""Hypothesis strategies for JSON Schemas and for values that mostly fit them.

An object has only properties that its schema lists, unless the schema describes the values of others. So it
also fits a translation that sets `additionalProperties: false`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from handler.structured.schema import Schema

Json = dict[str, Any]

NAMES = ("a", "b", "c", "op")
TEXTS = st.sampled_from(["", "x", "add", "del", "2026-01-31"])
SCALARS = TEXTS | st.integers(-3, 9) | st.booleans() | st.none() | st.sampled_from([0.5, 2.0])
DEFINITIONS = ("one", "two")


@st.composite
def leaf_schemas(draw: st.DrawFn) -> Json:
    kind = draw(st.sampled_from(["text", "number", "integer", "literal", "several", "boolean"]))
    if kind == "text":
        return {"type": "string"} | draw(
            st.sampled_from([{}, {"maxLength": 3}, {"pattern": "^[a-z]*$"}, {"format": "date"}])
        )
    if kind in ("number", "integer"):
        old = [{"minimum": 0, "exclusiveMinimum": True}, {"maximum": 5, "exclusiveMaximum": False}]
        new = [{}, {"minimum": -1}, {"exclusiveMinimum": 0.5}, {"exclusiveMaximum": 7, "maximum": 9}]
        return {"type": kind, **draw(st.sampled_from([*new, *old, {"multipleOf": 2}]))}
    if kind == "literal":
        values = draw(st.lists(SCALARS, min_size=1, max_size=3))
        return {"const": values[0]} if draw(st.booleans()) else {"enum": values}
    if kind == "several":
        return {
            "type": draw(st.lists(st.sampled_from(["string", "integer", "null"]), min_size=1, unique=True))
        }
    return {"type": "boolean", "description": "d"}


@st.composite
def object_schemas(draw: st.DrawFn, inner: st.SearchStrategy[Any]) -> Json:
    properties = draw(st.dictionaries(st.sampled_from(NAMES), inner, max_size=3))
    required = [name for name in properties if draw(st.booleans())]
    schema: Json = {"type": "object", "properties": properties}
    schema |= {"required": required} if required else {}
    more = [{"additionalProperties": False}, {"additionalProperties": draw(inner)}, {"minProperties": 1}]
    more += [
        {"patternProperties": {"^x": draw(inner)}},
        {"description": "d"},
        {"unevaluatedProperties": False},
    ]
    extra: Json = draw(st.sampled_from([{}, {}, {}, *more]))
    return schema | extra


@st.composite
def array_schemas(draw: st.DrawFn, inner: st.SearchStrategy[Any]) -> Json:
    several = draw(st.lists(inner, min_size=1, max_size=2))
    items = [
        {"items": several[0]},
        {"items": several},
        {"items": several, "additionalItems": False},
        {"prefixItems": several, "items": draw(inner)},
        {"items": several[0], "minItems": 1, "maxItems": 3},
    ]
    return {"type": "array", **draw(st.sampled_from(items))}


def composed_schemas(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    several = st.lists(inner, min_size=1, max_size=3)
    return (
        object_schemas(inner)
        | array_schemas(inner)
        | st.builds(
            lambda keyword, some: {keyword: some}, st.sampled_from(["anyOf", "oneOf", "allOf"]), several
        )
        | st.builds(lambda one, some: {**one, "allOf": some}, object_schemas(inner), several)
        | st.builds(lambda one, some: {**one, "anyOf": some}, object_schemas(inner), several)
    )


REFERENCES = st.sampled_from([{"$ref": f"#/$defs/{name}"} for name in DEFINITIONS])
EXTRA_KEYWORDS = st.sampled_from(
    [{"description": "d"}, {"properties": {"a": {"type": "string"}}}, {"minLength": 1}]
)
LEAVES = (
    leaf_schemas() | REFERENCES | st.builds(lambda one, more: {**one, **more}, REFERENCES, EXTRA_KEYWORDS)
)
PARTS = st.recursive(LEAVES, composed_schemas, max_leaves=8)


@st.composite
def schemas(draw: st.DrawFn) -> Json:
    """A schema with references, which may be recursive, but not without a step into the value."""
    root = draw(object_schemas(PARTS) | PARTS)
    keyword = draw(st.sampled_from(["$defs", "definitions"]))
    schema = {
        **root,
        keyword: {
            name: draw(object_schemas(PARTS) | array_schemas(PARTS) | leaf_schemas()) for name in DEFINITIONS
        },
    }
    return rename_references(schema) if keyword == "definitions" else schema


def rename_references(schema: Any) -> Any:
    """Change references to `$defs` into references to `definitions`."""
    if isinstance(schema, list):
        return [rename_references(one) for one in schema]
    if isinstance(schema, dict):
        return {name: rename_references(one) for name, one in schema.items()}
    return schema.replace("#/$defs/", "#/definitions/") if isinstance(schema, str) else schema


def values(draw: Callable[..., Any], root: Json, schema: Any, depth: int = 0) -> Any:
    """A value drawn from what a schema lists. It may not fit the whole schema."""
    if not isinstance(schema, dict) or depth > 6:
        return draw(SCALARS)
    drawn: list[Any] = []
    if "$ref" in schema:
        *_, keyword, name = schema["$ref"].split("/")
        drawn.append(values(draw, root, root[keyword][name], depth + 1))
    for part in schema.get("allOf", ()):
        drawn.append(values(draw, root, part, depth + 1))
    for keyword in ("anyOf", "oneOf"):
        if schema.get(keyword):
            drawn.append(values(draw, root, draw(st.sampled_from(schema[keyword])), depth + 1))
    if "const" in schema or "enum" in schema:
        drawn.append(draw(st.sampled_from(schema.get("enum") or [schema.get("const")])))
    elif "properties" in schema or "type" in schema:
        drawn.append(_value_of_type(draw, root, schema, depth))
    if drawn and all(isinstance(one, dict) for one in drawn):
        return {name: value for one in drawn for name, value in one.items()}
    return draw(st.sampled_from(drawn)) if drawn else draw(SCALARS)


def _value_of_type(draw: Callable[..., Any], root: Json, schema: Json, depth: int) -> Any:
    kinds = schema.get("type", "object")
    kind = draw(st.sampled_from(kinds)) if isinstance(kinds, list) else kinds
    if kind == "object":
        required = schema.get("required", ())
        found = {
            name: values(draw, root, one, depth + 1)
            for name, one in schema.get("properties", {}).items()
            if name in required or draw(st.booleans())
        }
        if isinstance(schema.get("additionalProperties"), dict) and draw(st.booleans()):
            found["any"] = values(draw, root, schema["additionalProperties"], depth + 1)
        if "patternProperties" in schema and draw(st.booleans()):
            found["xy"] = values(draw, root, schema["patternProperties"]["^x"], depth + 1)
        return found
    if kind == "array":
        items = schema.get("items", {})
        first = schema.get("prefixItems", items if isinstance(items, list) else [])
        rest = schema.get("additionalItems", {}) if isinstance(items, list) else items
        count = draw(st.integers(0, 2)) if rest is not False else 0
        return [values(draw, root, one, depth + 1) for one in (*first, *[rest] * count)]
    numbers = {
        "string": TEXTS,
        "integer": st.integers(-3, 9),
        "number": st.integers(-9, 18).map(lambda n: n / 2),
    }
    return draw({**numbers, "boolean": st.booleans(), "null": st.none()}[kind])


def fits(schema: Json, value: Any) -> bool:
    return Schema(schema).find_mismatch(value) is None

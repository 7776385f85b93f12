"""Schemas drawn at random with values that fit them, as the translations of schemas are proved by.

A value is made of what a schema lists: an object has no property that nothing asks for, unless the schema
says that it is a map. So a compiler that closes objects may not refuse it.
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
DEFINED = ("one", "two")


@st.composite
def leaves(draw: st.DrawFn) -> Json:
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
def objects(draw: st.DrawFn, inner: st.SearchStrategy[Any]) -> Json:
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
    beside: Json = draw(st.sampled_from([{}, {}, {}, *more]))
    return schema | beside


@st.composite
def arrays(draw: st.DrawFn, inner: st.SearchStrategy[Any]) -> Json:
    several = draw(st.lists(inner, min_size=1, max_size=2))
    words = [
        {"items": several[0]},
        {"items": several},
        {"items": several, "additionalItems": False},
        {"prefixItems": several, "items": draw(inner)},
        {"items": several[0], "minItems": 1, "maxItems": 3},
    ]
    return {"type": "array", **draw(st.sampled_from(words))}


def composed(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    several = st.lists(inner, min_size=1, max_size=3)
    return (
        objects(inner)
        | arrays(inner)
        | st.builds(lambda word, some: {word: some}, st.sampled_from(["anyOf", "oneOf", "allOf"]), several)
        | st.builds(lambda one, some: {**one, "allOf": some}, objects(inner), several)
        | st.builds(lambda one, some: {**one, "anyOf": some}, objects(inner), several)
    )


REFERENCES = st.sampled_from([{"$ref": f"#/$defs/{name}"} for name in DEFINED])
BESIDE = st.sampled_from([{"description": "d"}, {"properties": {"a": {"type": "string"}}}, {"minLength": 1}])
LEAVES = leaves() | REFERENCES | st.builds(lambda one, more: {**one, **more}, REFERENCES, BESIDE)
PARTS = st.recursive(LEAVES, composed, max_leaves=8)


@st.composite
def schemas(draw: st.DrawFn) -> Json:
    """A schema, whose references may lead back to it, though never without a step into the value."""
    root = draw(objects(PARTS) | PARTS)
    word = draw(st.sampled_from(["$defs", "definitions"]))
    schema = {**root, word: {name: draw(objects(PARTS) | arrays(PARTS) | leaves()) for name in DEFINED}}
    return renamed(schema) if word == "definitions" else schema


def renamed(schema: Any) -> Any:
    """The schema with its references to where its definitions are."""
    if isinstance(schema, list):
        return [renamed(one) for one in schema]
    if isinstance(schema, dict):
        return {name: renamed(one) for name, one in schema.items()}
    return schema.replace("#/$defs/", "#/definitions/") if isinstance(schema, str) else schema


def values(draw: Callable[..., Any], root: Json, schema: Any, depth: int = 0) -> Any:
    """A value made after what a schema lists; whether it fits is for a validator to say."""
    if not isinstance(schema, dict) or depth > 6:
        return draw(SCALARS)
    made: list[Any] = []
    if "$ref" in schema:
        *_, word, name = schema["$ref"].split("/")
        made.append(values(draw, root, root[word][name], depth + 1))
    for part in schema.get("allOf", ()):
        made.append(values(draw, root, part, depth + 1))
    for word in ("anyOf", "oneOf"):
        if schema.get(word):
            made.append(values(draw, root, draw(st.sampled_from(schema[word])), depth + 1))
    if "const" in schema or "enum" in schema:
        made.append(draw(st.sampled_from(schema.get("enum") or [schema.get("const")])))
    elif "properties" in schema or "type" in schema:
        made.append(_typed(draw, root, schema, depth))
    if made and all(isinstance(one, dict) for one in made):
        return {name: value for one in made for name, value in one.items()}
    return draw(st.sampled_from(made)) if made else draw(SCALARS)


def _typed(draw: Callable[..., Any], root: Json, schema: Json, depth: int) -> Any:
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
    return Schema(schema).mismatch(value) is None

"""Rewrites the parameters of a tool as an object schema without references or unions at its top.

Anthropic refuses `$ref`, `allOf`, `anyOf` and `oneOf` there.
https://platform.claude.com/docs/en/agents-and-tools/tool-use/implement-tool-use
"""

from __future__ import annotations

import json
from typing import Any

from handler.errors import Json
from handler.providers.content_blocks.schema import MAX_DEPTH, UNION_KEYWORDS, describe_keywords
from handler.providers.schemas.drafts import to_2020_12
from handler.providers.schemas.merging import (
    CannotTranslate,
    Merger,
    members_of,
    patterns_of,
    required_of,
    values_of,
)

_COMBINING = frozenset({"allOf", "$ref", *UNION_KEYWORDS})


def object_schema(parameters: Any) -> Json:
    """Return the parameters as a schema of an object, whatever they are. PHP sends `[]` for an empty object.

    References and `allOf` at the top are inlined. A union becomes one object: a property accepts what any
    alternative accepts, the properties that all alternatives require are required, and the description
    contains the union.
    """
    schema = to_2020_12(parameters) if isinstance(parameters, dict) else {}
    fixed = {keyword: value for keyword, value in schema.items() if keyword not in _COMBINING}
    fixed |= {"type": "object"}
    if _COMBINING.isdisjoint(schema):
        return {**fixed, "properties": members_of(schema)}
    try:
        found = _alternatives(Merger(schema), schema, 0)
    except CannotTranslate:
        found = []
    one = found[0] if len(found) == 1 else {**fixed, **_unite_objects(found)}
    definitions = {"$defs": schema["$defs"]} if "$defs" in schema else {}
    new = {**one, **definitions, "type": "object", "properties": members_of(one)}
    if len(found) == 1:
        return new
    described = {keyword: value for keyword, value in schema.items() if keyword in _COMBINING}
    return {**new, "description": describe_keywords(new.get("description"), described)}


def _alternatives(merger: Merger, schema: Any, depth: int) -> list[Json]:
    """Return the alternatives of a schema, each an object schema without `$ref`, `allOf` or unions."""
    if depth > MAX_DEPTH:
        raise CannotTranslate
    whole = merger.intersect({"type": "object"}, merger.resolve(schema))
    if not isinstance(whole, dict):
        return []
    union = next((keyword for keyword in UNION_KEYWORDS if isinstance(whole.get(keyword), list)), None)
    if union is None:
        return [whole]
    common = {keyword: value for keyword, value in whole.items() if keyword != union}
    merged = (merger.intersect(common, one) for one in whole[union])
    return [one for each in merged for one in _alternatives(merger, each, depth + 1)]


def _unite_objects(objects: list[Json]) -> Json:
    """Return the keywords of an object that accepts what any of the objects accepts."""
    if not objects:
        return {}
    found: dict[str, list[Any]] = {}
    for one in objects:
        for name, member in members_of(one).items():
            found.setdefault(name, []).append(member)
    shared = set.intersection(*(set(required_of(one)) for one in objects))
    required = [name for name in required_of(objects[0]) if name in shared]
    closed = all(one.get("additionalProperties") is False and not patterns_of(one) for one in objects)
    return {
        "properties": {name: _unite(members) for name, members in found.items()},
        **({"required": required} if required else {}),
        **({"additionalProperties": False} if closed else {}),
    }


def _unite(schemas: list[Any]) -> Any:
    """Return a schema that accepts what any of the schemas accepts."""
    unique = list({json.dumps(one, sort_keys=True): one for one in schemas if one is not False}.values())
    if len(unique) < 2 or not all(isinstance(one, dict) and one for one in unique):
        return unique[0] if len(unique) == 1 else bool(unique)
    values = [values_of(one) if one.keys() <= {"const", "enum", "type"} else None for one in unique]
    kinds = {json.dumps(one.get("type")): one["type"] for one in unique if "type" in one}
    if None in values or len(kinds) > 1:
        return {"anyOf": unique}
    enum = list({json.dumps(value): value for each in values for value in each or ()}.values())
    return {**({"type": kinds.popitem()[1]} if kinds else {}), "enum": enum}

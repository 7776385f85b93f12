"""A JSON Schema as Anthropic and Bedrock hold an answer to it: the subset they compile, the rest in words.

Open objects are closed, so that what it answers is valid by the client's own schema too.
https://platform.claude.com/docs/en/build-with-claude/structured-outputs#json-schema-limitations
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from handler.providers.base import Json

_KEPT = frozenset({"type", "required", "enum", "const", "default", "$ref", "title", "description"})
_DEFINED = frozenset({"$defs", "definitions"})
_MAPS = _DEFINED | {"properties"}  # of names that mean nothing to us
_MOST_OPTIONAL = 24
_LISTS = {"anyOf": "anyOf", "oneOf": "anyOf", "allOf": "allOf"}
_FORMATS = frozenset(
    {"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"}
)
_UNSAID = frozenset({"$schema", "$id", "$comment", "examples", "additionalProperties"})


def compiled(schema: Mapping[str, Any]) -> Json:
    """The schema in that subset."""
    new: Json = {}
    words: Json = {}  # what the description has to say
    for name, value in schema.items():
        if name in _MAPS and isinstance(value, dict):
            new[name] = {key: _inner(one) for key, one in value.items()}
        elif name in _LISTS and isinstance(value, list):
            new[_LISTS[name]] = [_inner(one) for one in value]
        elif name == "items":
            new[name] = _inner(value)
        elif name in _KEPT or (name == "format" and isinstance(value, str) and value in _FORMATS):
            new[name] = value
        elif name not in _UNSAID:
            words[name] = value
    if "properties" in new or "object" in _types(new):
        new["additionalProperties"] = False
    if words:
        told = "; ".join(f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in words.items())
        new["description"] = f"{new.get('description', '')} ({told})".strip()
    return new


def _inner(schema: Any) -> Any:
    return compiled(schema) if isinstance(schema, dict) else schema


def _types(schema: Json) -> list[Any]:
    kind = schema.get("type")
    return kind if isinstance(kind, list) else [kind]


def compilable(schema: Mapping[str, Any]) -> bool:
    """Whether Anthropic takes it: nothing in it contains itself, and few properties are optional."""
    from graphlib import CycleError, TopologicalSorter

    inside = {"#": _references({name: one for name, one in schema.items() if name not in _DEFINED})}
    for kind in _DEFINED & schema.keys():
        for name, one in schema[kind].items() if isinstance(schema[kind], dict) else ():
            inside[f"#/{kind}/{name}"] = _references(one)
    try:
        TopologicalSorter(inside).prepare()
    except CycleError:
        return False
    return set().union(*inside.values()) <= inside.keys() and _optional(schema) <= _MOST_OPTIONAL


def _references(schema: Any) -> set[Any]:
    return {node["$ref"] for node in _nodes(schema) if isinstance(node.get("$ref"), str)}


def _optional(schema: Any) -> int:
    found = ((node.get("properties"), _required(node)) for node in _nodes(schema))
    return sum(
        len(properties.keys() - set(required))
        for properties, required in found
        if isinstance(properties, dict)
    )


def _required(schema: Mapping[str, Any]) -> list[str]:
    return [name for name in _list(schema.get("required")) if isinstance(name, str)]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _nodes(schema: Any) -> Iterator[Json]:
    """Every object in it."""
    left = [schema]
    while left:
        part = left.pop()
        if isinstance(part, dict):
            yield part
        if isinstance(part, dict | list):
            left += part.values() if isinstance(part, dict) else part


def of_object(parameters: Any) -> Json:
    """The parameters of a tool: an object in any case. PHP says `[]` for an empty one.

    Alternatives are refused at the top: their properties are laid together, and required is what all require.
    """
    schema = parameters if isinstance(parameters, dict) else {}
    branches = [one for name in _LISTS for one in _list(schema.get(name)) if isinstance(one, dict)]
    fixed = {name: value for name, value in schema.items() if name not in _LISTS} | {"type": "object"}
    properties: Json = {}
    for part in (*branches, schema):
        found = part.get("properties")
        properties |= found if isinstance(found, dict) else {}
    if branches:
        fixed["required"] = _required_of(schema, branches)
    return {**fixed, "properties": properties}


def _required_of(schema: Json, branches: list[Json]) -> list[str]:
    own, each = _required(schema), [set(_required(branch)) for branch in branches]
    shared = set().union(*each) if "allOf" in schema else set.intersection(*each)
    return [*own, *sorted(shared - set(own))]

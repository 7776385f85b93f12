"""Rewrites a JSON Schema into one canonical form, which our work count and the validating library read alike.

Readers of JSON Schema differ on `#/items/+1`, on anchors inside data, on a base that changes half way. So the
library is given only the words that it knows, and every `$ref` as a pointer that is spelled in one way; what
has no such form is refused. https://json-schema.org/draft/2020-12/json-schema-core
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

from handler.wire.strict_json import levels

Json = dict[str, Any]
Steps = tuple[str, ...]  # from the root to a part

MOST_POINTED = 500_000  # characters of all pointers: an anchor of a few letters can stand for a long one

# Words that hold schemas: one or a list of them, or some under names.
_SCHEMAS = frozenset(
    {
        *("allOf", "anyOf", "oneOf", "not", "if", "then", "else"),
        *("items", "prefixItems", "additionalItems", "unevaluatedItems", "contains"),
        *("additionalProperties", "unevaluatedProperties", "propertyNames"),
    }
)
_NAMED = frozenset(
    {"$defs", "definitions", "properties", "patternProperties", "dependentSchemas", "dependencies"}
)
# Words that hold data. Every other word says nothing of what fits.
_DATA = frozenset(
    {
        *("type", "enum", "const", "pattern", "minLength", "maxLength", "contentEncoding"),
        *("contentMediaType", "multipleOf", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"),
        *("minItems", "maxItems", "uniqueItems", "minContains", "maxContains"),
        *("minProperties", "maxProperties", "required", "dependentRequired"),
    }
)
_ANCHORS = ("$anchor", "$dynamicAnchor")
_UNSERVED = frozenset({"$dynamicRef", "$recursiveRef", "$recursiveAnchor"})
_NOT_DATA = _UNSERVED | {"$id", "$ref", "$schema", *_ANCHORS}


class BadSchema(Exception):
    """The value is not a schema, or no answer can be checked against it. The text says why."""


class Canonical(NamedTuple):
    schema: Json
    targets: Mapping[str, Any]  # the part of the schema that each `$ref` in it leads to


def canonical(schema: Json) -> Canonical:
    """Rewrites the schema into canonical form. Raises BadSchema."""
    anchors = _anchors(schema)
    references: dict[Any, Steps] = {}
    pointed = 0
    for _, part in parts(schema):
        _check(part, at_head=part is schema)
        if "$ref" in part:
            steps = references[part["$ref"]] = _steps(part["$ref"], anchors)
            _located(schema, steps)
            pointed += len(_pointer(steps))
    if pointed > MOST_POINTED:
        raise BadSchema("its references are too long")
    pointers = {reference: _pointer(steps) for reference, steps in references.items()}
    new = _rewritten(schema, pointers)
    if "$schema" in schema:
        new["$schema"] = schema["$schema"]
    return Canonical(new, {pointers[one]: _located(new, steps) for one, steps in references.items()})


def parts(schema: Any, at: Steps = ()) -> Iterator[tuple[Steps, Json]]:
    """Yields every subschema that is an object, the root first."""
    left = [(at, schema)]
    while left:
        at, part = left.pop()
        if isinstance(part, dict):
            yield at, part
            left += [((*at, *steps), one) for steps, one in _inside(part)]


def _inside(schema: Json) -> Iterator[tuple[Steps, Any]]:
    for word, value in schema.items():
        if word in _NAMED and isinstance(value, dict):
            yield from (((word, name), one) for name, one in value.items())
        elif word in _SCHEMAS and isinstance(value, list):
            yield from (((word, str(place)), one) for place, one in enumerate(value))
        elif word in _SCHEMAS:
            yield (word,), value


def _rewritten(part: Any, pointers: Mapping[str, str]) -> Any:
    """The subschema without unknown words, its references as pointers."""
    if not isinstance(part, dict):
        return part
    new: Json = {}
    for word, value in part.items():
        if word == "$ref":
            new[word] = pointers[value]
        elif word in _NAMED and isinstance(value, dict):
            new[word] = {name: _rewritten(one, pointers) for name, one in value.items()}
        elif word in _SCHEMAS and isinstance(value, list):
            new[word] = [_rewritten(one, pointers) for one in value]
        elif word in _SCHEMAS or word in _NAMED:
            new[word] = _rewritten(value, pointers)
        elif word in _DATA:
            new[word] = value
    return new


def _check(part: Json, *, at_head: bool) -> None:
    """Raises BadSchema for a word that readers take in different ways."""
    if "$id" in part and not at_head:
        raise BadSchema("`$id` may stand only at the head")
    for word in part.keys() & _UNSERVED:
        raise BadSchema(f"`{word}` is not served: say it with `$ref`")
    for word in part.keys() & _DATA:
        for level in levels(part[word]):
            for value in level:
                if isinstance(value, dict) and (found := value.keys() & _NOT_DATA):
                    raise BadSchema(f"`{min(found)}` may not stand in `{word}`")


def _anchors(schema: Json) -> dict[str, Steps]:
    anchors: dict[str, Steps] = {}
    for steps, part in parts(schema):
        for name in _ANCHORS:
            if name in part:
                anchor = part[name]
                if not isinstance(anchor, str) or anchor in anchors or not anchor or "/" in anchor:
                    raise BadSchema(f"`{name}` has to be a name that no other part has")
                anchors[anchor] = steps
    return anchors


def _steps(reference: Any, anchors: Mapping[str, Steps]) -> Steps:
    """Resolves a reference to its path. https://datatracker.ietf.org/doc/html/rfc6901#section-6"""
    if not isinstance(reference, str) or not reference.startswith("#"):
        raise BadSchema("`$ref` may point only into the schema itself (#...)")
    try:
        fragment = unquote(reference[1:], errors="strict")
    except UnicodeDecodeError:
        raise BadSchema("`$ref` is not UTF-8") from None
    if fragment in anchors:
        return anchors[fragment]
    first, *steps = fragment.split("/")
    if first:
        raise BadSchema("`$ref` points to nothing")
    return tuple(step.replace("~1", "/").replace("~0", "~") for step in steps)


def _located(root: Json, steps: Steps) -> Any:
    """The subschema at that path. Raises BadSchema where there is none; data and unknown words have none."""
    found: Any = root
    inside = False  # a list of schemas, or some under names
    for step in steps:
        if not inside:
            known = step in _SCHEMAS or step in _NAMED
            found = found.get(step) if known and isinstance(found, dict) else None
            inside = step in _NAMED or isinstance(found, list)
        else:
            found, inside = _member(found, step), False
    if inside or not isinstance(found, dict | bool):
        raise BadSchema("`$ref` points to nothing that is a schema")
    return found


def _member(holder: Any, step: str) -> Any:
    if isinstance(holder, dict):
        return holder.get(step)
    canonical_index = step.isascii() and step.isdecimal() and (step == "0" or step[0] != "0")
    if not isinstance(holder, list) or not canonical_index or len(step) > 9:
        return None
    return holder[int(step)] if int(step) < len(holder) else None


def _pointer(steps: Steps) -> str:
    return "#" + "".join(f"/{quote(step.replace('~', '~0').replace('/', '~1'), safe='~$')}" for step in steps)

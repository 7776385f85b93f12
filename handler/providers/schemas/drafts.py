"""Translates a JSON Schema of draft 4 or newer into 2020-12; it accepts the same values.

https://json-schema.org/draft/2020-12/release-notes, https://json-schema.org/draft/2019-09/release-notes,
https://json-schema.org/draft-06/json-schema-release-notes
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from handler.providers.translator import Json

# Words that hold a schema, a list of them, or schemas under names.
ONE = frozenset(
    {
        *(
            "items",
            "additionalItems",
            "unevaluatedItems",
            "contains",
            "additionalProperties",
            "propertyNames",
        ),
        *("unevaluatedProperties", "not", "if", "then", "else", "contentSchema"),
    }
)
LISTS = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
MAPS = frozenset({"$defs", "definitions", "properties", "patternProperties", "dependentSchemas"})
ANNOTATIONS = frozenset(
    {
        *("title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly"),
        *("$comment", "$schema", "$id", "$anchor"),
    }
)

_OLD = frozenset({"$schema", "definitions", "exclusiveMinimum", "exclusiveMaximum"})
_DRAFT = re.compile(r"https?://json-schema\.org/(?:draft-0([467])|draft/(2019-09|2020-12))/schema#?")
_BESIDE_REF = ANNOTATIONS | {"$ref", "$defs", "definitions", "id"}  # what counts beside it up to draft 7
_BOUNDS = {"exclusiveMinimum": "minimum", "exclusiveMaximum": "maximum"}


def to_2020_12(schema: Json) -> Json:
    """Translates the schema into 2020-12; the same object where nothing changes.

    `$schema` names the draft; without it that is 2020-12, and older words without another meaning there are
    read as such. A schema of another draft stays as it is, `$schema` too.
    """
    if all(_OLD.isdisjoint(one) and not isinstance(one.get("items"), list) for one in objects(schema)):
        return schema
    given = schema.get("$schema")
    found = _DRAFT.fullmatch(given) if isinstance(given, str) else None
    if given is not None and found is None:
        return schema
    draft = int(found[1] or found[2][:4]) if found else 2020
    translated: Json = _Translation(schema, draft).schema(schema, head=True)
    return translated


class _Translation:
    """Translates one schema of draft 4, 6, 7, 2019 or 2020."""

    def __init__(self, root: Json, draft: int) -> None:
        self._root = root
        self._draft = draft

    def schema(self, node: Any, *, head: bool = False) -> Any:
        if not isinstance(node, dict):
            return node
        alone = self._draft <= 7 and isinstance(node.get("$ref"), str)
        new: Json = {}
        for word, value in node.items():
            if not (alone and word not in _BESIDE_REF) and not (head and word == "$schema"):
                new[_renamed(word, node)] = self._value(word, value)
        self._bounds(new)
        self._identity(new)
        if self._draft <= 7 and isinstance(dependencies := new.pop("dependencies", None), dict):
            new |= self._dependencies(dependencies)
        if "additionalItems" in new and self._draft <= 2019:
            del new["additionalItems"]  # beside one schema for all items it says nothing
        return node if _same(node, new) else new

    def _value(self, word: str, value: Any) -> Any:
        if word in ("$ref", "$dynamicRef", "$recursiveRef") and isinstance(value, str):
            return self._moved(value)
        if word in MAPS and isinstance(value, dict):
            after = {name: self.schema(one) for name, one in value.items()}
            return value if _same(value, after) else after
        if isinstance(value, list) and (word in LISTS or word == "items"):
            several = [self.schema(one) for one in value]
            return value if all(map(_is, value, several)) else several
        return self.schema(value) if word in ONE else value

    def _bounds(self, new: Json) -> None:
        """Translates draft 4's `exclusiveMinimum: true`, which makes `minimum` exclusive."""
        for exclusive, bound in _BOUNDS.items():
            if isinstance(new.get(exclusive), bool) and new.pop(exclusive) and bound in new:
                new[exclusive] = new.pop(bound)

    def _identity(self, new: Json) -> None:
        """Translates draft 4's `id`, and ids that are anchors; a schema is one resource (schema.py)."""
        if self._draft == 4 and isinstance(new.get("id"), str):
            new["$id"] = new.pop("id")
        anchor = new.get("$id")
        if self._draft <= 7 and isinstance(anchor, str) and anchor.startswith("#"):
            del new["$id"]
            new |= {"$anchor": anchor[1:]} if anchor != "#" else {}
        if self._draft == 2019 and new.get("$recursiveRef") == "#" and "$ref" not in new:
            new["$ref"] = new.pop("$recursiveRef")
        if self._draft == 2019:
            new.pop("$recursiveAnchor", None)

    def _dependencies(self, given: Json) -> Json:
        schemas = {name: self.schema(one) for name, one in given.items() if not isinstance(one, list)}
        required = {name: one for name, one in given.items() if isinstance(one, list)}
        parts = {"dependentSchemas": schemas, "dependentRequired": required}
        return {word: part for word, part in parts.items() if part}

    def _moved(self, reference: str) -> str:
        """Translates a reference: its target may have moved."""
        if not reference.startswith("#/"):
            return reference
        at, in_schema, steps = self._root, True, []
        for step in reference[2:].split("/"):
            name = unescape_step(step)
            steps.append(_renamed(name, at) if in_schema and isinstance(at, dict) else step)
            found = follow_step(at, name)
            in_schema = not in_schema or (name in ONE and not isinstance(found, list))
            at = found
        moved = "#/" + "/".join(steps)
        return reference if moved == reference else moved


def objects(value: Any) -> Iterator[Json]:
    """Yields every object in a JSON value, also those that are no schemas."""
    left = [value]
    while left:
        part = left.pop()
        if isinstance(part, dict):
            yield part
            left += part.values()
        elif isinstance(part, list):
            left += part


def unescape_step(step: str) -> str:
    """The name that a step of a pointer means: https://datatracker.ietf.org/doc/html/rfc6901#section-6"""
    return unquote(step).replace("~1", "/").replace("~0", "~")


def follow_step(value: Any, name: str) -> Any:
    """The member of that name, or the item of that number; None where there is none."""
    if isinstance(value, list):
        place = int(name) if name.isascii() and name.isdigit() and len(name) < 9 else len(value)
        return value[place] if place < len(value) else None
    return value.get(name) if isinstance(value, dict) else None


def _renamed(word: str, node: Mapping[str, Any]) -> str:
    """A word of a schema as 2020-12 calls it."""
    listed = isinstance(node.get("items"), list) and "prefixItems" not in node
    if word == "definitions" and "$defs" not in node:
        return "$defs"
    return {"items": "prefixItems", "additionalItems": "items"}.get(word, word) if listed else word


def _same(before: Json, after: Json) -> bool:
    return len(before) == len(after) and all(after.get(name) is one for name, one in before.items())


def _is(one: Any, other: Any) -> bool:
    return one is other

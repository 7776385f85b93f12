"""Translates a JSON Schema of draft 4 or newer into draft 2020-12. It accepts the same values.

https://json-schema.org/draft/2020-12/release-notes, https://json-schema.org/draft/2019-09/release-notes,
https://json-schema.org/draft-06/json-schema-release-notes
"""

from __future__ import annotations

import operator
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from handler.errors import Json

# Keywords whose value is one schema, a list of schemas, or schemas under names.
_SCHEMA_KEYWORDS = frozenset(
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
_LIST_KEYWORDS = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_MAP_KEYWORDS = frozenset({"$defs", "definitions", "properties", "patternProperties", "dependentSchemas"})
ANNOTATIONS = frozenset(
    {
        *("title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly"),
        *("$comment", "$schema", "$id", "$anchor"),
    }
)

_CHANGED_KEYWORDS = frozenset({"$schema", "definitions", "exclusiveMinimum", "exclusiveMaximum"})
_DRAFT = re.compile(r"https?://json-schema\.org/(?:draft-0([467])|draft/(2019-09|2020-12))/schema#?")
# Up to draft 7, other keywords next to a `$ref` are ignored.
_BESIDE_REF = ANNOTATIONS | {"$ref", "$defs", "definitions", "id"}
_BOUNDS = {"exclusiveMinimum": "minimum", "exclusiveMaximum": "maximum"}


def to_2020_12(schema: Json) -> Json:
    """Translate a schema into draft 2020-12. Return the same object if nothing changes.

    `$schema` names the draft. Without it the draft is 2020-12, in which older keywords that have no other
    meaning there are translated too. A schema of any other draft is returned as it is.
    """
    if all(
        _CHANGED_KEYWORDS.isdisjoint(one) and not isinstance(one.get("items"), list)
        for one in objects(schema)
    ):
        return schema
    given = schema.get("$schema")
    found = _DRAFT.fullmatch(given) if isinstance(given, str) else None
    if given is not None and found is None:
        return schema
    draft = int(found[1] or found[2][:4]) if found else 2020
    translated: Json = _Translator(schema, draft).translate(schema, head=True)
    return translated


class _Translator:
    """Translates one schema of draft 4, 6, 7, 2019 or 2020."""

    def __init__(self, root: Json, draft: int) -> None:
        self._root = root
        self._draft = draft

    def translate(self, node: Any, *, head: bool = False) -> Any:
        if not isinstance(node, dict):
            return node
        ref_only = self._draft <= 7 and isinstance(node.get("$ref"), str)
        new: Json = {}
        for keyword, value in node.items():
            if not (ref_only and keyword not in _BESIDE_REF) and not (head and keyword == "$schema"):
                new[_new_name(keyword, node)] = self._translate_value(keyword, value)
        self._translate_bounds(new)
        self._translate_identity(new)
        if self._draft <= 7 and isinstance(dependencies := new.pop("dependencies", None), dict):
            new |= self._translate_dependencies(dependencies)
        if "additionalItems" in new and self._draft <= 2019:
            del new["additionalItems"]  # `items` is one schema for all items
        return node if _is_same(node, new) else new

    def _translate_value(self, keyword: str, value: Any) -> Any:
        if keyword in ("$ref", "$dynamicRef", "$recursiveRef") and isinstance(value, str):
            return self._translate_reference(value)
        if keyword in _MAP_KEYWORDS and isinstance(value, dict):
            after = {name: self.translate(one) for name, one in value.items()}
            return value if _is_same(value, after) else after
        if isinstance(value, list) and (keyword in _LIST_KEYWORDS or keyword == "items"):
            several = [self.translate(one) for one in value]
            return value if all(map(operator.is_, value, several)) else several
        return self.translate(value) if keyword in _SCHEMA_KEYWORDS else value

    def _translate_bounds(self, new: Json) -> None:
        """Translate draft 4's `exclusiveMinimum: true`, which makes `minimum` exclusive."""
        for exclusive, bound in _BOUNDS.items():
            if isinstance(new.get(exclusive), bool) and new.pop(exclusive) and bound in new:
                new[exclusive] = new.pop(bound)

    def _translate_identity(self, new: Json) -> None:
        """Translate draft 4's `id`, ids that are anchors, and 2019-09's reference to the root."""
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

    def _translate_dependencies(self, given: Json) -> Json:
        schemas = {name: self.translate(one) for name, one in given.items() if not isinstance(one, list)}
        required = {name: one for name, one in given.items() if isinstance(one, list)}
        parts = {"dependentSchemas": schemas, "dependentRequired": required}
        return {keyword: part for keyword, part in parts.items() if part}

    def _translate_reference(self, reference: str) -> str:
        """Translate a reference, whose target may have a new path."""
        if not reference.startswith("#/"):
            return reference
        at, in_schema, steps = self._root, True, []
        for step in reference[2:].split("/"):
            name = unescape_step(step)
            steps.append(_new_name(name, at) if in_schema and isinstance(at, dict) else step)
            found = follow_step(at, name)
            in_schema = not in_schema or (name in _SCHEMA_KEYWORDS and not isinstance(found, list))
            at = found
        moved = "#/" + "/".join(steps)
        return reference if moved == reference else moved


def objects(value: Any) -> Iterator[Json]:
    """Yield every object in a JSON value, whether or not it is a schema."""
    left = [value]
    while left:
        part = left.pop()
        if isinstance(part, dict):
            yield part
            left += part.values()
        elif isinstance(part, list):
            left += part


def unescape_step(step: str) -> str:
    """Decode one step of a JSON pointer. https://datatracker.ietf.org/doc/html/rfc6901#section-6"""
    return unquote(step).replace("~1", "/").replace("~0", "~")


def follow_step(value: Any, name: str) -> Any:
    """The member or list item that a step of a JSON pointer leads to; None if it does not exist."""
    if isinstance(value, list):
        place = int(name) if name.isascii() and name.isdigit() and len(name) < 9 else len(value)
        return value[place] if place < len(value) else None
    return value.get(name) if isinstance(value, dict) else None


def _new_name(keyword: str, node: Mapping[str, Any]) -> str:
    """The name of a keyword in 2020-12. `node`: the schema that has it."""
    listed = isinstance(node.get("items"), list) and "prefixItems" not in node
    if keyword == "definitions" and "$defs" not in node:
        return "$defs"
    return {"items": "prefixItems", "additionalItems": "items"}.get(keyword, keyword) if listed else keyword


def _is_same(before: Json, after: Json) -> bool:
    return len(before) == len(after) and all(after.get(name) is one for name, one in before.items())

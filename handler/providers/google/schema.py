"""Translates a JSON Schema into the keywords that Gemini supports.

The result accepts every value that the client's schema accepts, and more if Gemini lacks a keyword. Answers
are validated against the client's own schema. A property may be called `default` or `$ref`.
https://ai.google.dev/api/generate-content#GenerationConfig, `responseJsonSchema`
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, NamedTuple, TypeGuard

from handler.errors import Json
from handler.providers.schemas.drafts import ANNOTATIONS, objects, to_2020_12
from handler.providers.schemas.merging import (
    CannotTranslate,
    Merger,
    items_of,
    members_of,
    patterns_of,
    required_of,
    types_of,
    values_of,
    weight,
)

MAX_ITEMS_TOTAL = 960  # the sum of all `maxItems`: https://github.com/googleapis/python-genai/issues/2170

_COPIED_KEYWORDS = frozenset(
    {
        *("$id", "$anchor", "title", "description", "format", "propertyOrdering"),
        *("minItems", "maxItems", "minimum", "maximum"),
    }
)
_MAX_DEPTH = 60


def gemini_schema(schema: Any) -> Json:
    """The schema in Gemini's keywords. A value that is not a schema becomes the schema of any object."""
    if not isinstance(schema, dict):
        return {"type": "object"}
    schema = to_2020_12(schema)
    inlines = any("$ref" in one or "allOf" in one for one in objects(schema))
    new = _Translator(Merger(schema) if inlines else None).translate(schema, 0)
    if not isinstance(new, dict):
        return {}
    if inlines:
        _loosen_cycles(new)
    return new


def limit_max_items(schemas: Collection[Json]) -> None:
    """Remove every `maxItems` if their sum exceeds what Gemini accepts in one request."""
    bounded = [one for schema in schemas for one in objects(schema) if isinstance(one.get("maxItems"), int)]
    if sum(one["maxItems"] for one in bounded) > MAX_ITEMS_TOTAL:
        for one in bounded:
            del one["maxItems"]


class _Translator:
    """Translates one schema. `merger`: None if the schema has neither `$ref` nor `allOf`."""

    def __init__(self, merger: Merger | None) -> None:
        self._merger = merger

    def translate(self, schema: Any, depth: int) -> Any:
        """Return the translation; `True` and `False` stay as they are."""
        if not isinstance(schema, dict):
            return schema
        node = self._inline(schema, depth)
        if not isinstance(node, dict):
            return node
        new: Json = {}
        if isinstance(node.get("$ref"), str):  # Gemini allows only keywords that begin with $ next to it
            new["$ref"] = node["$ref"]
        else:
            for keyword, value in node.items():
                if keyword in _COPIED_KEYWORDS:
                    new[keyword] = value
            new |= _type_and_enum(node)
            for keywords, translate in _TRANSLATED:
                if not keywords.isdisjoint(node):
                    new |= translate(self, node, depth)
        if "$defs" in schema:
            new["$defs"] = self._translate_members(members_of(schema, "$defs"), depth)
        return {keyword: value for keyword, value in new.items() if value != [] and value is not None}

    def _inline(self, schema: Json, depth: int) -> Any:
        """Inline `$ref` and `allOf`. If that fails, keep the reference, or the schema without `allOf`."""
        if self._merger is None:
            return schema
        schema = _bare_reference(schema)
        try:
            if depth > _MAX_DEPTH:
                raise CannotTranslate
            node = self._merger.inline(schema)
            self._merger.spend_size(weight(node if isinstance(node, dict) else schema))
        except CannotTranslate:
            if isinstance(schema.get("$ref"), str):
                return {"$ref": schema["$ref"]}
            return {keyword: value for keyword, value in schema.items() if keyword != "allOf"}
        return node

    def _translate_members(self, schemas: Json, depth: int) -> Json:
        """Translate schemas under names, without those that accept nothing."""
        found = {name: self.translate(one, depth + 1) for name, one in schemas.items()}
        return {name: one for name, one in found.items() if one is not False}

    def _translate_list(self, schemas: list[Any], depth: int) -> list[Any]:
        return [one for each in schemas if (one := self.translate(each, depth + 1)) is not False]

    def _translate_alternatives(self, node: Json, depth: int) -> Json:
        alternatives = items_of(node, "anyOf") or items_of(node, "oneOf")
        return {"anyOf": self._translate_list(alternatives, depth)} if alternatives else {}

    def _translate_object(self, node: Json, depth: int) -> Json:
        """Translate the keywords of objects. Drop `patternProperties`, and then `additionalProperties`."""
        new: Json = {}
        if "properties" in node:
            new["properties"] = self._translate_members(members_of(node), depth)
        if "additionalProperties" in node and not patterns_of(node):
            new["additionalProperties"] = self.translate(node["additionalProperties"], depth + 1)
        if "required" in node:
            properties = new.get("properties", {})
            new["required"] = [name for name in required_of(node) if name in properties]
        return new

    def _translate_array(self, node: Json, depth: int) -> Json:
        new: Json = {"prefixItems": self._translate_list(items_of(node, "prefixItems"), depth)}
        rest = self.translate(node.get("items"), depth + 1)
        if rest is not False:
            return {**new, "items": rest}
        most = node.get("maxItems")
        count = len(new["prefixItems"])
        return {**new, "maxItems": min(most, count) if isinstance(most, int) else count}


# Keywords, and the method that translates them.
_TRANSLATED: Sequence[tuple[frozenset[str], Callable[[_Translator, Json, int], Json]]] = (
    (frozenset({"anyOf", "oneOf"}), _Translator._translate_alternatives),
    (frozenset({"exclusiveMinimum", "exclusiveMaximum"}), lambda _, node, depth: _bounds(node)),
    (frozenset({"properties", "additionalProperties", "required"}), _Translator._translate_object),
    (frozenset({"items", "prefixItems"}), _Translator._translate_array),
)


def _bare_reference(schema: Json) -> Json:
    """Remove the annotations next to a `$ref`, so that it need not be inlined."""
    if schema.keys() - ANNOTATIONS == {"allOf"} and len(parts := items_of(schema, "allOf")) == 1:
        definitions = {"$defs": schema["$defs"]} if "$defs" in schema else {}
        schema = {**parts[0], **definitions} if isinstance(parts[0], dict) and "$ref" in parts[0] else schema
    if "$ref" in schema and not schema.keys() - ANNOTATIONS - {"$ref", "$defs"}:
        return {keyword: schema[keyword] for keyword in ("$ref", "$defs") if keyword in schema}
    return schema


def _type_and_enum(node: Json) -> Json:
    """Translate `type` and `enum`. Gemini's enum has texts and numbers; other values become their type."""
    types, values = types_of(node), values_of(node)
    if types and node.get("nullable") is True:
        types = list(dict.fromkeys([*types, "null"]))
    if values is None:
        return _type(types)
    plain = [one for one in values if isinstance(one, str | int | float) and not isinstance(one, bool)]
    other_types = dict.fromkeys(kind for one in values if (kind := _TYPES.get(type(one))))
    allowed = [kind for kind in other_types if not types or kind in types]
    if not plain or (allowed and ("anyOf" in node or "oneOf" in node)):
        return _type(types if plain else allowed or types)
    listed = {"enum": plain, **_type([kind for kind in types if kind not in other_types])}
    return {"anyOf": [listed, *map(_type, ([kind] for kind in allowed))]} if allowed else listed


def _type(types: list[str]) -> Json:
    return {"type": types[0] if len(types) == 1 else types} if types else {}


def _bounds(node: Json) -> Json:
    """Translate exclusive bounds into inclusive ones: for integers the next one, else the same number."""
    types = types_of(node)
    whole = "integer" in types and "number" not in types
    bounds: Json = {}
    for keyword, bound, choose, up in (
        ("exclusiveMinimum", "minimum", max, 1),
        ("exclusiveMaximum", "maximum", min, -1),
    ):
        value, inclusive = node.get(keyword), node.get(bound)
        if _is_number(value):
            nearest = (math.floor(value) if up > 0 else math.ceil(value)) + up if whole else value
            bounds[bound] = choose(nearest, inclusive) if _is_number(inclusive) else nearest
    return bounds


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


class RequiredReference(NamedTuple):
    """A reference that a value needs, and the innermost required property that contains it."""

    reference: str
    holder: Json | None  # the object that requires the property
    name: str


def _loosen_cycles(root: Json) -> None:
    """Make required properties optional if they are part of a cycle of references, which Gemini refuses.

    https://ai.google.dev/api/generate-content#GenerationConfig, `responseJsonSchema`
    """
    merger, edges, open_ = Merger(root), dict[str, Iterator[RequiredReference]](), set[str]()
    loose: dict[int, tuple[Json, set[str]]] = {}
    for start in ("#", *(f"#/$defs/{name}" for name in members_of(root, "$defs"))):
        path = [start]
        while path:
            here = path[-1]
            if here not in edges:
                edges[here] = _required_references(merger, here)
                open_.add(here)
            edge = next(edges[here], None)
            if edge is None:
                open_.discard(path.pop())
            elif edge.reference not in edges:
                path.append(edge.reference)
            elif edge.reference in open_ and edge.holder is not None:
                loose.setdefault(id(edge.holder), (edge.holder, set()))[1].add(edge.name)
    for holder, names in loose.values():
        holder["required"] = [name for name in holder["required"] if name not in names]
        if not holder["required"]:
            del holder["required"]


def _required_references(merger: Merger, reference: str) -> Iterator[RequiredReference]:
    """Yield the references that a value needs; each one of several alternatives counts as needed."""
    try:
        left: list[tuple[Any, Json | None, str]] = [(merger.target(reference), None, "")]
    except CannotTranslate:
        return
    while left:
        node, holder, name = left.pop()
        if not isinstance(node, dict):
            continue
        if isinstance(found := node.get("$ref"), str):
            yield RequiredReference(found, holder, name)
        properties, least = members_of(node), node.get("minItems")
        left += [(properties[one], node, one) for one in required_of(node) if one in properties]
        left += [(one, holder, name) for one in items_of(node, "anyOf")]
        if isinstance(least, int) and least > 0:
            items = (*items_of(node, "prefixItems")[:least], node.get("items"))
            left += [(one, holder, name) for one in items]


_TYPES = {bool: "boolean", type(None): "null", dict: "object", list: "array"}

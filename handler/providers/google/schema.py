"""Translates a JSON Schema into the words that Gemini knows.

The result accepts all that the client's schema accepts, and more where Gemini lacks a word; answers are
checked against the client's own. Only schemas are walked, so a property called `default` or `$ref` stays.
The words: `responseJsonSchema` in https://ai.google.dev/api/generate-content#GenerationConfig
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, NamedTuple, TypeGuard

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
from handler.providers.translator import Json

MOST_ITEMS = 960  # the sum of all `maxItems`: https://github.com/googleapis/python-genai/issues/2170

_PLAIN = frozenset(
    {
        *("$id", "$anchor", "title", "description", "format", "propertyOrdering"),
        *("minItems", "maxItems", "minimum", "maximum"),
    }
)
_DEEPEST = 60


def gemini_schema(schema: Any) -> Json:
    """The schema without what Gemini refuses. One that says nothing readable is an object."""
    if not isinstance(schema, dict):
        return {"type": "object"}
    schema = to_2020_12(schema)
    laid_out = any("$ref" in one or "allOf" in one for one in objects(schema))
    found = _Cleaner(Merger(schema) if laid_out else None).schema(schema, 0)
    new = found if isinstance(found, dict) else {}
    if laid_out:
        _loosen_cycles(new)
    return new


def limit_items(schemas: Collection[Json]) -> None:
    """Removes `maxItems` where their sum is more than Gemini takes in one request."""
    bounded = [one for schema in schemas for one in objects(schema) if isinstance(one.get("maxItems"), int)]
    if sum(one["maxItems"] for one in bounded) > MOST_ITEMS:
        for one in bounded:
            del one["maxItems"]


class _Cleaner:
    """Cleans one schema. `merger`: where it has references or parts, which most tools have not."""

    def __init__(self, merger: Merger | None) -> None:
        self._merger = merger

    def schema(self, schema: Any, depth: int) -> Any:
        """One schema; `true` and `false` stay what they are."""
        if not isinstance(schema, dict):
            return schema
        node = self._flat(schema, depth)
        if not isinstance(node, dict):
            return node
        new: Json = {}
        if isinstance(node.get("$ref"), str):  # nothing but what begins with $ may stand beside it
            new["$ref"] = node["$ref"]
        else:
            for word, value in node.items():
                if word in _PLAIN:
                    new[word] = value
            new |= _typed(node)
            for words, translate in _TRANSLATED:
                if not words.isdisjoint(node):
                    new |= translate(self, node, depth)
        if "$defs" in schema:
            new["$defs"] = self._named(members_of(schema, "$defs"), depth)
        return {word: value for word, value in new.items() if value != [] and value is not None}

    def _flat(self, schema: Json, depth: int) -> Any:
        """Inlines `$ref` and `allOf`; where that fails, keeps the reference or the words beside `allOf`."""
        if self._merger is None:
            return schema
        schema = _lone(schema)
        try:
            if depth > _DEEPEST:
                raise CannotTranslate
            node = self._merger.inline(schema)
            self._merger.spend_size(weight(node if isinstance(node, dict) else schema))
        except CannotTranslate:
            reference = {"$ref": schema["$ref"]} if isinstance(schema.get("$ref"), str) else None
            return reference or {word: value for word, value in schema.items() if word != "allOf"}
        return node

    def _named(self, schemas: Json, depth: int) -> Json:
        found = {name: self.schema(one, depth + 1) for name, one in schemas.items()}
        return {name: one for name, one in found.items() if one is not False}

    def _each(self, schemas: list[Any], depth: int) -> list[Any]:
        return [one for each in schemas if (one := self.schema(each, depth + 1)) is not False]

    def _union(self, node: Json, depth: int) -> Json:
        alternatives = items_of(node, "anyOf") or items_of(node, "oneOf")
        return {"anyOf": self._each(alternatives, depth)} if alternatives else {}

    def _object(self, node: Json, depth: int) -> Json:
        """Translates `properties`. Drops `patternProperties`, and with it the rule for all other names."""
        new: Json = {}
        if "properties" in node:
            new["properties"] = self._named(members_of(node), depth)
        if "additionalProperties" in node and not patterns_of(node):
            new["additionalProperties"] = self.schema(node["additionalProperties"], depth + 1)
        if "required" in node:
            properties = new.get("properties", {})
            new["required"] = [name for name in required_of(node) if name in properties]
        return new

    def _array(self, node: Json, depth: int) -> Json:
        new: Json = {"prefixItems": self._each(items_of(node, "prefixItems"), depth)}
        rest = self.schema(node.get("items"), depth + 1)
        if rest is not False:
            return {**new, "items": rest}
        most = node.get("maxItems")
        count = len(new["prefixItems"])
        return {**new, "maxItems": min(most, count) if isinstance(most, int) else count}


# Words that stand for others, and what is made of them.
_TRANSLATED: Sequence[tuple[frozenset[str], Callable[[_Cleaner, Json, int], Json]]] = (
    (frozenset({"anyOf", "oneOf"}), _Cleaner._union),
    (frozenset({"exclusiveMinimum", "exclusiveMaximum"}), lambda _, node, depth: _bounds(node)),
    (frozenset({"properties", "additionalProperties", "required"}), _Cleaner._object),
    (frozenset({"items", "prefixItems"}), _Cleaner._array),
)


def _lone(schema: Json) -> Json:
    """A reference without its annotations, so that it need not be inlined."""
    if schema.keys() - ANNOTATIONS == {"allOf"} and len(parts := items_of(schema, "allOf")) == 1:
        beside = {"$defs": schema["$defs"]} if "$defs" in schema else {}
        schema = {**parts[0], **beside} if isinstance(parts[0], dict) and "$ref" in parts[0] else schema
    if "$ref" in schema and not schema.keys() - ANNOTATIONS - {"$ref", "$defs"}:
        return {word: schema[word] for word in ("$ref", "$defs") if word in schema}
    return schema


def _typed(node: Json) -> Json:
    """Translates `type` and `enum`. Gemini's enum holds texts and numbers; other values leave their type."""
    kinds, values = types_of(node), values_of(node)
    if kinds and node.get("nullable") is True:
        kinds = list(dict.fromkeys([*kinds, "null"]))
    if values is None:
        return _type(kinds)
    plain = [one for one in values if isinstance(one, str | int | float) and not isinstance(one, bool)]
    others = dict.fromkeys(kind for one in values if (kind := _KINDS.get(type(one))))
    said = [kind for kind in others if not kinds or kind in kinds]
    if not plain or (said and ("anyOf" in node or "oneOf" in node)):
        return _type(kinds if plain else said or kinds)
    listed = {"enum": plain, **_type([kind for kind in kinds if kind not in others])}
    return {"anyOf": [listed, *map(_type, ([kind] for kind in said))]} if said else listed


def _type(kinds: list[str]) -> Json:
    return {"type": kinds[0] if len(kinds) == 1 else kinds} if kinds else {}


def _bounds(node: Json) -> Json:
    """Translates exclusive bounds to inclusive ones, the next whole number for integers."""
    kinds = types_of(node)
    whole = "integer" in kinds and "number" not in kinds
    said: Json = {}
    for word, bound, choose, up in (
        ("exclusiveMinimum", "minimum", max, 1),
        ("exclusiveMaximum", "maximum", min, -1),
    ):
        value, beside = node.get(word), node.get(bound)
        if _is_number(value):
            nearest = (math.floor(value) if up > 0 else math.ceil(value)) + up if whole else value
            said[bound] = choose(nearest, beside) if _is_number(beside) else nearest
    return said


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


class Edge(NamedTuple):
    """A reference that every value needs, and the innermost required property that holds it."""

    reference: str
    holder: Json | None  # the object that requires the property
    name: str


def _loosen_cycles(root: Json) -> None:
    """Makes a required property optional where it would make the schema contain itself for ever.

    https://ai.google.dev/api/generate-content#GenerationConfig, `responseJsonSchema`
    """
    merger, edges, open_ = Merger(root), dict[str, Iterator[Edge]](), set[str]()
    loose: dict[int, tuple[Json, set[str]]] = {}
    for start in ("#", *(f"#/$defs/{name}" for name in members_of(root, "$defs"))):
        path = [start]
        while path:
            here = path[-1]
            if here not in edges:
                edges[here] = _needed(merger, here)
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


def _needed(merger: Merger, reference: str) -> Iterator[Edge]:
    """Lists the references in a schema that every value needs; a second alternative is not considered."""
    try:
        left: list[tuple[Any, Json | None, str]] = [(merger.target(reference), None, "")]
    except CannotTranslate:
        return
    while left:
        node, holder, name = left.pop()
        if not isinstance(node, dict):
            continue
        if isinstance(found := node.get("$ref"), str):
            yield Edge(found, holder, name)
        properties, least = members_of(node), node.get("minItems")
        left += [(properties[one], node, one) for one in required_of(node) if one in properties]
        left += [(one, holder, name) for one in items_of(node, "anyOf")]
        if isinstance(least, int) and least > 0:
            items = (*items_of(node, "prefixItems")[:least], node.get("items"))
            left += [(one, holder, name) for one in items]


_KINDS = {bool: "boolean", type(None): "null", dict: "object", list: "array"}

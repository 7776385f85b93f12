"""Merges `allOf` and the keywords next to a `$ref` into one JSON Schema, for providers that take neither.

Schemas are of draft 2020-12 (see drafts.py); `True` and `False` are schemas too. A merged schema accepts
what all of its parts accept, and more only if two values of a keyword cannot be combined.
https://json-schema.org/draft/2020-12/json-schema-core#name-keywords-for-applying-subschemas
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from itertools import product
from typing import Any

from handler.errors import Json
from handler.providers.schemas.drafts import follow_step, objects, unescape_step

MAX_DEPTH = 80  # schemas that are being inlined, one inside the other
# The work and the size of the result are limited: to a constant, and a multiple of the schema's own weight.
BASE_LIMIT = 200
WORK_FACTOR, SIZE_FACTOR = 8, 3
UNIT_CHARACTERS = 8  # characters that weigh as much as one keyword


class CannotTranslate(Exception):
    """A schema has no translation: it contains itself, has a broken reference, or would become too large."""


class Merger:
    """Inlines the parts of one schema, with work at most proportional to its size."""

    def __init__(self, root: Json) -> None:
        self.root = root
        size = sum(map(weight, objects(root)))
        self._work, self._size = BASE_LIMIT + WORK_FACTOR * size, BASE_LIMIT + SIZE_FACTOR * size
        self._open: list[str | None] = []  # the references that are being inlined; None for other schemas

    def inline(self, schema: Any) -> Any:
        """Merge `allOf` and `$ref` into the schema; a lone `$ref` stays. Raises CannotTranslate."""
        if not isinstance(schema, dict):
            return schema is not False
        rest = {keyword: value for keyword, value in schema.items() if keyword not in ("$ref", "allOf")}
        parts = [one for one in items_of(schema, "allOf") if isinstance(one, dict | bool)]
        if isinstance(reference := schema.get("$ref"), str):
            if not parts and not rest.keys() - {"$defs"}:
                return schema
            parts.insert(0, {"$ref": reference})
        if not parts:
            return rest
        # In pairs, because merging one part after another would copy the growing result each time.
        parts = [*(_without_unevaluated(self.resolve(part)) for part in parts), rest]
        while len(parts) > 1:
            pairs = zip(parts[::2], parts[1::2], strict=False)
            parts = [*(self.intersect(*pair) for pair in pairs), *parts[len(parts) // 2 * 2 :]]
        return parts[0]

    def resolve(self, schema: Any) -> Any:
        """Inline the schema, and replace a `$ref` by its target. Raises CannotTranslate."""
        schema = self.inline(schema)
        reference = schema.get("$ref") if isinstance(schema, dict) else None
        if reference is None:
            return schema
        if reference in self._open:
            raise CannotTranslate
        self.spend_work(1 + len(reference) // UNIT_CHARACTERS)
        with self._deeper(reference):
            return self.resolve(self.target(reference))

    def target(self, reference: str) -> Any:
        """The schema that a reference points to. Raises CannotTranslate if it does not exist."""
        found: Any = self.root
        if reference.startswith("#/"):
            for step in reference.split("/")[1:]:
                found = follow_step(found, unescape_step(step))
        elif reference != "#":
            found = self._anchors.get(reference[1:])
        if not isinstance(found, dict | bool):
            raise CannotTranslate
        return found

    def intersect(self, one: Any, other: Any) -> Any:
        """Merge two schemas into one that accepts what both accept. Raises CannotTranslate."""
        if one is False or other is False:
            return False
        if one is True or other is True:
            return one if other is True else other
        if not isinstance(one, dict) or not one:
            return other
        self.spend_work(weight(one))
        if not isinstance(other, dict) or not other or one == other:
            return one
        self.spend_work(weight(other))
        with self._deeper():
            if {"$ref", "allOf"}.isdisjoint(one.keys() | other.keys()):
                return self._merge(one, other)
            return self.intersect(self.resolve(one), self.resolve(other))

    def spend_work(self, units: int) -> None:
        """Count work. Raises CannotTranslate at the limit."""
        self._work -= units
        if self._work < 0:
            raise CannotTranslate

    def spend_size(self, units: int) -> None:
        """Count the size of the result. Raises CannotTranslate at the limit."""
        self._size -= units
        if self._size < 0:
            raise CannotTranslate

    @contextmanager
    def _deeper(self, reference: str | None = None) -> Iterator[None]:
        if len(self._open) == MAX_DEPTH:
            raise CannotTranslate
        self._open.append(reference)
        try:
            yield
        finally:
            self._open.pop()

    @cached_property
    def _anchors(self) -> Json:
        return {one["$anchor"]: one for one in objects(self.root) if isinstance(one.get("$anchor"), str)}

    def _merge(self, one: Json, other: Json) -> Any:
        """Merge keyword by keyword. If values cannot be combined, take that of `other`, which is looser."""
        new: Json = {**one, **other}
        for group in _DEPENDENT_KEYWORDS:
            given = other if group[0] in other else one
            new = {keyword: value for keyword, value in new.items() if keyword not in group}
            new |= {keyword: given[keyword] for keyword in group if keyword in given}
        for keyword in one.keys() & other.keys() & _COMBINED.keys():
            new[keyword] = _COMBINED[keyword](one[keyword], other[keyword])
        values = _common_values(one, other)
        if values is not None:
            new.pop("const", None)
            new["enum"] = values
        if new.get("type") == [] or values == []:
            return False
        new |= self._merge_properties(one, other) | self._merge_items(one, other)
        for keyword in one.keys() & other.keys() & {"anyOf", "oneOf"}:
            new[keyword] = self._merge_alternatives(items_of(one, keyword), items_of(other, keyword))
        return False if [] in (new.get("anyOf"), new.get("oneOf")) else new

    def _merge_properties(self, one: Json, other: Json) -> Json:
        """Merge the keywords of objects. Patterns are not applied to properties that are listed."""
        if _OBJECT_KEYWORDS.isdisjoint(one) or _OBJECT_KEYWORDS.isdisjoint(other):
            return {}
        named, other_named = members_of(one), members_of(other)
        rest, other_rest = _rest_of(one), _rest_of(other)
        new: Json = {
            "properties": {
                name: self.intersect(named.get(name, rest), other_named.get(name, other_rest))
                for name in {**named, **other_named}
            }
        }
        patterns = {**patterns_of(one), **patterns_of(other)}
        if patterns:
            return {**new, "patternProperties": patterns, "additionalProperties": True}
        if "additionalProperties" in one or "additionalProperties" in other:
            new["additionalProperties"] = self.intersect(rest, other_rest)
        return new

    def _merge_items(self, one: Json, other: Json) -> Json:
        if _ARRAY_KEYWORDS.isdisjoint(one) or _ARRAY_KEYWORDS.isdisjoint(other):
            return {}
        first, second = items_of(one, "prefixItems"), items_of(other, "prefixItems")
        rest, other_rest = one.get("items", True), other.get("items", True)
        count = max(len(first), len(second))
        pairs = zip(
            first + [rest] * (count - len(first)), second + [other_rest] * (count - len(second)), strict=True
        )
        prefix = {"prefixItems": [self.intersect(*pair) for pair in pairs]} if count else {}
        return {**prefix, "items": self.intersect(rest, other_rest)}

    def _merge_alternatives(self, first: list[Any], second: list[Any]) -> list[Any]:
        self.spend_work(len(first) * len(second))
        return [one for pair in product(first, second) if (one := self.intersect(*pair)) is not False]


def weight(schema: Json) -> int:
    """The size of one schema without its subschemas: its keywords, names, values and texts."""
    units = 1 + len(schema)
    for value in schema.values():
        if isinstance(value, list):
            units += len(value) + sum(len(one) for one in value if isinstance(one, str)) // UNIT_CHARACTERS
        elif isinstance(value, dict | str):
            units += len(value) // (UNIT_CHARACTERS if isinstance(value, str) else 1)
    return units


def items_of(schema: Json, keyword: str) -> list[Any]:
    """The list under a keyword; empty if it is not a list."""
    value = schema.get(keyword)
    return value if isinstance(value, list) else []


def members_of(schema: Json, keyword: str = "properties") -> Json:
    """The schemas under the names of a keyword; empty for a list, as which PHP writes an empty object."""
    value = schema.get(keyword)
    return value if isinstance(value, dict) else {}


def patterns_of(schema: Json) -> Json:
    return members_of(schema, "patternProperties")


def required_of(schema: Json) -> list[str]:
    return [name for name in items_of(schema, "required") if isinstance(name, str)]


def types_of(schema: Json) -> list[str]:
    """The types of a schema; empty without `type`."""
    types = schema.get("type")
    return [kind for kind in (types if isinstance(types, list) else [types]) if isinstance(kind, str)]


def values_of(schema: Json) -> list[Any] | None:
    """The values of `const` or `enum`; None without either."""
    if "const" in schema:
        return [schema["const"]]
    return schema["enum"] if isinstance(schema.get("enum"), list) else None


def _common_values(one: Json, other: Json) -> list[Any] | None:
    """The values in both `enum`s; None unless both schemas have one."""
    values, others = values_of(one), values_of(other)
    if values is None or others is None:
        return None
    keys = {_canonical(value) for value in others}
    return [value for value in values if _canonical(value) in keys]


def _canonical(value: Any) -> str:
    """A text that is equal for values that JSON Schema considers equal, such as 1 and 1.0."""
    return json.dumps(json.loads(json.dumps(value), parse_float=_whole_number), sort_keys=True)


def _whole_number(text: str) -> float:
    return int(number) if (number := float(text)).is_integer() else number


def _rest_of(schema: Json) -> Any:
    """The schema for properties that are not listed; `True` if patterns may apply to them."""
    return True if patterns_of(schema) else schema.get("additionalProperties", True)


def _without_unevaluated(part: Any) -> Any:
    """Remove `unevaluated...` from a part of `allOf`. After merging it would see the other parts, too."""
    if not isinstance(part, dict) or _UNEVALUATED.isdisjoint(part):
        return part
    return {keyword: value for keyword, value in part.items() if keyword not in _UNEVALUATED}


def _common_types(one: Any, other: Any) -> Any:
    """The types in both. Every integer is a number."""
    first, second = types_of({"type": one}), types_of({"type": other})
    if "number" in second:
        second = [*second, "integer"]
    if "number" in first and "integer" in second and "number" not in second:
        first = ["integer" if kind == "number" else kind for kind in first]
    found = list(dict.fromkeys(kind for kind in first if kind in second))
    return found[0] if len(found) == 1 else found


def _stricter(choose: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def combine(one: Any, other: Any) -> Any:
        numbers = all(isinstance(value, int | float) for value in (one, other))
        return choose(one, other) if numbers else other

    return combine


_UNEVALUATED = frozenset({"unevaluatedProperties", "unevaluatedItems"})
_OBJECT_KEYWORDS = frozenset({"properties", "patternProperties", "additionalProperties"})
_ARRAY_KEYWORDS = frozenset({"prefixItems", "items"})
_DEPENDENT_KEYWORDS = (
    ("if", "then", "else"),
    ("contains", "minContains", "maxContains"),
)  # taken from one schema together
_COMBINED: Mapping[str, Callable[[Any, Any], Any]] = {
    "type": _common_types,
    "required": lambda one, other: list(
        dict.fromkeys([*required_of({"required": one}), *required_of({"required": other})])
    ),
    **dict.fromkeys(
        ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"), _stricter(max)
    ),
    **dict.fromkeys(
        ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"), _stricter(min)
    ),
}

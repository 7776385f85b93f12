"""Merges `allOf` and the words beside a `$ref` into one JSON Schema, for compilers that know neither.

Schemas are of 2020-12 (schema_drafts.py); `True` and `False` are schemas too. A merged schema accepts what
all of its parts accept, and more only where two values of a word cannot be combined.
https://json-schema.org/draft/2020-12/json-schema-core#name-keywords-for-applying-subschemas
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from itertools import product
from typing import Any

from handler.providers.schemas.drafts import follow_step, objects, unescape_step
from handler.providers.translator import Json

DEEPEST = 80  # schemas being inlined inside one another
SPARE = 200  # what any schema may take of work and of room
WORK, ROOM = 8, 3  # and how many times its own weight more
UNIT_CHARACTERS = 8  # characters that weigh one


class CannotTranslate(Exception):
    """A schema cannot be inlined: it contains itself, refers to nothing, or would be far larger."""


class Merger:
    """Inlines the parts of one schema. All of its work is at most proportional to the schema's size."""

    def __init__(self, root: Json) -> None:
        self.root = root
        size = sum(map(weight, objects(root)))
        self._work, self._room = SPARE + WORK * size, SPARE + ROOM * size
        self._inside: list[str | None] = []  # what is being inlined, references by their text

    def inline(self, schema: Any) -> Any:
        """The schema without `allOf`, and without words beside a `$ref`. Raises CannotTranslate."""
        if not isinstance(schema, dict):
            return schema is not False
        rest = {word: value for word, value in schema.items() if word not in ("$ref", "allOf")}
        parts = [one for one in items_of(schema, "allOf") if isinstance(one, dict | bool)]
        if isinstance(reference := schema.get("$ref"), str):
            if not parts and not rest.keys() - {"$defs"}:
                return schema
            parts.insert(0, {"$ref": reference})
        if not parts:
            return rest
        # In pairs, since of many parts the whole would be copied for each of them.
        parts = [*(_seen_from_outside(self.resolve(part)) for part in parts), rest]
        while len(parts) > 1:
            pairs = zip(parts[::2], parts[1::2], strict=False)
            parts = [*(self.intersect(*pair) for pair in pairs), *parts[len(parts) // 2 * 2 :]]
        return parts[0]

    def resolve(self, schema: Any) -> Any:
        """The flat schema, with a `$ref` replaced by its target. Raises CannotTranslate."""
        schema = self.inline(schema)
        reference = schema.get("$ref") if isinstance(schema, dict) else None
        if reference is None:
            return schema
        if reference in self._inside:
            raise CannotTranslate
        self.spend_work(1 + len(reference) // UNIT_CHARACTERS)
        with self._deeper(reference):
            return self.resolve(self.target(reference))

    def target(self, reference: str) -> Any:
        """The schema that a reference points to. Raises CannotTranslate where there is none."""
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
        """Merges two schemas into one that accepts what both accept. Raises CannotTranslate."""
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
                return self._merged(one, other)
            return self.intersect(self.resolve(one), self.resolve(other))

    def spend_work(self, steps: int) -> None:
        """Counts work. Raises CannotTranslate."""
        self._work -= steps
        if self._work < 0:
            raise CannotTranslate

    def spend_size(self, steps: int) -> None:
        """Counts the size of the result. Raises CannotTranslate."""
        self._room -= steps
        if self._room < 0:
            raise CannotTranslate

    @contextmanager
    def _deeper(self, reference: str | None = None) -> Iterator[None]:
        if len(self._inside) == DEEPEST:
            raise CannotTranslate
        self._inside.append(reference)
        try:
            yield
        finally:
            self._inside.pop()

    @cached_property
    def _anchors(self) -> Json:
        return {one["$anchor"]: one for one in objects(self.root) if isinstance(one.get("$anchor"), str)}

    def _merged(self, one: Json, other: Json) -> Any:
        """Merges word by word. Of values that cannot be combined the later counts: looser, never tighter."""
        new: Json = {**one, **other}
        for group in _GROUPS:
            given = other if group[0] in other else one
            new = {word: value for word, value in new.items() if word not in group}
            new |= {word: given[word] for word in group if word in given}
        for word in one.keys() & other.keys() & _BOTH.keys():
            new[word] = _BOTH[word](one[word], other[word])
        values = both_values(one, other)
        if values is not None:
            new.pop("const", None)
            new["enum"] = values
        if new.get("type") == [] or values == []:
            return False
        new |= self._members(one, other) | self._items(one, other)
        for word in one.keys() & other.keys() & {"anyOf", "oneOf"}:
            new[word] = self._union(items_of(one, word), items_of(other, word))
        return False if [] in (new.get("anyOf"), new.get("oneOf")) else new

    def _members(self, one: Json, other: Json) -> Json:
        """Merges the words for properties. A pattern is not applied to a property that is named."""
        if _OBJECT.isdisjoint(one) or _OBJECT.isdisjoint(other):
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

    def _items(self, one: Json, other: Json) -> Json:
        if _ARRAY.isdisjoint(one) or _ARRAY.isdisjoint(other):
            return {}
        first, second = items_of(one, "prefixItems"), items_of(other, "prefixItems")
        rest, other_rest = one.get("items", True), other.get("items", True)
        count = max(len(first), len(second))
        pairs = zip(
            first + [rest] * (count - len(first)), second + [other_rest] * (count - len(second)), strict=True
        )
        prefix = {"prefixItems": [self.intersect(*pair) for pair in pairs]} if count else {}
        return {**prefix, "items": self.intersect(rest, other_rest)}

    def _union(self, first: list[Any], second: list[Any]) -> list[Any]:
        self.spend_work(len(first) * len(second))
        return [one for pair in product(first, second) if (one := self.intersect(*pair)) is not False]


def weight(schema: Json) -> int:
    """The work of one schema without its subschemas: its words, names, values and texts."""
    steps = 1 + len(schema)
    for value in schema.values():
        if isinstance(value, list):
            steps += len(value) + sum(len(one) for one in value if isinstance(one, str)) // UNIT_CHARACTERS
        elif isinstance(value, dict | str):
            steps += len(value) // (UNIT_CHARACTERS if isinstance(value, str) else 1)
    return steps


def items_of(schema: Json, word: str) -> list[Any]:
    """The schemas in the list under a word."""
    value = schema.get(word)
    return value if isinstance(value, list) else []


def members_of(schema: Json, word: str = "properties") -> Json:
    """The schemas under names under a word; PHP writes none of them as a list."""
    value = schema.get(word)
    return value if isinstance(value, dict) else {}


def patterns_of(schema: Json) -> Json:
    return members_of(schema, "patternProperties")


def required_of(schema: Json) -> list[str]:
    return [name for name in items_of(schema, "required") if isinstance(name, str)]


def types_of(schema: Json) -> list[str]:
    """The types that a schema names, empty where it names none."""
    kinds = schema.get("type")
    return [kind for kind in (kinds if isinstance(kinds, list) else [kinds]) if isinstance(kind, str)]


def values_of(schema: Json) -> list[Any] | None:
    """The values of `const` or `enum`; None where there is neither."""
    if "const" in schema:
        return [schema["const"]]
    return schema["enum"] if isinstance(schema.get("enum"), list) else None


def both_values(one: Json, other: Json) -> list[Any] | None:
    """The values that both name; None where not both name any."""
    values, others = values_of(one), values_of(other)
    if values is None or others is None:
        return None
    named = {_same(value) for value in others}
    return [value for value in values if _same(value) in named]


def _same(value: Any) -> str:
    """A text that is the same for values that JSON Schema takes for equal: 1 and 1.0 are."""
    return json.dumps(json.loads(json.dumps(value), parse_float=_number), sort_keys=True)


def _number(text: str) -> float:
    return int(number) if (number := float(text)).is_integer() else number


def _rest_of(schema: Json) -> Any:
    """The schema for what is not named. Whether a pattern meets a name is not looked at."""
    return True if patterns_of(schema) else schema.get("additionalProperties", True)


def _seen_from_outside(part: Any) -> Any:
    """A part of `allOf` without `unevaluated...`, which sees only what the part itself evaluates."""
    if not isinstance(part, dict) or _UNEVALUATED.isdisjoint(part):
        return part
    return {word: value for word, value in part.items() if word not in _UNEVALUATED}


def _kinds(one: Any, other: Any) -> Any:
    """The types that both name. Every integer is a number."""
    first, second = types_of({"type": one}), types_of({"type": other})
    if "number" in second:
        second = [*second, "integer"]
    if "number" in first and "integer" in second and "number" not in second:
        first = ["integer" if kind == "number" else kind for kind in first]
    found = list(dict.fromkeys(kind for kind in first if kind in second))
    return found[0] if len(found) == 1 else found


def _most(choose: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def chosen(one: Any, other: Any) -> Any:
        numbers = all(isinstance(value, int | float) for value in (one, other))
        return choose(one, other) if numbers else other

    return chosen


_UNEVALUATED = frozenset({"unevaluatedProperties", "unevaluatedItems"})
_OBJECT = frozenset({"properties", "patternProperties", "additionalProperties"})
_ARRAY = frozenset({"prefixItems", "items"})
_GROUPS = (("if", "then", "else"), ("contains", "minContains", "maxContains"))  # what only counts together
_BOTH: Mapping[str, Callable[[Any, Any], Any]] = {
    "type": _kinds,
    "required": lambda one, other: list(
        dict.fromkeys([*required_of({"required": one}), *required_of({"required": other})])
    ),
    **dict.fromkeys(("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"), _most(max)),
    **dict.fromkeys(("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"), _most(min)),
}

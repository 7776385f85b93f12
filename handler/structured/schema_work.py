"""Counts the work of checking an answer against a schema before it is done, in about microseconds.

Every comparison of a part of the schema with a part of the answer counts. Without references there are at
most as many as the product of both sizes; references can double them at each step, since the library does not
remember what it compared. Long texts, patterns, choices and distinct items count as several.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from math import prod
from typing import Any

from handler.structured.canonical_schema import BadSchema, Canonical, parts
from handler.wire.strict_json import levels

Json = dict[str, Any]
Meetings = Iterator[tuple[Any, Any]]

MOST_WORK = 200_000
FEW = 2_000_000  # parts of the schema times parts of the answer: of a simple schema no more can meet
BACKTRACKS = 1_000  # of a pattern with look-around or back references; the rest is matched in linear time
MOST_EVALUATED = 1_000  # parts that `unevaluated...` looks at: reading the schema takes the library as long
AGAIN = 3  # times that a part is met whose holder has `unevaluated...`

_UNEVALUATED = frozenset({"unevaluatedProperties", "unevaluatedItems"})
# What is more than one look at each part of the answer.
_COSTLY = _UNEVALUATED | {"$ref", "uniqueItems", "pattern", "patternProperties", "enum", "const"}
_REPEATED = re.compile(r"\{(\d{1,6})(?:,(\d{0,6}))?\}")


class Work:
    """Counts the work for one schema."""

    def __init__(self, schema: Canonical) -> None:
        """Raises BadSchema for a schema that would take the library too long to read."""
        self._root, self._targets = schema
        self.backtracks = True  # its patterns need a backtracking engine
        nodes = [part for _, part in parts(self._root)]
        self._own = {id(node): _own(node) for node in nodes}
        self._simple = all(_COSTLY.isdisjoint(node) for node in nodes)
        self._size = _size(self._root)
        self._check_circles(nodes)
        self._check_evaluated([node for node in nodes if not _UNEVALUATED.isdisjoint(node)])

    def is_too_much(self, value: Any) -> bool:
        few = self._simple and self._size * _size(value) <= FEW
        return not few and self.count(value) >= MOST_WORK

    def count(self, value: Any) -> int:
        """Counts all work, up to some number of at least MOST_WORK."""
        left, count, deep = [(self._root, value)], 0, _deep(value)
        while left and count + len(left) < MOST_WORK:
            schema, at = left.pop()
            count += 1
            if isinstance(schema, dict):
                count += self._own[id(schema)] + self._looks(schema, at, deep)
                times = 1 if _UNEVALUATED.isdisjoint(schema) else AGAIN
                left += list(self._meetings(schema, at)) * times
        return count + len(left)

    def _meetings(self, schema: Json, at: Any) -> Meetings:
        for word, said in schema.items():
            if word == "$ref":
                yield self._targets[said], at
            elif word in _MEETS:
                yield from _MEETS[word](said, at)

    def _looks(self, schema: Json, at: Any, deep: Mapping[int, int]) -> int:
        """Counts the extra work of this part of the answer."""
        if isinstance(at, str):
            return _bytes(at) // 1000 + self._matching(schema.get("pattern"), _bytes(at))
        if not isinstance(at, dict | list):
            return 0
        distinct = deep[id(at)] // 8 if schema.get("uniqueItems") else 0
        if not isinstance(at, dict) or not isinstance(patterns := schema.get("patternProperties"), dict):
            return len(at) // 1000 + distinct
        longest = max(map(_bytes, at), default=0)
        return distinct + len(at) * sum(1 + self._matching(one, longest) for one in patterns)

    def _matching(self, pattern: Any, length: int) -> int:
        """Counts the work of matching a text of that many bytes."""
        if not isinstance(pattern, str):
            return 0
        repeated = prod(int(found[2] or found[1]) or 1 for found in _REPEATED.finditer(pattern))
        states = len(pattern) * min(repeated, max(length, 1))
        return length * states * (max(length, BACKTRACKS) if self.backtracks else 25) // 10_000

    def _inside(self, node: Json) -> list[Any]:
        """The subschemas that apply to the same part of the answer."""
        return [part for part, _ in self._meetings(_in_place(node), None)]

    def _check_circles(self, nodes: list[Json]) -> None:
        inside = {id(node): set(map(id, self._inside(node))) for node in nodes}
        try:
            TopologicalSorter(inside).prepare()
        except CycleError:
            raise BadSchema("a `$ref` leads back to where it stands") from None

    def _check_evaluated(self, nodes: list[Json]) -> None:
        left: list[Any] = list(nodes)
        count = -len(left)
        while left:
            node = left.pop()
            count += 1
            if count + len(left) > MOST_EVALUATED:
                raise BadSchema("`unevaluatedProperties` and `unevaluatedItems` have too much to look at")
            if isinstance(node, dict):
                times = 1 if _UNEVALUATED.isdisjoint(node) else AGAIN
                left += self._inside(node) * times


def _in_place(schema: Json) -> Json:
    return {word: said for word, said in schema.items() if word in _IN_PLACE}


def _own(schema: Json) -> int:
    """Counts the extra work of the schema itself, for any answer."""
    names = sum(len(schema[word]) for word in ("required", "dependentRequired") if _sized(schema.get(word)))
    values = schema["enum"] if isinstance(schema.get("enum"), list) else []
    choices = sum(isinstance(value, dict | list) for value in values) // 4
    return choices + (names + _size(values) + _size(schema.get("const"))) // 20


def _sized(value: Any) -> bool:
    return isinstance(value, dict | list)


def _size(value: Any) -> int:
    """Counts the parts of a value; a long text has several."""
    size = 1 + (len(value) // 1000 if isinstance(value, str) else 0)
    for level in levels(value):
        for part in level:
            inside = part.values() if isinstance(part, dict) else part
            size += len(part) + sum(len(one) // 1000 for one in inside if isinstance(one, str))
    return size


def _deep(value: Any) -> dict[int, int]:
    """The size of every list and object in it, with all that is inside, by identity."""
    deep: dict[int, int] = {}
    for level in reversed(list(levels(value))):
        for part in level:
            inside = part.values() if isinstance(part, dict) else part
            texts = sum(len(one) // 100 for one in inside if isinstance(one, str))
            deep[id(part)] = texts + sum(deep.get(id(one), 1) for one in inside)
    return deep


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else 4 * len(text)


# Which parts of the schema meet which parts of the value.


def _here(said: Any, at: Any) -> Meetings:
    """Pairs one schema, or a list of them, with the same part of the value."""
    yield from ((one, at) for one in (said if isinstance(said, list) else [said]))


def _named_here(said: Any, at: Any) -> Meetings:
    yield from ((one, at) for one in (said.values() if isinstance(said, dict) else ()))


def _by_name(said: Any, at: Any) -> Meetings:
    if isinstance(said, dict) and isinstance(at, dict):
        yield from ((one, at[name]) for name, one in said.items() if name in at)


def _each(said: Any, at: Any) -> Meetings:
    """Pairs one schema with every member or item; a list of schemas is counted as if each met all."""
    for one in said if isinstance(said, list) else [said]:
        yield from ((one, child) for child in _children(at))


def _each_named(said: Any, at: Any) -> Meetings:
    for one in said.values() if isinstance(said, dict) else ():
        yield from _each(one, at)


def _each_name(said: Any, at: Any) -> Meetings:
    yield from ((said, name) for name in (at if isinstance(at, dict) else ()))


def _children(at: Any) -> list[Any]:
    return list(at.values()) if isinstance(at, dict) else at if isinstance(at, list) else []


_IN_PLACE: Mapping[str, Any] = {
    **dict.fromkeys(("allOf", "anyOf", "oneOf", "not", "if", "then", "else"), _here),
    **dict.fromkeys(("dependentSchemas", "dependencies"), _named_here),
    "$ref": None,
}
_MEETS: Mapping[str, Callable[[Any, Any], Meetings]] = {
    **{word: meets for word, meets in _IN_PLACE.items() if meets is not None},
    "properties": _by_name,
    **dict.fromkeys(("items", "prefixItems", "additionalItems", "unevaluatedItems", "contains"), _each),
    **dict.fromkeys(("additionalProperties", "unevaluatedProperties"), _each),
    "propertyNames": _each_name,
    "patternProperties": _each_named,
}

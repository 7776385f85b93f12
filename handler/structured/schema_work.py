"""Counts the work of a validation before it is done, in units of about a microsecond.

Each comparison of a subschema with a part of the answer counts. Without references there are at most as many
as the product of both sizes. References can double them at each step, because the validator does not remember
what it has compared. Long strings, patterns, enums and unique items count as several.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from math import prod
from typing import Any

from handler.errors import Json
from handler.structured.canonical_schema import BadSchema, CanonicalSchema, subschemas
from handler.wire.strict_json import levels

Pairs = Iterator[tuple[Any, Any]]  # of a subschema and the part of the answer that it is compared with

MAX_WORK = 200_000
MAX_SIMPLE = 2_000_000  # size of a simple schema times size of the answer, below which nothing is counted
BACKTRACKS = 1_000  # of a pattern with look-around or back references; others are matched in linear time
MAX_EVALUATED = 1_000  # subschemas below `unevaluated...`, which the validator visits to compile it
UNEVALUATED_FACTOR = 3  # times that the validator visits what is below `unevaluated...`

_UNEVALUATED = frozenset({"unevaluatedProperties", "unevaluatedItems"})
# Keywords that take more than one visit to each part of the answer.
_COSTLY = _UNEVALUATED | {"$ref", "uniqueItems", "pattern", "patternProperties", "enum", "const"}
_REPEATED = re.compile(r"\{(\d{1,6})(?:,(\d{0,6}))?\}")


class WorkCounter:
    """Counts the work of validations against one schema."""

    def __init__(self, schema: CanonicalSchema) -> None:
        """Raise BadSchema for a schema that would take the validator too long to compile."""
        self._root, self._targets = schema
        self.backtracks = True  # its patterns need a backtracking engine
        nodes = [node for _, node in subschemas(self._root)]
        self._constant_work = {id(node): _constant_work(node) for node in nodes}
        self._simple = all(_COSTLY.isdisjoint(node) for node in nodes)
        self._size = _size(self._root)
        self._check_cycles(nodes)
        self._check_evaluated([node for node in nodes if not _UNEVALUATED.isdisjoint(node)])

    def is_too_much(self, value: Any) -> bool:
        is_small = self._simple and self._size * _size(value) <= MAX_SIMPLE
        return not is_small and self.count(value) >= MAX_WORK

    def count(self, value: Any) -> int:
        """Return the work, or some number of at least MAX_WORK."""
        left, count, sizes = [(self._root, value)], 0, _deep_sizes(value)
        while left and count + len(left) < MAX_WORK:
            schema, part = left.pop()
            count += 1
            if isinstance(schema, dict):
                count += self._constant_work[id(schema)] + self._work_on(schema, part, sizes)
                times = 1 if _UNEVALUATED.isdisjoint(schema) else UNEVALUATED_FACTOR
                left += list(self._pairs(schema, part)) * times
        return count + len(left)

    def _pairs(self, schema: Json, part: Any) -> Pairs:
        for keyword, value in schema.items():
            if keyword == "$ref":
                yield self._targets[value], part
            elif keyword in _PAIRS:
                yield from _PAIRS[keyword](value, part)

    def _work_on(self, schema: Json, part: Any, sizes: Mapping[int, int]) -> int:
        """Count the extra work of a schema on a part of the answer."""
        if isinstance(part, str):
            return _bytes(part) // 1000 + self._work_of_pattern(schema.get("pattern"), _bytes(part))
        if not isinstance(part, dict | list):
            return 0
        unique = sizes[id(part)] // 8 if schema.get("uniqueItems") else 0
        if not isinstance(part, dict) or not isinstance(patterns := schema.get("patternProperties"), dict):
            return len(part) // 1000 + unique
        longest = max(map(_bytes, part), default=0)
        return unique + len(part) * sum(1 + self._work_of_pattern(one, longest) for one in patterns)

    def _work_of_pattern(self, pattern: Any, length: int) -> int:
        """Count the work of matching a string of that many bytes."""
        if not isinstance(pattern, str):
            return 0
        repeated = prod(int(found[2] or found[1]) or 1 for found in _REPEATED.finditer(pattern))
        states = len(pattern) * min(repeated, max(length, 1))
        return length * states * (max(length, BACKTRACKS) if self.backtracks else 25) // 10_000

    def _applied_in_place(self, node: Json) -> list[Any]:
        """Return the subschemas that apply to the same part of the answer."""
        in_place = {keyword: value for keyword, value in node.items() if keyword in _IN_PLACE}
        return [schema for schema, _ in self._pairs(in_place, None)]

    def _check_cycles(self, nodes: list[Json]) -> None:
        applied = {id(node): set(map(id, self._applied_in_place(node))) for node in nodes}
        try:
            TopologicalSorter(applied).prepare()
        except CycleError:
            raise BadSchema("a `$ref` leads back to itself") from None

    def _check_evaluated(self, nodes: list[Json]) -> None:
        left: list[Any] = list(nodes)
        count = -len(left)
        while left:
            node = left.pop()
            count += 1
            if count + len(left) > MAX_EVALUATED:
                raise BadSchema("`unevaluatedProperties` and `unevaluatedItems` apply to too many subschemas")
            if isinstance(node, dict):
                times = 1 if _UNEVALUATED.isdisjoint(node) else UNEVALUATED_FACTOR
                left += self._applied_in_place(node) * times


def _constant_work(schema: Json) -> int:
    """Count the extra work of a schema for any answer."""
    required = (schema.get(keyword) for keyword in ("required", "dependentRequired"))
    names = sum(len(value) for value in required if isinstance(value, dict | list))
    values = schema["enum"] if isinstance(schema.get("enum"), list) else []
    choices = sum(isinstance(value, dict | list) for value in values) // 4
    return choices + (names + _size(values) + _size(schema.get("const"))) // 20


def _size(value: Any) -> int:
    """Count the parts of a value; a long string counts as several."""
    size = 1 + (len(value) // 1000 if isinstance(value, str) else 0)
    for level in levels(value):
        for part in level:
            inside = part.values() if isinstance(part, dict) else part
            size += len(part) + sum(len(one) // 1000 for one in inside if isinstance(one, str))
    return size


def _deep_sizes(value: Any) -> dict[int, int]:
    """Return the size of each list and object in a value, with everything inside it, by identity."""
    sizes: dict[int, int] = {}
    for level in reversed(list(levels(value))):
        for part in level:
            inside = part.values() if isinstance(part, dict) else part
            strings = sum(len(one) // 100 for one in inside if isinstance(one, str))
            sizes[id(part)] = strings + sum(sizes.get(id(one), 1) for one in inside)
    return sizes


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else 4 * len(text)


# The subschemas of a keyword, each with the part of the answer that it is compared with.


def _in_place(value: Any, part: Any) -> Pairs:
    """Pairs one schema, or each of a list, with the part itself."""
    yield from ((schema, part) for schema in (value if isinstance(value, list) else [value]))


def _named_in_place(value: Any, part: Any) -> Pairs:
    yield from ((schema, part) for schema in (value.values() if isinstance(value, dict) else ()))


def _members_by_name(value: Any, part: Any) -> Pairs:
    if isinstance(value, dict) and isinstance(part, dict):
        yield from ((schema, part[name]) for name, schema in value.items() if name in part)


def _all_children(value: Any, part: Any) -> Pairs:
    """Pairs one schema with each member or item; each schema of a list, as if it applied to all."""
    for schema in value if isinstance(value, list) else [value]:
        yield from ((schema, child) for child in _children(part))


def _all_members_by_pattern(value: Any, part: Any) -> Pairs:
    for schema in value.values() if isinstance(value, dict) else ():
        yield from _all_children(schema, part)


def _member_names(value: Any, part: Any) -> Pairs:
    yield from ((value, name) for name in (part if isinstance(part, dict) else ()))


def _children(part: Any) -> list[Any]:
    return list(part.values()) if isinstance(part, dict) else part if isinstance(part, list) else []


_IN_PLACE: Mapping[str, Any] = {
    **dict.fromkeys(("allOf", "anyOf", "oneOf", "not", "if", "then", "else"), _in_place),
    **dict.fromkeys(("dependentSchemas", "dependencies"), _named_in_place),
    "$ref": None,
}
_PAIRS: Mapping[str, Callable[[Any, Any], Pairs]] = {
    **{keyword: pairs for keyword, pairs in _IN_PLACE.items() if pairs is not None},
    "properties": _members_by_name,
    **dict.fromkeys(
        ("items", "prefixItems", "additionalItems", "unevaluatedItems", "contains"), _all_children
    ),
    **dict.fromkeys(("additionalProperties", "unevaluatedProperties"), _all_children),
    "propertyNames": _member_names,
    "patternProperties": _all_members_by_pattern,
}

"""JSON Schemas, and answers held against them: the one place that knows jsonschema-rs, and only when asked.

A schema comes from a caller and an answer from whoever prompted for it, so both are taken to be hostile:
nothing is ever fetched, a pattern cannot run away, and what a comparison costs is counted before it is made.
https://json-schema.org/draft/2020-12, https://docs.rs/jsonschema
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from handler.strict_json import MAX_DEPTH, is_deeper, levels

Json = dict[str, Any]

MOST_PATTERNS = 100  # each may take up to PATTERN_SIZE once it is compiled
PATTERN_SIZE = 1_000_000  # bytes
BACKTRACKS = 10_000  # only look-around and back references need any; the rest is matched in linear time
MOST_MEETINGS = 200_000  # of a part of the schema with a part of the answer
FEW = 10_000_000  # parts of the schema times parts of the answer: without references no more can meet
MOST_TOLD = 8_000_000  # meetings times bytes: the library copies the answer into every error that it collects
LONGEST = 200  # characters of a path, or of what is told of a mismatch

# https://json-schema.org/specification-links; draft 4 and older name their base in another way.
_DRAFT = re.compile(r"https?://json-schema\.org/(draft-0[67]|draft/2019-09|draft/2020-12)/schema#?")
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")


class BadSchema(Exception):
    """What is given for a schema is none, or none that can be held to. The text says why."""


class Schema:
    """A schema that is ready to be held against answers."""

    def __init__(self, schema: Json) -> None:
        """Raises BadSchema."""
        self._schema = _clean(schema)
        self._refers = _refers(self._schema)
        self._size = _size(self._schema)
        self._validator = _validator(self._schema)

    def mismatch(self, value: Any) -> str | None:
        """Where and how `value` does not fit, `$.items[2].price: expected number`; None when it does."""
        if is_deeper(value, MAX_DEPTH):
            return f"nested more than {MAX_DEPTH} deep"
        value = _clean(value)
        many = self._refers or self._size * _size(value) > FEW
        if many and _meetings(self._schema, value) >= MOST_MEETINGS:
            return "too much work to check against this schema"
        if self._validator.is_valid(value):
            return None
        cost = _meetings(self._schema, value) * len(json.dumps(value))
        return _told(next(self._validator.iter_errors(value))) if cost < MOST_TOLD else "$: does not fit"


def _validator(schema: Json) -> Any:
    """What the library makes of it. Its import takes some 20 ms, so it happens when a schema first comes."""
    import jsonschema_rs

    options = jsonschema_rs.FancyRegexOptions(backtrack_limit=BACKTRACKS, size_limit=PATTERN_SIZE)
    draft = schema.get("$schema")
    if draft is not None and not (isinstance(draft, str) and _DRAFT.fullmatch(draft)):
        raise BadSchema("`$schema` may be draft 6, 7, 2019-09 or 2020-12")
    try:
        return jsonschema_rs.validator_for(
            schema, offline=True, validate_formats=False, pattern_options=options
        )
    except jsonschema_rs.ValidationError as error:
        raise BadSchema(f"not a valid JSON Schema at {_path(error.instance_path)}") from None
    except (ValueError, jsonschema_rs.ReferencingError):
        raise BadSchema("not a valid JSON Schema") from None


def _refers(schema: Json) -> bool:
    """Whether a part is met by reference. Raises BadSchema for what makes references mean something else."""
    refers, patterns = False, 0
    for level in levels(schema):
        for node in level:
            if not isinstance(node, dict):
                continue
            if node is not schema and isinstance(node.get("$id"), str):
                raise BadSchema("`$id` may stand only at the head")
            refers = refers or not _REFERENCES.isdisjoint(node)
            many = node.get("patternProperties")
            patterns += ("pattern" in node) + (len(many) if isinstance(many, dict) else 0)
    if patterns > MOST_PATTERNS:
        raise BadSchema(f"at most {MOST_PATTERNS} patterns")
    return refers


def _clean(value: Any) -> Any:
    """The value without halves of surrogate pairs, which no UTF-8 can hold."""
    text = json.dumps(value, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.loads(text.encode("utf-8", "replace"))
    return value


# What is told of a mismatch.


def _told(error: Any) -> str:
    kind, value = error.kind.name, getattr(error.kind, "value", None)
    words = _WORDS[kind](value) if kind in _WORDS else _broken(kind, value)
    return f"{_path(error.instance_path)}: {words}"[: 2 * LONGEST]


def _broken(word: str, value: Any) -> str:
    shown = f" {json.dumps(value)[:LONGEST]}" if isinstance(value, str | int | float) else ""
    return f"`{word}`{shown} does not hold"


_WORDS: Mapping[str, Callable[[Any], str]] = {
    "type": lambda kinds: f"expected {' or '.join(kinds)}",
    "enum": lambda values: f"expected one of {json.dumps(values)[:LONGEST]}",
    "const": lambda value: f"expected {json.dumps(value)[:LONGEST]}",
    "required": lambda name: f"{json.dumps(str(name)[:LONGEST])} is missing",
    "falseSchema": lambda _: "something is here that may not be",
    "additionalProperties": lambda _: "has properties that may not be here",
    "unevaluatedProperties": lambda _: "has properties that may not be here",
    "backtrackLimitExceeded": lambda _: "a pattern takes too long",
}


def _path(steps: list[str | int]) -> str:
    path = "$" + "".join(map(_step, steps))
    return path if len(path) <= LONGEST else f"{path[:LONGEST]}…"


def _step(step: str | int) -> str:
    if isinstance(step, int):
        return f"[{step}]"
    return f".{step}" if _PLAIN.fullmatch(step) else f"[{json.dumps(step)}]"


# What a comparison costs: every meeting of a part of the schema with a part of the value. Without references
# they are no more than the product of both sizes; with them they can double at each step: nothing remembers
# what was compared.

Meetings = Iterator[tuple[Any, Any]]
_REFERENCES = frozenset({"$ref", "$dynamicRef", "$recursiveRef"})


def _meetings(root: Json, value: Any) -> int:
    """How many there are, or some number from MOST_MEETINGS on. One with much counts as several."""
    left, count, anchors = [(root, value)], 0, _anchors(root)
    while left and count + len(left) < MOST_MEETINGS:
        schema, at = left.pop()
        count += 1 + (len(at) // 1000 if isinstance(at, str | list | dict) else 0)
        if isinstance(schema, dict):
            for word, said in schema.items():
                if word in _REFERENCES:
                    left.append((_target(root, said, anchors), at))
                elif word in _MEETS:
                    left += _MEETS[word](said, at)
                elif word == "enum" and isinstance(said, list):
                    count += len(said) // 20  # each is looked at, but that is soon done
    return count + len(left)


def _size(value: Any) -> int:
    """How many parts it has."""
    return 1 + sum(len(part) for level in levels(value) for part in level)


def _anchors(root: Json) -> Json:
    return {
        f"#{node[name]}": node
        for level in levels(root)
        for node in level
        if isinstance(node, dict)
        for name in ("$anchor", "$dynamicAnchor")
        if isinstance(node.get(name), str)
    }


def _target(root: Json, reference: Any, anchors: Json) -> Any:
    """What a local reference points to: https://datatracker.ietf.org/doc/html/rfc6901#section-6"""
    if not isinstance(reference, str) or reference in anchors:
        return anchors.get(str(reference))
    found: Any = root
    for step in unquote(reference).removeprefix("#").split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(found, list) and name.isdecimal() and int(name) < len(found):
            found = found[int(name)]
        else:
            found = found.get(name) if isinstance(found, dict) else None
    return found


def _here(said: Any, at: Any) -> Meetings:
    """One schema, or several in a list or under names, for the same part of the value."""
    if isinstance(said, dict) or not isinstance(said, list):
        yield said, at
    else:
        yield from ((one, at) for one in said)


def _named_here(said: Any, at: Any) -> Meetings:
    yield from ((one, at) for one in (said.values() if isinstance(said, dict) else ()))


def _by_name(said: Any, at: Any) -> Meetings:
    if isinstance(said, dict) and isinstance(at, dict):
        yield from ((one, at[name]) for name, one in said.items() if name in at)


def _each(said: Any, at: Any) -> Meetings:
    """One schema for every member or item; a list of them meets them one by one, and counts as all."""
    for one in said if isinstance(said, list) else [said]:
        yield from ((one, child) for child in _children(at))


def _each_named(said: Any, at: Any) -> Meetings:
    for one in said.values() if isinstance(said, dict) else ():
        yield from _each(one, at)


def _children(at: Any) -> list[Any]:
    return list(at.values()) if isinstance(at, dict) else at if isinstance(at, list) else []


_MEETS: Mapping[str, Callable[[Any, Any], Meetings]] = {
    **dict.fromkeys(("allOf", "anyOf", "oneOf", "not", "if", "then", "else"), _here),
    **dict.fromkeys(("dependentSchemas", "dependencies"), _named_here),
    "properties": _by_name,
    **dict.fromkeys(("items", "prefixItems", "additionalItems", "unevaluatedItems", "contains"), _each),
    **dict.fromkeys(("additionalProperties", "unevaluatedProperties", "propertyNames"), _each),
    "patternProperties": _each_named,
}

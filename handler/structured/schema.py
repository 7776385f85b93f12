"""JSON Schemas, and answers held against them: the one place that knows jsonschema-rs, and only when asked.

A schema comes from a caller and an answer from whoever prompted for it, so both are taken to be hostile:
nothing is ever fetched, a pattern cannot run away, and what a comparison costs is counted before it is made
(schema_work.py), on a form of the schema that can be read in one way (canonical_schema.py).
https://json-schema.org/draft/2020-12, https://docs.rs/jsonschema
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from handler.structured.canonical_schema import BadSchema, canonical, parts
from handler.structured.schema_work import BACKTRACKS, Work
from handler.wire.strict_json import MAX_DEPTH, is_deeper

__all__ = ["BadSchema", "Schema"]

Json = dict[str, Any]

MOST_PATTERNS = 100  # each may take up to PATTERN_SIZE once it is compiled
PATTERN_SIZE = 300_000  # bytes
MOST_TOLD = 8_000_000  # work times bytes: the library copies the answer into every error that it collects
LONGEST = 200  # characters of a path, or of what is told of a mismatch

# https://json-schema.org/specification-links; draft 4 and older name their base in another way.
_DRAFT = re.compile(r"https?://json-schema\.org/(draft-0[67]|draft/2019-09|draft/2020-12)/schema#?")
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")


class Schema:
    """A schema that is ready to be held against answers."""

    def __init__(self, schema: Json) -> None:
        """Raises BadSchema."""
        read = canonical(_clean(schema))
        if sum(map(_patterns, parts(read.schema))) > MOST_PATTERNS:
            raise BadSchema(f"at most {MOST_PATTERNS} patterns")
        self._work = Work(read)
        self._validator, self._work.backtracks = _validator(read.schema)

    def work(self, value: Any) -> int:
        """The work of checking `value` against the schema, in about microseconds."""
        return self._work.count(value)

    def mismatch(self, value: Any) -> str | None:
        """Where and how `value` does not fit, `$.items[2].price: expected number`; None when it does."""
        if is_deeper(value, MAX_DEPTH):
            return f"nested more than {MAX_DEPTH} deep"
        value = _clean(value)
        if self._work.is_too_much(value):
            return "too much work to check against this schema"
        if self._validator.is_valid(value):
            return None
        cost = self._work.count(value) * len(json.dumps(value))
        return _told(next(self._validator.iter_errors(value))) if cost < MOST_TOLD else "$: does not fit"


def _patterns(part: tuple[Any, Json]) -> int:
    named = part[1].get("patternProperties")
    return ("pattern" in part[1]) + (len(named) if isinstance(named, dict) else 0)


def _validator(schema: Json) -> tuple[Any, bool]:
    """The library's validator, and whether its patterns need a backtracking engine.

    Its import takes some 20 ms, so it happens when a schema first comes.
    """
    import jsonschema_rs

    draft = schema.get("$schema")
    if draft is not None and not (isinstance(draft, str) and _DRAFT.fullmatch(draft)):
        raise BadSchema("`$schema` may be draft 4, 6, 7, 2019-09 or 2020-12")
    linear = jsonschema_rs.RegexOptions(size_limit=PATTERN_SIZE)
    try:
        return _built(schema, linear), False
    except BadSchema:
        return _built(schema, jsonschema_rs.FancyRegexOptions(BACKTRACKS, PATTERN_SIZE)), True


def _built(schema: Json, patterns: Any) -> Any:
    import jsonschema_rs

    try:
        return jsonschema_rs.validator_for(
            schema, offline=True, validate_formats=False, pattern_options=patterns
        )
    except jsonschema_rs.ValidationError as error:
        raise BadSchema(f"not a valid JSON Schema at {_path(error.instance_path)}") from None
    except (ValueError, jsonschema_rs.ReferencingError):
        raise BadSchema("not a valid JSON Schema") from None


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

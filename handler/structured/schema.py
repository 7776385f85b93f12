"""Validates answers against JSON Schemas with jsonschema-rs, which is imported when the first schema comes.

Schemas come from callers and answers from prompts, so both may be hostile: nothing is fetched, the time of a
pattern is limited, and the work of a validation is counted before it is done (schema_work.py), on a form of
the schema that has only one meaning (canonical_schema.py).
https://json-schema.org/draft/2020-12, https://docs.rs/jsonschema
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from handler.errors import Json
from handler.structured.canonical_schema import BadSchema, canonicalize, subschemas
from handler.structured.schema_work import BACKTRACKS, WorkCounter
from handler.wire.strict_json import MAX_DEPTH, is_deeper

__all__ = ["BadSchema", "Schema"]


MAX_PATTERNS = 100  # each may take PATTERN_SIZE once it is compiled
PATTERN_SIZE = 300_000  # bytes
MAX_ERROR_COST = 8_000_000  # work times bytes: the library copies the answer into each error
MAX_DESCRIPTION = 200  # characters of a path, and of the description of a mismatch

# https://json-schema.org/specification-links; drafts 4 and older have another keyword for `$id`.
_DRAFT = re.compile(r"https?://json-schema\.org/(draft-0[67]|draft/2019-09|draft/2020-12)/schema#?")
_NOT_INSTALLED = "this gateway was built without jsonschema-rs, so it cannot check answers against a schema"
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")


class Schema:
    """A schema, ready to validate answers."""

    def __init__(self, schema: Json) -> None:
        """Raise BadSchema."""
        canonical = canonicalize(_replace_surrogates(schema))
        if sum(map(_count_patterns, subschemas(canonical.schema))) > MAX_PATTERNS:
            raise BadSchema(f"at most {MAX_PATTERNS} patterns")
        self._counter = WorkCounter(canonical)
        self._validator, self._counter.backtracks = _create_validator(canonical.schema)

    def find_mismatch(self, value: Any) -> str | None:
        """Return where and why `value` is invalid (`$.items[2].price: expected number`); None if valid."""
        if is_deeper(value, MAX_DEPTH):
            return f"nested more than {MAX_DEPTH} deep"
        value = _replace_surrogates(value)
        if self._counter.is_too_much(value):
            return "too much work to check against this schema"
        if self._validator.is_valid(value):
            return None
        cost = self._counter.count(value) * len(json.dumps(value))
        return (
            _describe(next(self._validator.iter_errors(value)))
            if cost < MAX_ERROR_COST
            else "$: does not fit"
        )


def _count_patterns(subschema: tuple[Any, Json]) -> int:
    named = subschema[1].get("patternProperties")
    return ("pattern" in subschema[1]) + (len(named) if isinstance(named, dict) else 0)


def _create_validator(schema: Json) -> tuple[Any, bool]:
    """Return the library's validator, and True if its patterns need a backtracking engine."""
    try:
        import jsonschema_rs  # takes 20 ms: not part of a cold start
    except ImportError:  # `make build JSON_SCHEMA=0`
        raise BadSchema(_NOT_INSTALLED) from None
    draft = schema.get("$schema")
    if draft is not None and not (isinstance(draft, str) and _DRAFT.fullmatch(draft)):
        raise BadSchema("`$schema` may be draft 4, 6, 7, 2019-09 or 2020-12")
    linear = jsonschema_rs.RegexOptions(size_limit=PATTERN_SIZE)
    try:
        return _compile(schema, linear), False
    except BadSchema:
        return _compile(schema, jsonschema_rs.FancyRegexOptions(BACKTRACKS, PATTERN_SIZE)), True


def _compile(schema: Json, patterns: Any) -> Any:
    import jsonschema_rs

    try:
        return jsonschema_rs.validator_for(
            schema, offline=True, validate_formats=False, pattern_options=patterns
        )
    except jsonschema_rs.ValidationError as error:
        raise BadSchema(f"not a valid JSON Schema at {_path(error.instance_path)}") from None
    except (ValueError, jsonschema_rs.ReferencingError):
        raise BadSchema("not a valid JSON Schema") from None


def _replace_surrogates(value: Any) -> Any:
    """Return the value with `?` for each half of a surrogate pair, which UTF-8 cannot encode."""
    text = json.dumps(value, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.loads(text.encode("utf-8", "replace"))
    return value


def _describe(error: Any) -> str:
    keyword, value = error.kind.name, getattr(error.kind, "value", None)
    describe = _DESCRIPTIONS.get(keyword)
    problem = describe(value) if describe else _describe_keyword(keyword, value)
    return f"{_path(error.instance_path)}: {problem}"[: 2 * MAX_DESCRIPTION]


def _describe_keyword(keyword: str, value: Any) -> str:
    shown = f" {json.dumps(value)[:MAX_DESCRIPTION]}" if isinstance(value, str | int | float) else ""
    return f"`{keyword}`{shown} does not hold"


_DESCRIPTIONS: Mapping[str, Callable[[Any], str]] = {
    "type": lambda kinds: f"expected {' or '.join(kinds)}",
    "enum": lambda values: f"expected one of {json.dumps(values)[:MAX_DESCRIPTION]}",
    "const": lambda value: f"expected {json.dumps(value)[:MAX_DESCRIPTION]}",
    "required": lambda name: f"{json.dumps(str(name)[:MAX_DESCRIPTION])} is missing",
    "falseSchema": lambda _: "something is here that may not be",
    "additionalProperties": lambda _: "has properties that may not be here",
    "unevaluatedProperties": lambda _: "has properties that may not be here",
    "backtrackLimitExceeded": lambda _: "a pattern takes too long",
}


def _path(steps: list[str | int]) -> str:
    path = "$" + "".join(map(_step, steps))
    return path if len(path) <= MAX_DESCRIPTION else f"{path[:MAX_DESCRIPTION]}…"


def _step(step: str | int) -> str:
    if isinstance(step, int):
        return f"[{step}]"
    return f".{step}" if _PLAIN.fullmatch(step) else f"[{json.dumps(step)}]"

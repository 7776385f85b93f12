"""Makes a value that fits a JSON schema, as the demo model's structured output.

It reads the keywords that structured output uses: types, enum, const, local $ref, anyOf, oneOf, allOf, the
members of objects and arrays, and limits of texts and of numbers. It ignores `pattern`, `not` and `if`.
https://json-schema.org/draft/2020-12/json-schema-validation
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from handler.providers.schemas.drafts import to_2020_12

Schema = Mapping[str, Any]

TEXT = "echo"
_FULL_DEPTH = 3  # below it values have only required members, so that recursive schemas end
_MAX_DEPTH = 64
_MAX_LENGTH = 10_000  # characters or items

# https://json-schema.org/draft/2020-12/json-schema-validation#name-defined-formats
FORMATS = {
    "date": "2026-01-31",
    "date-time": "2026-01-31T12:00:00Z",
    "duration": "PT1H",
    "email": "echo@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "time": "12:00:00Z",
    "uri": "https://example.com/echo",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


def sample(schema: Any) -> Any:
    """Return a value that is valid for `schema`, or any value if there is none."""
    schema = to_2020_12(schema) if isinstance(schema, dict) else schema
    return _value(schema, root=schema, depth=0)


def _value(schema: Any, *, root: Any, depth: int) -> Any:
    if not isinstance(schema, Mapping) or depth > _MAX_DEPTH:
        return TEXT
    schema = _resolve(schema, root=root, depth=depth)
    if "const" in schema:
        return schema["const"]
    if isinstance(schema.get("enum"), list) and schema["enum"]:
        return schema["enum"][0]
    return _SAMPLERS[_type(schema)](schema, root, depth)


def _resolve(schema: Schema, *, root: Any, depth: int) -> Schema:
    """Return a schema without references and alternatives: they are followed and chosen."""
    for _ in range(_MAX_DEPTH):
        merged = {
            key: value for key, value in schema.items() if key not in ("$ref", "allOf", "anyOf", "oneOf")
        }
        parts = [_follow(schema["$ref"], root)] if isinstance(schema.get("$ref"), str) else []
        parts += _list(schema.get("allOf"))
        parts += [
            _choice(options, depth) for key in ("anyOf", "oneOf") if (options := _list(schema.get(key)))
        ]
        if not parts:
            return merged
        schema = _merge(merged, *parts)
    return {}


def _merge(*parts: Any) -> dict[str, Any]:
    """Merge schemas: maps and lists of names are united, and of other keywords the first one counts."""
    merged: dict[str, Any] = {}
    for part in parts:
        for key, value in part.items() if isinstance(part, Mapping) else ():
            present = merged.get(key)
            if isinstance(present, Mapping) and isinstance(value, Mapping):
                merged[key] = {**value, **present}
            elif key in ("required", "allOf") and isinstance(present, list) and isinstance(value, list):
                merged[key] = present + value
            else:
                merged.setdefault(key, value)
    return merged


def _follow(pointer: str, root: Any) -> Any:
    """Return the target of a local reference (RFC 6901); an unknown one allows everything."""
    found = root
    for part in pointer.removeprefix("#").split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        found = found.get(key, {}) if isinstance(found, Mapping) else {}
    return found


def _choice(options: list[Any], depth: int) -> Any:
    """Return the first alternative, or below _FULL_DEPTH `null` if it is one of them."""
    ends = [option for option in options if isinstance(option, Mapping) and option.get("type") == "null"]
    return ends[0] if ends and depth > _FULL_DEPTH else options[0]


def _type(schema: Schema) -> str:
    named = schema.get("type")
    if isinstance(named, list) and named:
        named = named[0]
    if named in _SAMPLERS:
        return str(named)
    return next((kind for key, kind in _IMPLIED.items() if key in schema), "string")


def _object(schema: Schema, root: Any, depth: int) -> dict[str, Any]:
    properties = schema.get("properties")
    properties = properties if isinstance(properties, Mapping) else {}
    required = [name for name in _list(schema.get("required")) if isinstance(name, str)]
    names = [*properties, *required] if depth <= _FULL_DEPTH else required
    members = {
        name: _value(properties.get(name, {}), root=root, depth=depth + 1) for name in dict.fromkeys(names)
    }
    while len(members) < _count(schema.get("minProperties"), 0):
        members[f"{TEXT}{len(members)}"] = _value(
            schema.get("additionalProperties"), root=root, depth=depth + 1
        )
    return members


def _array(schema: Schema, root: Any, depth: int) -> list[Any]:
    first = _list(schema.get("prefixItems"))
    least = _count(schema.get("minItems"), 0 if depth > _FULL_DEPTH or "items" not in schema else 1)
    length = min(max(least, len(first)), _count(schema.get("maxItems"), _MAX_LENGTH))
    items = [*first, *[schema.get("items")] * (length - len(first))][:length]
    return [_value(item, root=root, depth=depth + 1) for item in items]


def _string(schema: Schema, _root: Any, _depth: int) -> str:
    text = FORMATS.get(str(schema.get("format")), TEXT)
    least, most = _count(schema.get("minLength"), 0), _count(schema.get("maxLength"), _MAX_LENGTH)
    return (text + TEXT * math.ceil((least - len(text)) / len(TEXT)))[: max(least, min(len(text), most))]


def _number(schema: Schema, _root: Any, _depth: int) -> float:
    return next(_within(schema, step=_number_or_none(schema.get("multipleOf")) or 0.5), 0.5)


def _integer(schema: Schema, _root: Any, _depth: int) -> int:
    found = _within(schema, step=_number_or_none(schema.get("multipleOf")) or 1)
    return int(next((number for number in found if number == int(number)), 1))


def _within(schema: Schema, *, step: float) -> Iterator[float]:
    """Yield numbers within the bounds: the step, multiples of it, and the middle of narrow bounds."""
    least, above = _number_or_none(schema.get("minimum")), _number_or_none(schema.get("exclusiveMinimum"))
    most, below = _number_or_none(schema.get("maximum")), _number_or_none(schema.get("exclusiveMaximum"))
    low = max((bound for bound in (least, above) if bound is not None), default=None)
    high = min((bound for bound in (most, below) if bound is not None), default=None)
    tries = [step]
    if low is not None:
        tries += [math.ceil(low / step) * step, math.ceil(low / step) * step + step]
    if high is not None:
        tries += [math.floor(high / step) * step, math.floor(high / step) * step - step]
    if low is not None and high is not None and "multipleOf" not in schema:
        tries += [low, high, (low + high) / 2]
    for number in tries:
        over = (low is None or number >= low) and (above is None or number > above)
        if over and (high is None or number <= high) and (below is None or number < below):
            yield number


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _number_or_none(value: Any) -> float | None:
    """Return a number of a usable size, else None."""
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    return value if plain and (value == 0 or 1e-6 <= abs(value) <= 1e15) else None


def _count(value: Any, default: int) -> int:
    number = _number_or_none(value)
    return default if number is None else max(0, min(int(number), _MAX_LENGTH))


_SAMPLERS: Mapping[str, Callable[[Schema, Any, int], Any]] = {
    "object": _object,
    "array": _array,
    "string": _string,
    "number": _number,
    "integer": _integer,
    "boolean": lambda _schema, _root, _depth: True,
    "null": lambda _schema, _root, _depth: None,
}
_IMPLIED = {
    "properties": "object",
    "required": "object",
    "items": "array",
    "prefixItems": "array",
    "minimum": "number",
}

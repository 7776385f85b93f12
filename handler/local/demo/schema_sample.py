"""A value that a JSON schema admits: what the demo model answers when it is asked for structured output.

Only what structured output uses: types, enum, const, local $ref, anyOf, oneOf, allOf, objects, arrays,
and limits of texts and numbers. `pattern`, `not` and `if` are not looked at.
https://json-schema.org/draft/2020-12/json-schema-validation
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from handler.providers.schemas.drafts import to_2020_12

Schema = Mapping[str, Any]

TEXT = "echo"
_DEEP = 3  # below this many levels only what is required is made, so that recursive schemas end
_ENDLESS = 64
_LONGEST = 10_000  # characters or items

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
    """A value valid for `schema`; for a schema without one (`false`, endless recursion) just a value."""
    schema = to_2020_12(schema) if isinstance(schema, dict) else schema
    return _value(schema, root=schema, depth=0)


def _value(schema: Any, *, root: Any, depth: int) -> Any:
    if not isinstance(schema, Mapping) or depth > _ENDLESS:
        return TEXT
    schema = _resolved(schema, root=root, depth=depth)
    if "const" in schema:
        return schema["const"]
    if isinstance(schema.get("enum"), list) and schema["enum"]:
        return schema["enum"][0]
    return _MAKERS[_type(schema)](schema, root, depth)


def _resolved(schema: Schema, *, root: Any, depth: int) -> Schema:
    """The schema with its reference followed and its alternatives chosen: one flat schema."""
    for _ in range(_ENDLESS):
        merged = {
            key: value for key, value in schema.items() if key not in ("$ref", "allOf", "anyOf", "oneOf")
        }
        parts = [_referred(schema["$ref"], root)] if isinstance(schema.get("$ref"), str) else []
        parts += _list(schema.get("allOf"))
        parts += [
            _choice(options, depth) for key in ("anyOf", "oneOf") if (options := _list(schema.get(key)))
        ]
        if not parts:
            return merged
        schema = _merged(merged, *parts)
    return {}


def _merged(*parts: Any) -> dict[str, Any]:
    """All of the parts at once: members add up, for the rest the first that says something is heard."""
    merged: dict[str, Any] = {}
    for part in parts:
        for key, value in part.items() if isinstance(part, Mapping) else ():
            had = merged.get(key)
            if isinstance(had, Mapping) and isinstance(value, Mapping):
                merged[key] = {**value, **had}
            elif key in ("required", "allOf") and isinstance(had, list) and isinstance(value, list):
                merged[key] = had + value
            else:
                merged.setdefault(key, value)
    return merged


def _referred(pointer: str, root: Any) -> Any:
    """What a local reference points at (RFC 6901); an unknown one admits everything."""
    found = root
    for part in pointer.removeprefix("#").split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        found = found.get(key, {}) if isinstance(found, Mapping) else {}
    return found


def _choice(options: list[Any], depth: int) -> Any:
    """The first alternative; deep down the one that ends soonest, which is `null` where there is one."""
    ends = [option for option in options if isinstance(option, Mapping) and option.get("type") == "null"]
    return ends[0] if ends and depth > _DEEP else options[0]


def _type(schema: Schema) -> str:
    named = schema.get("type")
    if isinstance(named, list) and named:
        named = named[0]
    if named in _MAKERS:
        return str(named)
    return next((kind for key, kind in _IMPLIED.items() if key in schema), "string")


def _object(schema: Schema, root: Any, depth: int) -> dict[str, Any]:
    properties = schema.get("properties")
    properties = properties if isinstance(properties, Mapping) else {}
    required = [name for name in _list(schema.get("required")) if isinstance(name, str)]
    names = [*properties, *required] if depth <= _DEEP else required
    made = {
        name: _value(properties.get(name, {}), root=root, depth=depth + 1) for name in dict.fromkeys(names)
    }
    while len(made) < _whole(schema.get("minProperties"), 0):
        made[f"{TEXT}{len(made)}"] = _value(schema.get("additionalProperties"), root=root, depth=depth + 1)
    return made


def _array(schema: Schema, root: Any, depth: int) -> list[Any]:
    first = _list(schema.get("prefixItems"))
    least = _whole(schema.get("minItems"), 0 if depth > _DEEP or "items" not in schema else 1)
    length = min(max(least, len(first)), _whole(schema.get("maxItems"), _LONGEST))
    items = [*first, *[schema.get("items")] * (length - len(first))][:length]
    return [_value(item, root=root, depth=depth + 1) for item in items]


def _string(schema: Schema, _root: Any, _depth: int) -> str:
    text = FORMATS.get(str(schema.get("format")), TEXT)
    least, most = _whole(schema.get("minLength"), 0), _whole(schema.get("maxLength"), _LONGEST)
    return (text + TEXT * math.ceil((least - len(text)) / len(TEXT)))[: max(least, min(len(text), most))]


def _number(schema: Schema, _root: Any, _depth: int) -> float:
    return next(_within(schema, step=_real(schema.get("multipleOf")) or 0.5), 0.5)


def _integer(schema: Schema, _root: Any, _depth: int) -> int:
    found = _within(schema, step=_real(schema.get("multipleOf")) or 1)
    return int(next((number for number in found if number == int(number)), 1))


def _within(schema: Schema, *, step: float) -> Iterator[float]:
    """Numbers that keep the bounds: a step, the ends in whole steps, for narrow bounds the middle."""
    least, above = _real(schema.get("minimum")), _real(schema.get("exclusiveMinimum"))
    most, below = _real(schema.get("maximum")), _real(schema.get("exclusiveMaximum"))
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


def _real(value: Any) -> float | None:
    """A number that can be reckoned with, else None."""
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    return value if plain and (value == 0 or 1e-6 <= abs(value) <= 1e15) else None


def _whole(value: Any, absent: int) -> int:
    number = _real(value)
    return absent if number is None else max(0, min(int(number), _LONGEST))


_MAKERS: Mapping[str, Callable[[Schema, Any, int], Any]] = {
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

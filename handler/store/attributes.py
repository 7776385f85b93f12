"""Converts between DynamoDB's typed JSON and plain values: {"N": "8000"} is 8000.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.LowLevelAPI.html
Deserializing never fails: a value that DynamoDB cannot have sent stays as it is, and the reader of the record
reports it.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

Item = dict[str, Any]

# DynamoDB's largest power of ten is 125. A larger one is never written out as an integer.
_MAX_EXPONENT = 130


def _read_number(text: str) -> int | Decimal | str:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return text
    whole = number.is_finite() and number.adjusted() <= _MAX_EXPONENT and number == number.to_integral_value()
    return int(number) if whole else number


def _read_binary(value: str | bytes) -> bytes:
    """Decode base64: the adopted rules in State went through JSON."""
    return b64decode(value) if isinstance(value, str) else bytes(value)


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "S": lambda value: value,
    "N": _read_number,
    "B": _read_binary,
    "BOOL": lambda value: value,
    "NULL": lambda _: None,
    "SS": set,
    "NS": lambda values: {_read_number(value) for value in values},
    "BS": lambda values: {_read_binary(value) for value in values},
    "L": lambda values: [deserialize(value) for value in values],
    "M": lambda values: deserialize_item(values),
}


def deserialize(attribute: Any) -> Any:
    """Return a str, int, Decimal (of a number with a fraction), bool, None, bytes, set, list or dict."""
    match attribute:
        case dict() if len(attribute) == 1:
            ((tag, value),) = attribute.items()
            return _READERS[tag](value) if tag in _READERS else attribute
        case _:
            return attribute


def deserialize_item(item: Mapping[str, Any]) -> Item:
    return {name: deserialize(attribute) for name, attribute in item.items()}


def number_text(number: int | float | Decimal) -> str:
    """Return the shortest text of exactly this number. Raises ValueError if DynamoDB cannot store it."""
    exact = Decimal(repr(number)) if isinstance(number, float) else Decimal(number)
    if not exact.is_finite() or (exact and abs(exact.adjusted()) > _MAX_EXPONENT):
        raise ValueError(f"the number {str(exact)[:50]} is out of DynamoDB's range")
    text = format(exact, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    if len(text.replace(".", "").strip("-0")) > 38:
        raise ValueError(f"the number {text[:50]} has more than 38 digits")
    return text


def serialize(value: Any) -> dict[str, Any]:
    """Return the typed JSON of a plain value. Raises ValueError if DynamoDB cannot store it."""
    match value:
        case None:
            return {"NULL": True}
        case bool():
            return {"BOOL": value}
        case str():
            return {"S": value}
        case int() | float() | Decimal():
            return {"N": number_text(value)}
        case bytes():
            return {"B": value}
        case set() | frozenset():
            return _serialize_set(value)
        case list() | tuple():
            return {"L": [serialize(one) for one in value]}
        case Mapping():
            return {"M": serialize_item(value)}
        case _:
            raise ValueError(f"a {type(value).__name__} cannot be stored")


def _serialize_set(values: set[Any] | frozenset[Any]) -> dict[str, Any]:
    members = [serialize(value) for value in values]
    tags = {tag for member in members for tag in member}
    if len(tags) != 1 or not tags <= {"S", "N", "B"}:
        raise ValueError("a set must hold strings, numbers or binaries, all of one type and at least one")
    (tag,) = tags
    return {f"{tag}S": sorted(member[tag] for member in members)}


def serialize_item(item: Mapping[str, Any]) -> dict[str, Any]:
    return {str(name): serialize(value) for name, value in item.items()}


def item_size(item: Mapping[str, Any]) -> int:
    """Return about how many bytes DynamoDB counts for an item, or for a map in one, in typed JSON."""
    return sum(len(name) + _size(attribute) for name, attribute in item.items())


def _size(attribute: Mapping[str, Any]) -> int:
    match attribute:
        case {"S": str(text)}:
            return len(text) if text.isascii() else len(text.encode("utf-8", "replace"))
        case {"M": dict(members)}:
            return 3 + item_size(members)
        case {"L": list(members)}:
            return 3 + sum(1 + _size(member) for member in members)
        case {"SS": list(members)} | {"NS": list(members)} | {"BS": list(members)}:
            return sum(len(member) for member in members)
        case {"N": value} | {"B": value}:
            return len(value)
        case _:
            return 1

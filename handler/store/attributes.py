"""DynamoDB's typed JSON and plain values: {"N": "8000"} is 8000, and back.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.LowLevelAPI.html
Reading is total: what DynamoDB could not have meant stays as it came, and the reader of the record names it.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

Item = dict[str, Any]

# The largest power of ten DynamoDB keeps is 125; beyond it an integer is not worth its digits.
_DIGITS = 130


def _number(text: str) -> int | Decimal | str:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return text
    whole = number.is_finite() and number.adjusted() <= _DIGITS and number == number.to_integral_value()
    return int(number) if whole else number


def _binary(value: str | bytes) -> bytes:
    """Text when it went through JSON (State keeps adopted rules that way)."""
    return b64decode(value) if isinstance(value, str) else bytes(value)


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "S": lambda value: value,
    "N": _number,
    "B": _binary,
    "BOOL": lambda value: value,
    "NULL": lambda _: None,
    "SS": set,
    "NS": lambda values: {_number(value) for value in values},
    "BS": lambda values: {_binary(value) for value in values},
    "L": lambda values: [deserialize(value) for value in values],
    "M": lambda values: deserialize_item(values),
}


def deserialize(attribute: Any) -> Any:
    """Text, int, Decimal (only when it is no whole number), bool, None, bytes, set, list or dict."""
    match attribute:
        case dict() if len(attribute) == 1:
            ((tag, value),) = attribute.items()
            return _READERS[tag](value) if tag in _READERS else attribute
        case _:
            return attribute


def deserialize_item(item: Mapping[str, Any]) -> Item:
    return {name: deserialize(attribute) for name, attribute in item.items()}


def number_text(number: int | float | Decimal) -> str:
    """The shortest text of exactly this number. Raises ValueError for what DynamoDB cannot keep."""
    exact = Decimal(repr(number)) if isinstance(number, float) else Decimal(number)
    if not exact.is_finite() or (exact and abs(exact.adjusted()) > _DIGITS):
        raise ValueError(f"the number {exact} is out of DynamoDB's range")
    text = format(exact, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    if len(text.replace(".", "").strip("-0")) > 38:
        raise ValueError(f"the number {text} has more than 38 digits")
    return text


def serialize(value: Any) -> dict[str, Any]:
    """The typed form of a plain value. Raises ValueError for what DynamoDB cannot keep."""
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
            return _wire_set(value)
        case list() | tuple():
            return {"L": [serialize(one) for one in value]}
        case Mapping():
            return {"M": serialize_item(value)}
        case _:
            raise ValueError(f"a {type(value).__name__} cannot be stored")


def _wire_set(values: set[Any] | frozenset[Any]) -> dict[str, Any]:
    members = [serialize(value) for value in values]
    tags = {tag for member in members for tag in member}
    if len(tags) != 1 or not tags <= {"S", "N", "B"}:
        raise ValueError("a set holds texts, numbers or binaries, of one sort and at least one")
    (tag,) = tags
    return {f"{tag}S": sorted(member[tag] for member in members)}


def serialize_item(item: Mapping[str, Any]) -> dict[str, Any]:
    return {str(name): serialize(value) for name, value in item.items()}


def item_size(item: Mapping[str, Any]) -> int:
    """About how many bytes DynamoDB counts for an item in typed form, or for a map in one."""
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

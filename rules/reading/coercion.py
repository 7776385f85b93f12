"""Reads the values that a person typed: forgiving in type, strict in meaning (contract, section 5).

A reader takes one value and returns what it means, or raises InvalidRecord. The error's field is the path
below that value ("" for the value itself), so that readers nest: `read_at` completes the path.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any, TypeVar

from rules.errors import InvalidRecord

T = TypeVar("T")
Reader = Callable[[Any], T]

_MAX = 10**15  # a larger float may not be exact to the unit
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")


def invalid(problem: str) -> InvalidRecord:
    """Return the error of the value itself."""
    return InvalidRecord("", problem)


def suggest(word: object, known: Iterable[str]) -> str:
    """Return ", did you mean `prefer`?"; where no name is similar, the names if there are few."""
    from difflib import get_close_matches  # only for an error: not part of a cold start

    names = list(known)
    close = get_close_matches(str(word).lower()[:100], names, n=1, cutoff=0.6)
    if close:
        return f", did you mean `{close[0]}`?"
    return f", known are {', '.join(names)}" if len(names) <= 12 else ""


def quoted(value: object) -> str:
    """Return the value as an error message quotes it."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    text = str(value) if isinstance(value, Decimal) else repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def join_path(path: str, below: str) -> str:
    return path + below if not path or not below or below.startswith("[") else f"{path}.{below}"


def read_at(path: str, read: Reader[T], value: Any) -> T:
    """Return read(value); the field of an error is put below `path`."""
    try:
        return read(value)
    except InvalidRecord as error:
        raise InvalidRecord(join_path(path, error.field), error.problem) from None


def read_text(value: Any) -> str:
    if not isinstance(value, str):
        raise invalid(f"must be a text, got {quoted(value)}")
    if not value.strip():
        raise invalid("is empty")
    return value


def read_flag(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if value in ("true", "false"):
        return bool(value == "true")
    raise invalid(f"must be true or false, got {quoted(value)}")


_SWITCH_WORDS: Mapping[object, bool] = {
    **dict.fromkeys(("true", "yes", "on", "1", 1), True),
    **dict.fromkeys(("false", "no", "off", "0", 0), False),
}


def read_switch(value: Any) -> bool:
    """Return a flag that may also be written as yes, on, 1, no, off or 0, in any case."""
    word = value.strip().lower() if isinstance(value, str) else _number_or_none(value)
    return _SWITCH_WORDS[word] if word in _SWITCH_WORDS else read_flag(value)


def has_outer_space(value: str) -> bool:
    return value != value.strip()


def read_number(value: Any) -> int | float:
    """Return a number, an int if it is integral. A text must be exactly a JSON number; a bool is an error."""
    is_number = isinstance(value, int | float | Decimal) and not isinstance(value, bool)
    if not is_number and not (isinstance(value, str) and _NUMBER.fullmatch(value)):
        raise invalid(f"must be a number, got {quoted(value)}")
    try:
        size = float(value)
    except (OverflowError, ValueError):  # an int that no float can hold; a signalling NaN
        size = float("nan")
    if not -_MAX <= size <= _MAX:
        raise invalid("is not a number that can be used here")
    return int(size) if size.is_integer() else size


def whole_number(low: int | None = 0, high: int | None = None) -> Reader[int]:
    """Return a reader of whole numbers from `low` to `high`, both included."""
    expected = f"a whole number{_range(low, high)}"

    def read(value: Any) -> int:
        number = _number_or_none(value)
        if not isinstance(number, int) or not _is_between(number, low, high):
            raise invalid(f"must be {expected}, got {quoted(value)}")
        return number

    return read


def any_number(
    low: float | None = None, high: float | None = None, *, above: float | None = None
) -> Reader[float]:
    """Return a reader of numbers from `low` to `high`, or of numbers greater than `above`."""
    expected = f"a number{_range(low, high)}" if above is None else f"a number greater than {above}"

    def read(value: Any) -> float:
        number = _number_or_none(value)
        if number is None or not _is_between(number, low, high) or (above is not None and number <= above):
            raise invalid(f"must be {expected}, got {quoted(value)}")
        return number

    return read


def _number_or_none(value: Any) -> int | float | None:
    try:
        return read_number(value)
    except InvalidRecord:
        return None


def _is_between(value: float, low: float | None, high: float | None) -> bool:
    return (low is None or value >= low) and (high is None or value <= high)


def _range(low: float | None, high: float | None) -> str:
    if low is not None and high is not None:
        return f" from {low} to {high}"
    return "" if low is None else f", {low} or more"


def one_of(*known: str) -> Reader[str]:
    """Return a reader of these texts."""

    def read(value: Any) -> str:
        if read_text(value) not in known:
            raise invalid(f"must be {' | '.join(known)}, got {quoted(value)}")
        return str(value)

    return read


def ordered_list(read: Reader[T]) -> Reader[tuple[T, ...]]:
    """Return a reader of lists whose order matters. A single value is read as a list of one."""

    def read_all(value: Any) -> tuple[T, ...]:
        if isinstance(value, set | frozenset):
            raise invalid("must be a list: order matters here, and a set has none")
        if not isinstance(value, list | tuple):
            return (_read_single(read, value),)
        return tuple(read_at(f"[{index}]", read, member) for index, member in enumerate(value))

    return read_all


def _read_single(read: Reader[T], value: Any) -> T:
    """Read the only value of a list. Where it is several values in one text, the error shows the list."""
    try:
        return read(value)
    except InvalidRecord:
        words = re.findall(r"[^\s,;\[\]\"']+", value) if isinstance(value, str) else []
        if len(words) < 2 or "," not in value:
            raise
        raise invalid(f"is one text where a list is meant: {json.dumps(words)}") from None


def unordered_list(read: Reader[T]) -> Reader[tuple[T, ...]]:
    """Return a reader of lists and sets. A single value is read as a list of one."""
    read_all = ordered_list(read)
    return lambda value: read_all(sorted(value, key=repr) if isinstance(value, set | frozenset) else value)


def read_mapping(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise invalid(f"must be a map, got {quoted(value)}")
    for name in value:
        if not isinstance(name, str) or not name.strip():
            raise invalid(f"has a field without a name: {quoted(name)}")
    return value


def mapping_of(readers: Mapping[str, Reader[Any]], *, required: Iterable[str] = ()) -> Reader[dict[str, Any]]:
    """Return a reader of mappings with these fields, each with its own reader."""

    def read(value: Any) -> dict[str, Any]:
        refuse_unknown_fields(read_mapping(value), readers)
        for name in required:
            if name not in value:
                raise InvalidRecord(name, "is missing")
        return {name: read_at(name, readers[name], value[name]) for name in readers if name in value}

    return read


def refuse_unknown_fields(value: Mapping[str, Any], known: Iterable[str]) -> None:
    unknown = min((name for name in value if name not in known), default=None)
    if unknown is not None:
        raise InvalidRecord(unknown, f"unknown field{suggest(unknown, known)}")


def to_json(value: Any) -> Any:
    """Return the JSON value of what DynamoDB stores: Decimals become numbers, sets sorted lists."""
    match value:
        case None | bool() | str() | int() | float():
            return value
        case Decimal():
            return read_number(value)
        case set() | frozenset():
            return sorted((to_json(member) for member in value), key=repr)
        case list() | tuple():
            return [to_json(member) for member in value]
        case Mapping():
            return {str(name): to_json(member) for name, member in value.items()}
    raise invalid(f"must be JSON, got {quoted(value)}")

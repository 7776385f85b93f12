"""How what a person typed is read: forgiving in type, strict in meaning (contract, section 5).

A reader takes one value and gives what it means, or raises InvalidRecord whose field is the path below that
value ("" is the value itself). `within` puts the path together, so that readers nest.
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

_LARGEST = 10**15  # beyond it a float no longer counts in ones
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")


def wrong(problem: str) -> InvalidRecord:
    return InvalidRecord("", problem)


def nearest(word: object, known: Iterable[str]) -> str:
    """ ", did you mean `prefer`?", else what there is if that is little."""
    from difflib import get_close_matches  # only on the way to an error: not part of a cold start

    listed = list(known)
    close = get_close_matches(str(word).lower()[:100], listed, n=1, cutoff=0.6)
    if close:
        return f", did you mean `{close[0]}`?"
    return f", known are {', '.join(listed)}" if len(listed) <= 12 else ""


def shown(value: object) -> str:
    """The value as an error quotes it."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    text = str(value) if isinstance(value, Decimal) else repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def join(path: str, below: str) -> str:
    return path + below if not path or not below or below.startswith("[") else f"{path}.{below}"


def within(path: str, read: Reader[T], value: Any) -> T:
    """read(value), with `path` put before the field of what is wrong in it."""
    try:
        return read(value)
    except InvalidRecord as error:
        raise InvalidRecord(join(path, error.field), error.problem) from None


def text(value: Any) -> str:
    if not isinstance(value, str):
        raise wrong(f"must be a text, got {shown(value)}")
    if not value.strip():
        raise wrong("is empty")
    return value


def flag(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if value in ("true", "false"):
        return bool(value == "true")
    raise wrong(f"must be true or false, got {shown(value)}")


_SWITCHED: Mapping[object, bool] = {
    **dict.fromkeys(("true", "yes", "on", "1", 1), True),
    **dict.fromkeys(("false", "no", "off", "0", 0), False),
}


def read_switch(value: Any) -> bool:
    """A flag in every spelling that a person uses in a hurry."""
    word = value.strip().lower() if isinstance(value, str) else _number_or_none(value)
    return _SWITCHED[word] if word in _SWITCHED else flag(value)


def untrimmed(value: str) -> bool:
    return value != value.strip()


def number(value: Any) -> int | float:
    """A number, or a text that is exactly a JSON number; never a bool. Integral ones come out as int."""
    typed = isinstance(value, int | float | Decimal) and not isinstance(value, bool)
    if not typed and not (isinstance(value, str) and _NUMBER.fullmatch(value)):
        raise wrong(f"must be a number, got {shown(value)}")
    try:
        size = float(value)
    except (OverflowError, ValueError):  # an int beyond every float; a signalling NaN
        size = float("nan")
    if not -_LARGEST <= size <= _LARGEST:
        raise wrong("is no number that can be used here")
    return int(size) if size.is_integer() else size


def whole(low: int | None = 0, high: int | None = None) -> Reader[int]:
    """A whole number from `low` to `high`, both included."""
    wanted = f"a whole number{_span(low, high)}"

    def read(value: Any) -> int:
        read_as = _number_or_none(value)
        if not isinstance(read_as, int) or not _between(read_as, low, high):
            raise wrong(f"must be {wanted}, got {shown(value)}")
        return read_as

    return read


def amount(
    low: float | None = None, high: float | None = None, *, above: float | None = None
) -> Reader[float]:
    """Any number from `low` to `high`, or greater than `above`."""
    wanted = f"a number{_span(low, high)}" if above is None else f"a number greater than {above}"

    def read(value: Any) -> float:
        read_as = _number_or_none(value)
        if read_as is None or not _between(read_as, low, high) or (above is not None and read_as <= above):
            raise wrong(f"must be {wanted}, got {shown(value)}")
        return read_as

    return read


def _number_or_none(value: Any) -> int | float | None:
    try:
        return number(value)
    except InvalidRecord:
        return None


def _between(value: float, low: float | None, high: float | None) -> bool:
    return (low is None or value >= low) and (high is None or value <= high)


def _span(low: float | None, high: float | None) -> str:
    if low is not None and high is not None:
        return f" from {low} to {high}"
    return "" if low is None else f", {low} or more"


def choice(*known: str) -> Reader[str]:
    def read(value: Any) -> str:
        if text(value) not in known:
            raise wrong(f"must be {' | '.join(known)}, got {shown(value)}")
        return str(value)

    return read


def in_order(read: Reader[T]) -> Reader[tuple[T, ...]]:
    """A list whose order matters; one value stands for a list of one."""

    def read_all(value: Any) -> tuple[T, ...]:
        if isinstance(value, set | frozenset):
            raise wrong("must be a list: order matters here, and a set has none")
        if not isinstance(value, list | tuple):
            return (_only(read, value),)
        return tuple(within(f"[{at}]", read, each) for at, each in enumerate(value))

    return read_all


def _only(read: Reader[T], value: Any) -> T:
    """The one value of a list; of several that were typed as one text the error gives the list."""
    try:
        return read(value)
    except InvalidRecord:
        words = re.findall(r"[^\s,;\[\]\"']+", value) if isinstance(value, str) else []
        if len(words) < 2 or "," not in value:
            raise
        raise wrong(f"is one text where a list is meant: {json.dumps(words)}") from None


def any_order(read: Reader[T]) -> Reader[tuple[T, ...]]:
    """A list or a set; one value stands for a list of one."""
    listed = in_order(read)
    return lambda value: listed(sorted(value, key=repr) if isinstance(value, set | frozenset) else value)


def mapping(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise wrong(f"must be a map, got {shown(value)}")
    for name in value:
        if not isinstance(name, str) or not name.strip():
            raise wrong(f"has a field without a name: {shown(name)}")
    return value


def members(readers: Mapping[str, Reader[Any]], *, required: Iterable[str] = ()) -> Reader[dict[str, Any]]:
    """A map of known fields, each with its own reader."""

    def read(value: Any) -> dict[str, Any]:
        no_others(mapping(value), readers)
        for name in required:
            if name not in value:
                raise InvalidRecord(name, "is missing")
        return {name: within(name, readers[name], value[name]) for name in readers if name in value}

    return read


def no_others(value: Mapping[str, Any], known: Iterable[str]) -> None:
    unknown = min((name for name in value if name not in known), default=None)
    if unknown is not None:
        raise InvalidRecord(unknown, f"unknown field{nearest(unknown, known)}")


def plain(value: Any) -> Any:
    """The JSON that a stored value stands for: Decimals become numbers, sets sorted lists."""
    match value:
        case None | bool() | str() | int() | float():
            return value
        case Decimal():
            return number(value)
        case set() | frozenset():
            return sorted((plain(each) for each in value), key=repr)
        case list() | tuple():
            return [plain(each) for each in value]
        case Mapping():
            return {str(name): plain(each) for name, each in value.items()}
    raise wrong(f"must be JSON, got {shown(value)}")

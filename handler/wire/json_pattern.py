"""Finds strings and values in JSON texts, and recognises texts that differ in few of them. No I/O."""

from __future__ import annotations

import re
from collections.abc import Callable
from json.decoder import scanstring  # type: ignore[attr-defined]  # the scanner of `json`, in C
from typing import NamedTuple

_MODEL = re.compile(r'"model"\s*:\s*("(?:[^"\\]|\\.)*")')
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
# Members that differ from event to event and that no frame depends on: counts, of which the last is true, and
# padding. The quote before the colon ends their name, because no backslash is near.
_VARYING = re.compile(
    r'"(?:[A-Za-z]*[tT]okenCount|sequence_number)" *: *(0|[1-9][0-9]{0,11})(?= *[,}\]])'
    r'|"(?:obfuscation|p)" *: *("[A-Za-z0-9]*")'
)
_COUNT, _PADDING = re.compile("0|[1-9][0-9]{0,11}").match, re.compile('"[A-Za-z0-9]*"').match


class Pattern(NamedTuple):
    """JSON before or after a text: fixed but for some values, each with the JSON before it."""

    varying: tuple[tuple[str, Callable[[str, int], re.Match[str] | None]], ...]
    end: str

    def after(self, text: str, at: int) -> int:
        """Return where the pattern ends that begins at `at`; -1 if the text has another one."""
        for before, value in self.varying:
            if not text.startswith(before, at) or (found := value(text, at + len(before))) is None:
                return -1
            at = found.end()
        return at + len(self.end) if text.startswith(self.end, at) else -1


def pattern_of(one: str, other: str) -> Pattern | None:
    """Return the pattern that fits both; None if more differs than may vary."""
    if one == other:
        return Pattern((), one)
    if "\\" in one:
        return None
    varying, at = [], 0
    for left, right in zip(_VARYING.finditer(one), _VARYING.finditer(other), strict=False):
        if left[0] != right[0]:
            start, end = left.span(left.lastindex or 0)
            varying.append((one[at:start], _COUNT if left.lastindex == 1 else _PADDING))
            at = end
    found = Pattern(tuple(varying), one[at:])
    return found if found.after(other, 0) == len(other) else None


def model_place(event: str) -> tuple[int, int] | None:
    """Return the start and the end of the model in an event, with its quotes."""
    found = _MODEL.search(event)
    return found.span(1) if found else None


def place_of(json_text: str, value: str) -> tuple[int, int] | None:
    """Return the start and the end of the only string of that value, with its quotes."""
    places = [
        found.span()
        for found in _STRING.finditer(json_text)
        if (inner := found[0][1:-1]) == value or ("\\" in inner and _decoded(found[0]) == value)
    ]
    return places[0] if len(places) == 1 else None


def _decoded(quoted: str) -> str | None:
    try:
        return str(scanstring(quoted, 1)[0])
    except ValueError:
        return None

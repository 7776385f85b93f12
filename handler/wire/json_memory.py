"""Estimates the memory that a JSON text will take once it is parsed.

`{},` is three bytes of text and ninety of memory, so the length of a text is no bound. The figures are those
of CPython 3.11 to 3.13 on 64 bits, rounded up.
"""

from __future__ import annotations

import json
import re
import sys

LIGHT = 100_000  # characters below which a text is not examined
MOST_VALUES = 32_000_000  # bytes that the values of a provider's text may take
MAX_SILENT = 32_000_000  # characters of a stream's events of which the client gets nothing
WIDEST = 20_100_000  # bytes of a text in memory: one emoji makes four of each of its characters
MAX_ESCAPED = 10_000  # emoji of a text that is too wide: beside an image there are few

_OBJECT, _LIST, _ITEM, _NUMBER, _TEXT, _MEMBER, _NAME = 200, 100, 8, 32, 88, 20, 164
_TOKEN = re.compile(
    r'"(?:[^"\\]++|\\.)*+"(?P<name>[ \t\n\r]*+:)?'
    r"|(?P<object>\{)|(?P<list>\[)|(?P<item>,)|(?P<number>-?[0-9][0-9.eE+-]++)",
    re.DOTALL,
)
_EMOJI = re.compile("[\U00010000-\U0010ffff]")
_WEIGHTS = {"object": _OBJECT, "list": _LIST, "item": _ITEM, "number": _NUMBER, None: _TEXT}


def takes_more_memory(text: str, most: int) -> bool:
    """True when the values of a JSON text take more than `most` bytes, its strings' letters not counted."""
    if len(text) < LIGHT:
        return False
    rough = (
        text.count("{") * _OBJECT
        + text.count("[") * (_LIST + _NUMBER)
        + text.count(",") * (_ITEM + _NUMBER)
        + text.count(":") * (_MEMBER + _NAME + _NUMBER)
        + text.count('"') * _TEXT // 2
    )
    return rough > most and _weighs(text, most)


def escape_emoji(text: str) -> str:
    """The same JSON; its emoji are escapes where they make it wider than `WIDEST`, as one beside an image."""
    if sys.getsizeof(text) <= WIDEST:
        return text
    return _EMOJI.sub(lambda found: json.dumps(found[0])[1:-1], text, count=MAX_ESCAPED)


def is_too_large(text: str) -> bool:
    """True when a provider's text takes too much memory, as it is or parsed."""
    return sys.getsizeof(text) > WIDEST or takes_more_memory(text, MOST_VALUES)


def _weighs(text: str, most: int) -> bool:
    """Adds up the weight token by token, no further than needed. CPython keeps a repeated name once."""
    weight, names = 0, set()
    for token in _TOKEN.finditer(text):
        if token.lastgroup == "name":
            weight += _MEMBER
            name = hash(text[token.start() : token.end()])
            if name not in names:
                names.add(name)
                weight += _NAME
        else:
            weight += _WEIGHTS[token.lastgroup]
        if weight > most:
            return True
    return False

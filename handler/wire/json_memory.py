"""Estimates the memory that a JSON text will take once it is parsed.

`{},` is three bytes of text and ninety of memory, so the length of a text is not a bound. The figures are
those of CPython 3.11 to 3.13 on 64 bits, rounded up.
"""

from __future__ import annotations

import json
import re
import sys

SMALL = 100_000  # characters; a shorter body is not examined
MAX_PARSED = 32_000_000  # bytes that a provider's text may take once it is parsed
MAX_TEXT = 20_100_000  # bytes that a text may take; one emoji makes each of its characters take four
MAX_ESCAPED = 10_000  # emoji that are escaped in a text that takes too much

_OBJECT, _LIST, _ITEM, _NUMBER, _STRING, _MEMBER, _NAME = 200, 100, 8, 32, 88, 20, 164
_TOKEN = re.compile(
    r'"(?:[^"\\]++|\\.)*+"(?P<name>[ \t\n\r]*+:)?'
    r"|(?P<object>\{)|(?P<list>\[)|(?P<item>,)|(?P<number>-?[0-9][0-9.eE+-]++)",
    re.DOTALL,
)
_EMOJI = re.compile("[\U00010000-\U0010ffff]")
_SIZES = {"object": _OBJECT, "list": _LIST, "item": _ITEM, "number": _NUMBER, None: _STRING}


def takes_more_memory(text: str, limit: int, *, small: int = SMALL) -> bool:
    """True if the values of a JSON text take more than `limit` bytes, without the characters of strings.

    A text of less than `small` characters is not examined.
    """
    if len(text) < small:
        return False
    upper_bound = (
        text.count("{") * _OBJECT
        + text.count("[") * (_LIST + _NUMBER)
        + text.count(",") * (_ITEM + _NUMBER)
        + text.count(":") * (_MEMBER + _NAME + _NUMBER)
        + text.count('"') * _STRING // 2
    )
    return upper_bound > limit and _exceeds(text, limit)


def escape_emoji(text: str) -> str:
    """Return the same JSON with its emoji escaped, if it takes more than MAX_TEXT bytes.

    A few emoji would quadruple the size of an image in the same text.
    """
    if sys.getsizeof(text) <= MAX_TEXT:
        return text
    return _EMOJI.sub(lambda emoji: json.dumps(emoji[0])[1:-1], text, count=MAX_ESCAPED)


def is_too_large(text: str) -> bool:
    """True if a provider's text takes too much memory, as it is or parsed."""
    return sys.getsizeof(text) > MAX_TEXT or takes_more_memory(text, MAX_PARSED)


def _exceeds(text: str, limit: int) -> bool:
    """Add up the sizes of the tokens until they exceed `limit`. CPython stores a repeated name once."""
    size, names = 0, set()
    for token in _TOKEN.finditer(text):
        if token.lastgroup == "name":
            size += _MEMBER
            name = hash(text[token.start() : token.end()])
            if name not in names:
                names.add(name)
                size += _NAME
        else:
            size += _SIZES[token.lastgroup]
        if size > limit:
            return True
    return False

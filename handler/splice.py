"""The sender's own JSON text with only the declared edits in it (contract, section 3).

A body relayed in its own format keeps the characters it came with: key order, white space, escapes, number
text. So it is not written anew from the changed value: only the paths that changed are walked, with the C
scanner of `json`, and what is new is put in at its place. https://www.rfc-editor.org/rfc/rfc8259
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from itertools import count
from typing import Any

_scan = json.JSONDecoder().raw_decode
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_encode_ascii = json.JSONEncoder(separators=(",", ":")).encode
_INFINITY = re.compile(r'("(?:[^"\\]|\\.)*")|Infinity')
_HALF = re.compile("[\ud800-\udfff]")
_ABSENT = object()


def splice(text: str, old: Any, new: Any) -> str:
    """The JSON text of `new`, with the characters of `text` wherever `new` is what `old` was.

    `text` parses to `old` and repeats no name. Members keep their order; one that is gone takes its comma
    along, new ones come last. A value that moves to another name in the same object keeps its text.
    """
    cursor = _Cursor(text)
    _value(cursor, old, new, whole=False)
    return cursor.edited()


def dump(value: Any) -> str:
    """Compact JSON that always encodes to UTF-8: half a surrogate pair stays an escape."""
    text = _encode(value)
    try:
        text.encode()
    except UnicodeEncodeError:
        text = _encode_ascii(value)
    return _finite(text)


def anew(value: Any) -> str:
    """Compact JSON in another format than the sender's. Half a surrogate pair is no letter: it is U+FFFD."""
    text = _encode(value)
    return _finite(text if text.isascii() else _HALF.sub("\ufffd", text))


def _finite(text: str) -> str:
    if "Infinity" in text:  # what 1e400 is read as; other readers than Python's refuse the word
        text = _INFINITY.sub(lambda found: found[1] or "1e999", text)
    return text


class _Cursor:
    """A place in a JSON text, and the edits noted on the way there."""

    __slots__ = ("at", "edits", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.edits: list[tuple[int, int, str]] = []  # from, to, what stands there instead
        self.space()

    @property
    def char(self) -> str:
        return self.text[self.at]

    def space(self) -> None:
        text, at = self.text, self.at
        while text[at] in " \t\r\n":
            at += 1
        self.at = at

    def step(self) -> None:
        """Over one sign of punctuation, to what follows."""
        self.at += 1
        self.space()

    def scan(self) -> Any:
        """Over one value."""
        value, self.at = _scan(self.text, self.at)
        return value

    def name(self) -> Any:
        """Over a member's name, to its value."""
        name = self.scan()
        self.space()
        self.step()
        return name

    def raw(self) -> str:
        """Over one value, for its text."""
        start = self.at
        self.scan()
        return self.text[start : self.at]

    def comma(self) -> None:
        """To the next member, or to the end of its kind."""
        self.space()
        if self.char == ",":
            self.step()

    def cut(self, start: int | None, end: int, instead: str = "") -> None:
        """Note an edit, if there is anything to it."""
        if start is not None or instead:
            self.edits.append((end if start is None else start, end, instead))

    def edited(self) -> str:
        pieces: list[str] = []
        at = 0
        for start, end, instead in self.edits:
            pieces += (self.text[at:start], instead)
            at = end
        return "".join((*pieces, self.text[at:]))


def _same(old: Any, new: Any) -> bool:
    """True is not 1 and 1 is not 1.0. Two equal containers are not the same: they are walked."""
    return old is new or (type(old) is type(new) and not isinstance(new, dict | list) and old == new)


def _value(cursor: _Cursor, old: Any, new: Any, *, whole: bool = True) -> None:
    """Note what makes `old`, the value here, into `new`; go behind it if the `whole` is to be read."""
    if _same(old, new):
        if whole:
            cursor.scan()
    elif type(old) is dict and type(new) is dict and cursor.char == "{":
        _members(cursor, old, new, keyed=True, whole=whole)
    elif type(old) is list and type(new) is list and cursor.char == "[":
        _members(cursor, dict(enumerate(old)), dict(enumerate(new)), keyed=False, whole=whole)
    else:
        start = cursor.at
        cursor.scan()
        cursor.edits.append((start, cursor.at, dump(new)))


def _members(
    cursor: _Cursor, old: Mapping[Any, Any], new: Mapping[Any, Any], *, keyed: bool, whole: bool
) -> None:
    """The members of an object, or the items of an array under their positions."""
    left = _changed(old, new)
    moved: dict[int, str] = {}  # the text of each value that is gone, by its identity
    gone: int | None = None  # where a run of such members began
    cursor.step()
    first = tail = end = cursor.at  # tail: behind the last member that stays; end: behind the last one
    for position in count():
        if cursor.char in "]}":
            break
        start, name = cursor.at, cursor.name() if keyed else position
        if name in new:
            cursor.cut(gone, start)
            gone = None
            _value(cursor, old.get(name), new[name])
            tail = cursor.at
        else:
            gone = start if gone is None else gone
            moved[id(old.get(name))] = cursor.raw()
        end = cursor.at
        left.discard(name)
        if gone is None and not (whole or left):
            return  # what follows stays as it is
        cursor.comma()
    fresh = ",".join(_fresh(name, new[name], moved, keyed) for name in new if name not in old)
    cursor.cut(None if gone is None else tail, end, "," + fresh if fresh and tail > first else fresh)
    cursor.at += 1


def _changed(old: Mapping[Any, Any], new: Mapping[Any, Any]) -> set[Any]:
    changed = {name for name in old if not _same(old[name], new.get(name, _ABSENT))}
    return changed | (new.keys() - old.keys())


def _fresh(name: Any, value: Any, moved: Mapping[int, str], keyed: bool) -> str:
    text = moved.get(id(value)) or dump(value)
    return f"{dump(name)}:{text}" if keyed else text

"""The sender's own JSON text with only the declared edits in it (contract, section 3).

A body relayed in its own format keeps the characters it came with: key order, white space, escapes, number
text. So it is not written anew from the changed value: only the paths that changed are walked, with the C
scanner of `json`, and what is new is put in at its place. https://www.rfc-editor.org/rfc/rfc8259
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from itertools import chain, count, repeat
from typing import Any

Members = Mapping[Any, Any]
Edits = list[tuple[int, int, str]]  # from, to, what stands there instead

# (text, at) -> (value, where it ends)
_scan: Callable[[str, int], tuple[Any, int]] = json.JSONDecoder().scan_once  # type: ignore[attr-defined]
_BLANK = " \t\r\n"
_SPACE = re.compile(r"[ \t\r\n]*")
_COLON = re.compile(r"[ \t\r\n]*:[ \t\r\n]*")
_COMMA = re.compile(r"[ \t\r\n]*(?:,[ \t\r\n]*)?")  # or the end of its kind
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_encode_ascii = json.JSONEncoder(separators=(",", ":")).encode
_INFINITY = re.compile(r'("(?:[^"\\]|\\.)*")|Infinity')
_HALF = re.compile("[\ud800-\udfff]")
_ABSENT = object()
_COPIED = 100_000  # characters that are encoded at a time
_WIDE = 8_000_000  # bytes of a text in memory, of which there should be few copies


def splice(text: str, old: Any, new: Any) -> str:
    """The JSON text of `new`, with the characters of `text` wherever `new` is what `old` was.

    `text` parses to `old` and repeats no name. Members keep their order; one that is gone takes its comma
    along, new ones come last. A value that moves to another name in the same object keeps its text.
    """
    return "".join(text[start:end] + instead for start, end, instead in _pieces(text, old, new))


def splice_bytes(text: str, old: Any, new: Any) -> bytes:
    """Splices into UTF-8 bytes, without a second copy of the whole text."""
    return b"".join(_encoded(text, _pieces(text, old, new)))


def _encoded(text: str, pieces: Edits) -> Iterator[bytes]:
    for start, end, instead in pieces:
        for at in range(start, end, _COPIED):
            yield text[at : min(at + _COPIED, end)].encode()
        yield instead.encode()


def _pieces(text: str, old: Any, new: Any) -> Edits:
    """Yields the ranges of the text that stay, each with the text to insert after it."""
    if (edited := _renamed(text, old, new)) is not None:
        return edited
    edits: Edits = []
    _value(text, _behind(_SPACE, text, 0), old, new, edits, whole=False)
    begins = [0, *(end for _, end, _ in edits)]
    ends = [*((start, instead) for start, _, instead in edits), (len(text), "")]
    return [(begin, end, instead) for begin, (end, instead) in zip(begins, ends, strict=True)]


def _renamed(text: str, old: Any, new: Any) -> Edits | None:
    """The same where one text of the outermost object changes and is found at once: mostly the model."""
    if type(old) is not dict or type(new) is not dict or len(old) != len(new):
        return None
    changed = [name for name in old if not _same(old[name], new.get(name, _ABSENT))]
    if len(changed) != 1 or type(new.get(changed[0])) is not str or not changed[0].isidentifier():
        return None
    before, name, behind = text.partition(f'"{changed[0]}"')
    colon = _COLON.match(behind)
    if colon is None or before.rstrip(_BLANK)[-1:] not in ("{", ","):
        return None  # it is no name, or the end of another
    if before.count("{") != 1 or "[" in before:
        return None  # it may be further in
    start = len(before) + len(name) + colon.end()
    return [(0, start, dump(new[changed[0]])), (_end(text, start), len(text), "")]


def dump(value: Any) -> str:
    """Compact JSON that always encodes to UTF-8: half a surrogate pair stays an escape."""
    text = _encode(value)
    try:
        text.encode()
    except UnicodeEncodeError:
        text = _encode_ascii(value)
    return _finite(text)


def dump_unicode(value: Any) -> str:
    """Compact JSON in another format than the sender's. Half a surrogate pair is no letter: it is U+FFFD."""
    text = _encode(value)
    return _finite(text if text.isascii() else _HALF.sub("\ufffd", text))


def dump_unicode_bytes(text: str, value: Any) -> bytes:
    """The same in UTF-8, without a copy of any long string on the way where the sender's `text` is wide.

    One emoji makes every letter of its string, and of each copy, take four bytes.
    """
    return b"".join(_written(value)) if sys.getsizeof(text) > _WIDE else dump_unicode(value).encode()


def _written(value: Any) -> Iterator[bytes]:
    if type(value) is dict and value:
        for before, (name, member) in zip(chain(b"{", repeat(ord(","))), value.items(), strict=False):
            yield b"%c%b:" % (before, dump_unicode(name).encode())
            yield from _written(member)
        yield b"}"
    elif type(value) is list and value:
        for before, item in zip(chain(b"[", repeat(ord(","))), value, strict=False):
            yield b"%c" % before
            yield from _written(item)
        yield b"]"
    elif type(value) is str and len(value) > _COPIED:
        yield b'"'
        for at in range(0, len(value), _COPIED):
            yield dump_unicode(value[at : at + _COPIED])[1:-1].encode()
        yield b'"'
    else:
        yield dump_unicode(value).encode()


def _finite(text: str) -> str:
    if "Infinity" in text:  # what 1e400 is read as; other readers than Python's refuse the word
        text = _INFINITY.sub(lambda found: found[1] or "1e999", text)
    return text


def _same(old: Any, new: Any) -> bool:
    """True is not 1 and 1 is not 1.0. Two equal containers are not the same: they are walked."""
    return old is new or (type(old) is type(new) and not isinstance(new, dict | list) and old == new)


def _value(text: str, at: int, old: Any, new: Any, edits: Edits, *, whole: bool = True) -> int:
    """Notes what makes `old`, the value here, into `new`; where it ends, if the `whole` is to be read."""
    if _same(old, new):
        return _end(text, at) if whole else at
    if type(old) is dict and type(new) is dict and text[at] == "{":
        return _members(text, at, old, new, edits, whole)
    if type(old) is list and type(new) is list and text[at] == "[":
        return _members(text, at, dict(enumerate(old)), dict(enumerate(new)), edits, whole)
    end = _end(text, at)
    edits.append((at, end, dump(new)))
    return end


def _members(text: str, at: int, old: Members, new: Members, edits: Edits, whole: bool) -> int:
    """The members of an object, or the items of an array under their positions."""
    keyed, left = text[at] == "{", {name for name in old if not _same(old[name], new.get(name, _ABSENT))}
    moved: dict[int, str] = {}  # the text of each value that is gone, by its identity
    gone: int | None = None  # where a run of such members began
    at = first = tail = end = _behind(_SPACE, text, at + 1)  # tail: behind the last that stays; end: of all
    for position in count():
        if text[at] in "]}":
            break
        if gone is None and not (whole or left):  # what follows stays as it is
            end = tail = _stripped(text, text.rindex("}" if keyed else "]"))
            break
        start, (name, at) = at, _name(text, at) if keyed else (position, at)
        if name in new:
            if gone is not None:
                edits.append((gone, start, ""))
                gone = None
            end = tail = _value(text, at, old.get(name), new[name], edits)
        else:
            gone, end = start if gone is None else gone, _end(text, at)
            moved[id(old.get(name))] = text[at:end]
        left.discard(name)
        at = _behind(_COMMA, text, end)
    fresh = ",".join([_fresh(name, new[name], moved, keyed) for name in new if name not in old])
    edits.append((end if gone is None else tail, end, "," + fresh if fresh and tail > first else fresh))
    return at + 1


def _name(text: str, at: int) -> tuple[str, int]:
    """The name of a member, and where its value begins."""
    name, at = _scan(text, at)
    return name, _behind(_COLON, text, at)


def _end(text: str, at: int) -> int:
    """Where the value here ends."""
    return _scan(text, at)[1]


def _stripped(text: str, end: int) -> int:
    """Where the blanks before `end` begin. All of a long text is copied only where they are many."""
    start = max(0, end - _COPIED)
    last = text[start:end].rstrip(_BLANK)
    return start + len(last) if last else len(text[:end].rstrip(_BLANK))


def _behind(what: re.Pattern[str], text: str, at: int) -> int:
    found = what.match(text, at)
    assert found is not None
    return found.end()


def _fresh(name: Any, value: Any, moved: Mapping[int, str], keyed: bool) -> str:
    text = moved.get(id(value)) or dump(value)
    return f"{dump(name)}:{text}" if keyed else text

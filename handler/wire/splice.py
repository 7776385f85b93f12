"""Edits JSON text in place, and writes JSON.

A body relayed in its own format keeps the sender's characters: key order, white space, escapes, the text of
numbers (contract, section 3). So only the paths that changed are walked, with the C scanner of `json`, and
only the new values are written. https://www.rfc-editor.org/rfc/rfc8259
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from itertools import chain, count, repeat
from typing import Any

Members = Mapping[Any, Any]
Edits = list[tuple[int, int, str]]  # start, end, replacement

# (text, start) -> (value, end)
_scan: Callable[[str, int], tuple[Any, int]] = json.JSONDecoder().scan_once  # type: ignore[attr-defined]
_BLANK = " \t\r\n"
_SPACE = re.compile(r"[ \t\r\n]*")
_COLON = re.compile(r"[ \t\r\n]*:[ \t\r\n]*")
_COMMA = re.compile(r"[ \t\r\n]*(?:,[ \t\r\n]*)?")  # or the end of the object or array
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_encode_ascii = json.JSONEncoder(separators=(",", ":")).encode
_INFINITY = re.compile(r'("(?:[^"\\]|\\.)*")|Infinity')
_SURROGATE = re.compile("[\ud800-\udfff]")
_ABSENT = object()
_CHUNK = 100_000  # characters that are encoded at a time
_LARGE = 8_000_000  # bytes in memory; a larger text is not copied as a whole


def splice(text: str, old: Any, new: Any) -> str:
    """Return the JSON text of `new`, with the characters of `text` wherever `new` equals `old`.

    `text` parses to `old` and repeats no name. Members keep their order, and new ones come last. A value that
    moves to another name in the same object keeps its text.
    """
    return "".join(text[start:end] + inserted for start, end, inserted in _segments(text, old, new))


def splice_bytes(text: str, old: Any, new: Any) -> bytes:
    """Like splice(), as UTF-8, without a second copy of the whole text."""
    return b"".join(_encode_segments(text, _segments(text, old, new)))


def _encode_segments(text: str, segments: Edits) -> Iterator[bytes]:
    for start, end, inserted in segments:
        for at in range(start, end, _CHUNK):
            yield text[at : min(at + _CHUNK, end)].encode()
        yield inserted.encode()


def _segments(text: str, old: Any, new: Any) -> Edits:
    """Return the ranges of the text that stay, each with the text to insert after it."""
    if (edited := _segments_of_one_string(text, old, new)) is not None:
        return edited
    edits: Edits = []
    _edit_value(text, _skip(_SPACE, text, 0), old, new, edits, whole=False)
    begins = [0, *(end for _, end, _ in edits)]
    ends = [*((start, inserted) for start, _, inserted in edits), (len(text), "")]
    return [(begin, end, inserted) for begin, (end, inserted) in zip(begins, ends, strict=True)]


def _segments_of_one_string(text: str, old: Any, new: Any) -> Edits | None:
    """The fast path of _segments(): one string of the outermost object changes, as a rule the model."""
    if type(old) is not dict or type(new) is not dict or len(old) != len(new):
        return None
    changed = [name for name in old if not _is_same(old[name], new.get(name, _ABSENT))]
    if len(changed) != 1 or type(new.get(changed[0])) is not str or not changed[0].isidentifier():
        return None
    before, name, after = text.partition(f'"{changed[0]}"')
    colon = _COLON.match(after)
    if colon is None or before.rstrip(_BLANK)[-1:] not in ("{", ","):
        return None  # not a name, or only the end of one
    if before.count("{") != 1 or "[" in before:
        return None  # perhaps of an inner object
    start = len(before) + len(name) + colon.end()
    return [(0, start, dump(new[changed[0]])), (_end_of(text, start), len(text), "")]


def dump(value: Any) -> str:
    """Return compact JSON that always encodes to UTF-8: half a surrogate pair stays an escape."""
    text = _encode(value)
    try:
        text.encode()
    except UnicodeEncodeError:
        text = _encode_ascii(value)
    return _without_infinity(text)


def dump_unicode(value: Any) -> str:
    """Return compact JSON of valid Unicode, for a format that is not the sender's.

    Half a surrogate pair is not a character; it becomes U+FFFD.
    """
    text = _encode(value)
    return _without_infinity(text if text.isascii() else _SURROGATE.sub("\ufffd", text))


def dump_unicode_bytes(text: str, value: Any) -> bytes:
    """Like dump_unicode(), as UTF-8, without a copy of any long string if the sender's `text` is large.

    One emoji makes every character of its string, and of each copy, take four bytes.
    """
    return b"".join(_dump_chunks(value)) if sys.getsizeof(text) > _LARGE else dump_unicode(value).encode()


def _dump_chunks(value: Any) -> Iterator[bytes]:
    if type(value) is dict and value:
        for before, (name, member) in zip(chain(b"{", repeat(ord(","))), value.items(), strict=False):
            yield b"%c%b:" % (before, dump_unicode(name).encode())
            yield from _dump_chunks(member)
        yield b"}"
    elif type(value) is list and value:
        for before, item in zip(chain(b"[", repeat(ord(","))), value, strict=False):
            yield b"%c" % before
            yield from _dump_chunks(item)
        yield b"]"
    elif type(value) is str and len(value) > _CHUNK:
        yield b'"'
        for at in range(0, len(value), _CHUNK):
            yield dump_unicode(value[at : at + _CHUNK])[1:-1].encode()
        yield b'"'
    else:
        yield dump_unicode(value).encode()


def _without_infinity(text: str) -> str:
    if "Infinity" in text:  # 1e400 is parsed as infinity, which only Python writes as a word
        text = _INFINITY.sub(lambda found: found[1] or "1e999", text)
    return text


def _is_same(old: Any, new: Any) -> bool:
    """True is not 1, and 1 is not 1.0. Equal containers are not the same: they are walked."""
    return old is new or (type(old) is type(new) and not isinstance(new, dict | list) and old == new)


def _edit_value(text: str, at: int, old: Any, new: Any, edits: Edits, *, whole: bool = True) -> int:
    """Add the edits that turn `old`, the value at `at`, into `new`. Returns its end if `whole`."""
    if _is_same(old, new):
        return _end_of(text, at) if whole else at
    if type(old) is dict and type(new) is dict and text[at] == "{":
        return _edit_members(text, at, old, new, edits, whole)
    if type(old) is list and type(new) is list and text[at] == "[":
        return _edit_members(text, at, dict(enumerate(old)), dict(enumerate(new)), edits, whole)
    end = _end_of(text, at)
    edits.append((at, end, dump(new)))
    return end


def _edit_members(text: str, at: int, old: Members, new: Members, edits: Edits, whole: bool) -> int:
    """Edit the members of an object, or the items of an array under their positions. Returns its end."""
    keyed, left = text[at] == "{", {name for name in old if not _is_same(old[name], new.get(name, _ABSENT))}
    removed_texts: dict[int, str] = {}  # of each removed value, by its identity
    removed: int | None = None  # where a run of removed members began
    at = first = tail = end = _skip(_SPACE, text, at + 1)  # tail: end of the last that stays; end: of all
    for position in count():
        if text[at] in "]}":
            break
        if removed is None and not (whole or left):  # the rest stays as it is
            end = tail = _rstrip(text, text.rindex("}" if keyed else "]"))
            break
        start, (name, at) = at, _name(text, at) if keyed else (position, at)
        if name in new:
            if removed is not None:
                edits.append((removed, start, ""))
                removed = None
            end = tail = _edit_value(text, at, old.get(name), new[name], edits)
        else:
            removed, end = start if removed is None else removed, _end_of(text, at)
            removed_texts[id(old.get(name))] = text[at:end]
        left.discard(name)
        at = _skip(_COMMA, text, end)
    added = ",".join([_member(name, new[name], removed_texts, keyed) for name in new if name not in old])
    edits.append((end if removed is None else tail, end, "," + added if added and tail > first else added))
    return at + 1


def _name(text: str, at: int) -> tuple[str, int]:
    """Return the name of a member and the start of its value."""
    name, at = _scan(text, at)
    return name, _skip(_COLON, text, at)


def _end_of(text: str, at: int) -> int:
    return _scan(text, at)[1]


def _rstrip(text: str, end: int) -> int:
    """Return the start of the white space before `end`, as a rule without a copy of the whole text."""
    start = max(0, end - _CHUNK)
    last = text[start:end].rstrip(_BLANK)
    return start + len(last) if last else len(text[:end].rstrip(_BLANK))


def _skip(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    assert found is not None
    return found.end()


def _member(name: Any, value: Any, removed_texts: Mapping[int, str], keyed: bool) -> str:
    text = removed_texts.get(id(value)) or dump(value)
    return f"{dump(name)}:{text}" if keyed else text

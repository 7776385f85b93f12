"""Parses JSON as RFC 8259 defines it, and refuses what parsers read in different ways.

A body must mean the same to Sluice and to the provider. The C scanner of `json` parses it, and accepts
repeated names, NaN and any depth. These are refused afterwards; only then is the text read again to find the
place. A repeated name is lost in a dict, so the value then has fewer strings than the text.
https://www.rfc-editor.org/rfc/rfc8259
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

from handler.errors import InvalidRequest, TooLarge
from handler.wire.json_memory import SMALL, takes_more_memory

MAX_DEPTH = 100
MAX_PARSED = 24_000_000  # bytes that the lists, objects, names and numbers of a body may take
MAX_DIGITS = 4300  # of an integer; int() refuses more, because parsing them takes quadratic time

_TOKEN = re.compile(
    r'(?P<string>"(?:[^"\\]++|\\.)*+")(?P<colon>[ \t\n\r]*:)?'
    r"|(?P<open>[\[{])|(?P<close>[\]}])|(?P<constant>NaN|-?Infinity)|(?P<number>-?[0-9][0-9.eE+-]*)",
    re.DOTALL,
)


class _Refused(ValueError):
    """The text has something that RFC 8259 or Sluice forbids, at a place that is not known."""


def _refuse_constant(_name: str) -> Any:
    raise _Refused


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)


def loads(body: bytes, *, max_depth: int = MAX_DEPTH) -> tuple[str, Any]:
    """Return the text of `body` and its value.

    Raises InvalidRequest `invalid_json` with the problem and its place, and TooLarge for too many values.
    """
    text = _text_of(body)
    if takes_more_memory(text, MAX_PARSED):
        too_many = TooLarge("The request has too many values for its size: objects, lists, names, numbers.")
        raise _find_too_deep(text[:SMALL], max_depth) or too_many
    try:
        return text, decode(text, max_depth=max_depth)
    except json.JSONDecodeError as error:
        raise _invalid(f"{error.msg[0].lower()}{error.msg[1:]}", text, error.pos) from None
    except (RecursionError, ValueError):
        raise _find_problem(text, max_depth) from None


def decode(text: str, *, max_depth: int = MAX_DEPTH) -> Any:
    """Return the value of a JSON text. Raises ValueError or RecursionError, mostly without the place."""
    value = _DECODER.decode(text)  # raises ValueError for MAX_DIGITS too
    depth, strings = _measure(value)
    if depth > max_depth or strings != _count_strings(text):
        raise _Refused
    return value


def _measure(value: Any) -> tuple[int, int]:
    """Return the depth of a value that was just parsed, and the number of its strings and names."""
    depth, strings, level = 0, int(type(value) is str), [value] if type(value) in (dict, list) else []
    while level:
        depth, below = depth + 1, []
        for parent in level:
            if type(parent) is dict:
                strings += len(parent)
                parent = parent.values()
            for child in parent:
                kind = type(child)
                if kind is str:
                    strings += 1
                elif kind is dict or kind is list:
                    below.append(child)
        level = below
    return depth, strings


def _count_strings(text: str) -> int:
    """Count the strings and names in a JSON text: each has two quotation marks, and nothing else has any."""
    escaped = text.replace(r"\\", "").count(r"\"") if "\\" in text else 0
    return (text.count('"') - escaped) // 2


def is_deeper(value: Any, limit: int) -> bool:
    """True if lists and objects are nested more than `limit` deep in `value`."""
    return next(islice(levels(value), limit, None), None) is not None


def levels(value: Any) -> Iterator[list[Any]]:
    """Yield the lists and objects in `value`, one list for each depth, from the outside in."""
    level = [value] if isinstance(value, dict | list) else []
    while level:
        yield level
        level = [
            child
            for parent in level
            for child in (parent.values() if isinstance(parent, dict) else parent)
            if isinstance(child, dict | list)
        ]


def _text_of(body: bytes) -> str:
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        problem = f"The body is not UTF-8: byte 0x{body[error.start]:02x} at position {error.start}."
        raise InvalidRequest(problem, code="invalid_json") from None
    if text.startswith("\ufeff"):
        raise _invalid("a byte order mark before the JSON", text, 0)
    if not text.strip(" \t\n\r"):
        raise InvalidRequest("The body is empty; a JSON object was expected.", code="invalid_json")
    return text


def _invalid(problem: str, text: str, at: int) -> InvalidRequest:
    line, column = text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)
    place = f"line {line}, column {column} (character {at})"
    return InvalidRequest(f"The body is not valid JSON: {problem} at {place}.", code="invalid_json")


def _find_problem(text: str, max_depth: int) -> InvalidRequest:
    """Find the first place in `text` that was refused; the text before it is well formed."""
    names: list[set[str]] = []  # of each list and object that is open
    for token in _TOKEN.finditer(text):
        problem = None
        match token.lastgroup:
            case "open":
                names.append(set())
                problem = f"nested more than {max_depth} deep" if len(names) > max_depth else None
            case "close":
                names.pop()
            case "colon":
                problem = _add_name(names[-1], token["string"])
            case "constant":
                problem = f"{token[0]} is not a JSON value"
            case "number" if len(token[0].lstrip("-")) > MAX_DIGITS and token[0].lstrip("-").isdigit():
                problem = f"an integer of more than {MAX_DIGITS} digits"
        if problem:
            return _invalid(problem, text, token.start())
    return InvalidRequest("The body is nested too deep.", code="invalid_json")


def _find_too_deep(text: str, max_depth: int) -> InvalidRequest | None:
    """Find the place where a text, which may not be JSON, is nested too deep."""
    depth = 0
    for token in _TOKEN.finditer(text):
        depth += (token.lastgroup == "open") - (token.lastgroup == "close")
        if depth > max_depth:
            return _invalid(f"nested more than {max_depth} deep", text, token.start())
    return None


def _add_name(names: set[str], literal: str) -> str | None:
    """Add a name to those of its object; returns the problem if it is there already."""
    name = json.loads(literal)
    if name in names:
        return f"the name {json.dumps(name[:80])} appears twice in one object,"
    names.add(name)
    return None

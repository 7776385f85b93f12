"""JSON as RFC 8259 has it, stricter where readers differ: bytes must mean the same to us and to the upstream.

The C scanner of `json` does the work. What it lets through (repeated names, NaN, any depth) is refused, and
only then the text is read again, for the place. https://www.rfc-editor.org/rfc/rfc8259
A name that stands twice is lost on the way into a dict: so fewer texts are in the value than in the text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

from handler.errors import InvalidRequest, TooLarge
from handler.wire.json_memory import LIGHT, takes_more_memory

MAX_DEPTH = 100
MAX_VALUES = 24_000_000  # bytes of memory that the lists, objects, names and numbers of a body may take
LONGEST_INTEGER = (
    4300  # digits; longer ones make Python's int() refuse, because reading them takes quadratic time
)

_TOKEN = re.compile(
    r'(?P<string>"(?:[^"\\]++|\\.)*+")(?P<colon>[ \t\n\r]*:)?'
    r"|(?P<open>[\[{])|(?P<close>[\]}])|(?P<constant>NaN|-?Infinity)|(?P<number>-?[0-9][0-9.eE+-]*)",
    re.DOTALL,
)


class _Refused(ValueError):
    """A text holds what RFC 8259 or Sluice forbids, at an unknown place."""


def _constant(_name: str) -> Any:
    raise _Refused


_DECODER = json.JSONDecoder(parse_constant=_constant)


def loads(body: bytes, *, max_depth: int = MAX_DEPTH) -> tuple[str, Any]:
    """The text of `body` and its value.

    Raises InvalidRequest `invalid_json`, with what is wrong where, and TooLarge for too many values.
    """
    text = _text(body)
    if takes_more_memory(text, MAX_VALUES):
        too_many = TooLarge("The request has too many values for its size: objects, lists, names, numbers.")
        raise _too_deep(text[:LIGHT], max_depth) or too_many
    try:
        return text, decode(text, max_depth=max_depth)
    except json.JSONDecodeError as error:
        raise _invalid(f"{error.msg[0].lower()}{error.msg[1:]}", text, error.pos) from None
    except (RecursionError, ValueError):
        raise _first_problem(text, max_depth) from None


def decode(text: str, *, max_depth: int = MAX_DEPTH) -> Any:
    """The value of a JSON text. Raises ValueError or RecursionError, mostly without the place."""
    value = _DECODER.decode(text)  # ValueError: of int() too, which has a limit
    depth, texts = _measured(value)
    if depth > max_depth or texts != _texts(text):
        raise _Refused
    return value


def _measured(value: Any) -> tuple[int, int]:
    """How deep the lists and objects of a value just parsed are nested; how many texts it has, with names."""
    depth, texts, level = 0, int(type(value) is str), [value] if type(value) in (dict, list) else []
    while level:
        depth, below = depth + 1, []
        for parent in level:
            if type(parent) is dict:
                texts += len(parent)
                parent = parent.values()
            for child in parent:
                kind = type(child)
                if kind is str:
                    texts += 1
                elif kind is dict or kind is list:
                    below.append(child)
        level = below
    return depth, texts


def _texts(text: str) -> int:
    """How many there are in a JSON text: nothing else has quotation marks, two of them."""
    escaped = text.replace(r"\\", "").count(r"\"") if "\\" in text else 0
    return (text.count('"') - escaped) // 2


def is_deeper(value: Any, limit: int) -> bool:
    """Whether lists and objects are nested more than `limit` deep in `value`."""
    return next(islice(levels(value), limit, None), None) is not None


def levels(value: Any) -> Iterator[list[Any]]:
    """The lists and objects in `value`, one list for each depth, from the outside in."""
    level = [value] if isinstance(value, dict | list) else []
    while level:
        yield level
        level = [
            child
            for parent in level
            for child in (parent.values() if isinstance(parent, dict) else parent)
            if isinstance(child, dict | list)
        ]


def _text(body: bytes) -> str:
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        problem = f"The body is not UTF-8: byte 0x{body[error.start]:02x} at position {error.start}."
        raise InvalidRequest(problem, code="invalid_json") from None
    if text.startswith("\ufeff"):
        raise _invalid("a byte order mark stands before the JSON", text, 0)
    if not text.strip(" \t\n\r"):
        raise InvalidRequest("The body is empty; a JSON object was expected.", code="invalid_json")
    return text


def _invalid(problem: str, text: str, at: int) -> InvalidRequest:
    line, column = text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)
    place = f"line {line}, column {column} (character {at})"
    return InvalidRequest(f"The body is not valid JSON: {problem} at {place}.", code="invalid_json")


def _first_problem(text: str, max_depth: int) -> InvalidRequest:
    """The first thing in `text` that stopped the scanner; what stands before it is well formed."""
    names: list[set[str]] = []  # of every list and object that is open
    for token in _TOKEN.finditer(text):
        problem = None
        match token.lastgroup:
            case "open":
                names.append(set())
                problem = f"nested more than {max_depth} deep" if len(names) > max_depth else None
            case "close":
                names.pop()
            case "colon":
                problem = _repeated(names[-1], token["string"])
            case "constant":
                problem = f"{token[0]} is no JSON value"
            case "number" if len(token[0].lstrip("-")) > LONGEST_INTEGER and token[0].lstrip("-").isdigit():
                problem = f"an integer of more than {LONGEST_INTEGER} digits"
        if problem:
            return _invalid(problem, text, token.start())
    return InvalidRequest("The body is nested too deep.", code="invalid_json")


def _too_deep(text: str, max_depth: int) -> InvalidRequest | None:
    """The place where a text that may be no JSON goes too deep; None where it does not."""
    depth = 0
    for token in _TOKEN.finditer(text):
        depth += (token.lastgroup == "open") - (token.lastgroup == "close")
        if depth > max_depth:
            return _invalid(f"nested more than {max_depth} deep", text, token.start())
    return None


def _repeated(names: set[str], literal: str) -> str | None:
    name = json.loads(literal)
    if name in names:
        return f"the name {json.dumps(name[:80])} stands twice in one object,"
    names.add(name)
    return None

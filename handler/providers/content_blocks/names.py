"""Names and ids as providers take them, with no table kept: a name in an answer tells the one it stands for.

A tool's name is `[A-Za-z0-9_-]+` to Anthropic and to Bedrock. Any other character is written as `_x2e_`,
its code point; an underscore that would be read as the start of such a thing is written so too, so that every
name has its own spelling and goes back to itself.
https://platform.claude.com/docs/en/agents-and-tools/tool-use
"""

from __future__ import annotations

import json
import re
from hashlib import sha256

_CUSTOM = "_xct_"  # before the name of a custom tool, which takes text and not an object
_SPELLED = "_xan_"  # before that of a tool whose arguments have spelled names (argument_names.py)
_ESCAPED = re.compile(r"_x([0-9a-f]{2,6})_")
_TO_ESCAPE = re.compile(r"[^A-Za-z0-9_-]|_(?=x(?:[0-9a-f]{2,6}|ct|an)(?:_|[^A-Za-z0-9_-]))")
_NOT_IN_AN_ID = re.compile(r"[^A-Za-z0-9_-]")
_NINE = re.compile(r"[A-Za-z0-9]{9}")


def spelled(name: str, *, custom: bool = False) -> str:
    """The name in those letters. It may be too long then."""
    return (_CUSTOM if custom else "") + _TO_ESCAPE.sub(lambda found: f"_x{ord(found[0]):02x}_", name)


def with_spelled_arguments(name: str) -> str:
    """The encoded name of a tool that marks its arguments' names as encoded."""
    return _SPELLED + name


def has_spelled_arguments(name: str) -> bool:
    return name.startswith(_SPELLED)


def meant(name: str) -> tuple[str, bool]:
    """The client's own name of a tool, and whether it is a custom one."""
    name = name.removeprefix(_SPELLED)
    plain = name.removeprefix(_CUSTOM)
    return _ESCAPED.sub(lambda found: _character(found[1], found[0]), plain), plain != name


def meant_arguments(arguments: str) -> str:
    """The JSON text of a call's arguments, with the client's own names again."""
    try:
        spelled = json.loads(arguments)
        named = {meant(name)[0]: value for name, value in spelled.items()}
        return json.dumps(named, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except (ValueError, RecursionError, AttributeError):
        return arguments


def _character(code: str, otherwise: str) -> str:
    point = int(code, 16)
    return chr(point) if point <= 0x10FFFF else otherwise  # a model may say any name


def fitting(id: str, *, longest: int = 1000) -> str:
    """The id of a call, or one made of it: the same for the call and its result, today and tomorrow."""
    if id and len(id) <= longest and not _NOT_IN_AN_ID.search(id):
        return id
    return f"{_NOT_IN_AN_ID.sub('_', id)[:48]}_{_digest(id)[:8]}"


def nine(id: str) -> str:
    """The same for models that want nine letters and digits."""
    return id if _NINE.fullmatch(id) else _digest(id)[:9]


def _digest(id: str) -> str:
    return sha256(id.encode("utf-8", "surrogatepass")).hexdigest()

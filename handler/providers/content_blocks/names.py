"""Encodes tool names and call ids for Anthropic and Bedrock. Names can be decoded again without a table.

Tool names must match `[A-Za-z0-9_-]+`. Any other character becomes its code point, as in `_x2e_`. An
underscore that would look like the start of such an escape is escaped too, so that each name has one encoding
and decodes to itself.
https://platform.claude.com/docs/en/agents-and-tools/tool-use
"""

from __future__ import annotations

import json
import re
from hashlib import sha256

_CUSTOM = "_xct_"  # prefix of a custom tool, which takes text instead of an object
_ENCODED_ARGUMENTS = "_xan_"  # prefix of a tool whose arguments have encoded names (argument_names.py)
_ESCAPE = re.compile(r"_x([0-9a-f]{2,6})_")
_TO_ESCAPE = re.compile(r"[^A-Za-z0-9_-]|_(?=x(?:[0-9a-f]{2,6}|ct|an)(?:_|[^A-Za-z0-9_-]))")
_NOT_IN_AN_ID = re.compile(r"[^A-Za-z0-9_-]")
_NINE_CHARS = re.compile(r"[A-Za-z0-9]{9}")


def encode_name(name: str, *, custom: bool = False) -> str:
    """Encode the name of a tool. The result may be longer than a provider allows."""
    return (_CUSTOM if custom else "") + _TO_ESCAPE.sub(lambda found: f"_x{ord(found[0]):02x}_", name)


def decode_name(name: str) -> tuple[str, bool]:
    """Return the client's name of a tool, and True if it is a custom tool."""
    name = name.removeprefix(_ENCODED_ARGUMENTS)
    plain = name.removeprefix(_CUSTOM)
    return _ESCAPE.sub(lambda found: _character(found[1], found[0]), plain), plain != name


def mark_arguments_encoded(name: str) -> str:
    """Add the prefix that tells `decode_arguments` to decode the names of the arguments."""
    return _ENCODED_ARGUMENTS + name


def has_encoded_arguments(name: str) -> bool:
    return name.startswith(_ENCODED_ARGUMENTS)


def decode_arguments(arguments: str) -> str:
    """Decode the argument names in the JSON text of a call. Other text is returned as it is."""
    try:
        named = {decode_name(name)[0]: value for name, value in json.loads(arguments).items()}
        return json.dumps(named, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except (ValueError, RecursionError, AttributeError):
        return arguments


def _character(code: str, otherwise: str) -> str:
    point = int(code, 16)
    return chr(point) if point <= 0x10FFFF else otherwise  # a model may invent a name


def valid_call_id(id: str, *, max_length: int = 1000) -> str:
    """Return the id if it is valid, else an id derived from it, which is the same in every request."""
    if id and len(id) <= max_length and not _NOT_IN_AN_ID.search(id):
        return id
    return f"{_NOT_IN_AN_ID.sub('_', id)[:48]}_{_digest(id)[:8]}"


def nine_char_id(id: str) -> str:
    """The same as `valid_call_id`, for models that require nine letters and digits."""
    return id if _NINE_CHARS.fullmatch(id) else _digest(id)[:9]


def _digest(id: str) -> str:
    return sha256(id.encode("utf-8", "surrogatepass")).hexdigest()

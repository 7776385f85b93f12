"""Puts state into an opaque text that a client sends back unchanged, and reads it again.

Formats have fields that clients return as they got them: Anthropic's `signature`, `encrypted_content` of
Responses, Gemini's `thoughtSignature`. Sluice stores in them what other models need in the next request. The
text is valid base64 as a whole, prefix included, because clients may decode it and encode it again, in either
alphabet. It is not secret and not signed: a client could write the same values into its request.
"""

from __future__ import annotations

import binascii
import zlib
from base64 import b64decode, b64encode

from handler.errors import Json
from handler.wire.json_memory import takes_more_memory
from handler.wire.splice import dump
from handler.wire.strict_json import decode

PREFIX = "sluicev1"  # eight characters, which are six whole bytes of base64
LARGEST = 8_000_000  # characters of a text that is read
_SMALL = 300  # bytes of JSON that are not compressed
_MAX_RATIO = 3  # of compression, so that a small text cannot fill the memory
_MAX_DEPTH = 16


def encode_state(state: Json) -> str:
    """Return the text of a state. The same state has the same text."""
    data = dump(state).encode()
    if len(data) > _SMALL:
        packed = zlib.compress(data)
        data = packed if len(data) <= _MAX_RATIO * len(packed) else data
    return PREFIX + b64encode(data).decode()


def decode_state(text: str) -> Json | None:
    """Return the state of a text that encode_state() made; None for any other text."""
    if not text.startswith(PREFIX) or len(text) > LARGEST:
        return None
    try:
        data = b64decode(_standard(text[len(PREFIX) :]), validate=True)
        json_text = (data if data.startswith(b"{") else _decompress(data)).decode()
        if takes_more_memory(json_text, 8 * len(json_text) + 4000, small=0):
            return None
        value = decode(json_text, max_depth=_MAX_DEPTH)
    except (ValueError, RecursionError, zlib.error, binascii.Error):
        return None
    return value if isinstance(value, dict) else None


def is_state(text: object) -> bool:
    """True if the text begins as encode_state() does, so that no provider knows it."""
    return isinstance(text, str) and text.startswith(PREFIX)


def _standard(encoded: str) -> str:
    """Return base64 in the standard alphabet, padded."""
    plain = encoded.replace("-", "+").replace("_", "/").rstrip("=")
    return plain + "=" * (-len(plain) % 4)


def _decompress(data: bytes) -> bytes:
    decompressor = zlib.decompressobj()
    found = decompressor.decompress(data, _MAX_RATIO * len(data))
    if not decompressor.eof:
        raise ValueError("incomplete or too large")
    return found

"""Vectors of embeddings in the form that the client asked for: lists of numbers, or floats in base64.

Many providers ignore `encoding_format`. Only the vectors are rewritten: everything else keeps its
bytes, and a large answer is never parsed as a whole. https://platform.openai.com/docs/api-reference/embeddings
"""

from __future__ import annotations

import binascii
import json
import re
import sys
from array import array
from base64 import b64decode, b64encode
from collections.abc import Sequence
from typing import Any

from handler.errors import Json

BASE64 = "base64"
_MOST = 3.4028235e38  # of a float of 32 bits
_LIST = re.compile(rb'"embedding"\s*:\s*\[([^\[\]]*+)\]')
_TEXT = re.compile(rb'"embedding"\s*:\s*"([A-Za-z0-9+/=\\]*+)"')


def with_encoding(answer: bytes, encoding: object) -> bytes:
    """Return the JSON of an answer with its vectors in this `encoding_format`; what is no vector stays."""
    if encoding == BASE64:
        return _LIST.sub(_replace_list, answer)
    return _TEXT.sub(_replace_text, answer)


def _replace_list(found: re.Match[bytes]) -> bytes:
    try:
        return b'"embedding":"%b"' % encode(json.loads(b"[%b]" % found[1])).encode()
    except (ValueError, TypeError, OverflowError):
        return found[0]


def _replace_text(found: re.Match[bytes]) -> bytes:
    try:
        numbers = decode(found[1].replace(b"\\/", b"/"))
        return b'"embedding":%b' % json.dumps(numbers, allow_nan=False).encode()
    except (ValueError, binascii.Error):
        return found[0]


def is_vector(value: object) -> bool:
    """Return True for a list of numbers which floats of 32 bits can be."""
    if not (isinstance(value, list) and value and {*map(type, value)} <= {int, float}):
        return False
    numbers: list[float] = value
    return min(numbers) >= -_MOST and max(numbers) <= _MOST


def encode(vector: Sequence[float]) -> str:
    """Return numbers as base64 of little-endian floats. Raises TypeError for anything else."""
    floats = array("f", vector)
    if sys.byteorder == "big":
        floats.byteswap()
    return b64encode(floats.tobytes()).decode()


def decode(data: bytes) -> list[float]:
    """Return the numbers of encode(). Raises ValueError."""
    floats = array("f")
    floats.frombytes(b64decode(data, validate=True))
    if sys.byteorder == "big":
        floats.byteswap()
    return floats.tolist()


def embeddings(vectors: Sequence[Any], body: Json, tokens: int | None) -> Json:
    """Return an answer with these vectors. body: the client's; tokens: as the provider reports them."""
    as_text = body.get("encoding_format") == BASE64
    data = [
        {"object": "embedding", "index": index, "embedding": encode(vector) if as_text else vector}
        for index, vector in enumerate(vectors)
    ]
    usage = {} if tokens is None else {"usage": {"prompt_tokens": tokens, "total_tokens": tokens}}
    return {"object": "list", "data": data, **usage}

"""The adopted rules as State keeps them: gzip of JSON, in pieces that fit an item."""

from __future__ import annotations

import gzip
import json
import zlib
from base64 import b64encode
from collections.abc import Iterable, Mapping
from typing import Any

from handler.store.attributes import Item, deserialize_item, serialize_item

PART = 380_000  # bytes of a piece; DynamoDB takes 400 KB


def packed(items: Iterable[Mapping[str, Any]]) -> list[bytes]:
    """The pieces; the same records give the same bytes."""
    typed = sorted((serialize_item(item) for item in items), key=_json)
    whole = gzip.compress(_json(typed).encode(), mtime=0)
    return [whole[start : start + PART] for start in range(0, len(whole), PART)]


def unpacked(parts: Iterable[bytes]) -> list[Item]:
    """The records again. Raises ValueError for what is none of ours."""
    try:
        text = zlib.decompress(b"".join(parts), wbits=31)
        return [deserialize_item(item) for item in json.loads(text)]
    except (AttributeError, TypeError, zlib.error) as error:
        raise ValueError("no packed records") from error


def _json(value: Any) -> str:
    return json.dumps(value, default=_text, sort_keys=True, separators=(",", ":"))


def _text(binary: bytes) -> str:
    return b64encode(binary).decode()

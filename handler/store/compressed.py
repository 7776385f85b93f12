"""Compresses the adopted rules for the State table: gzip of JSON, in parts that fit an item."""

from __future__ import annotations

import gzip
import json
import zlib
from base64 import b64encode
from collections.abc import Iterable, Mapping
from typing import Any

from handler.store.attributes import Item, deserialize_item, serialize_item

ADOPTED = "adopted"  # the id of the item in State that has the rules in force
MAX_PART = 380_000  # bytes; DynamoDB's limit of an item is 400 KB


def compress(items: Iterable[Mapping[str, Any]]) -> list[bytes]:
    """Return the parts. The same records, in any order, give the same bytes."""
    typed = sorted((serialize_item(item) for item in items), key=_json)
    whole = gzip.compress(_json(typed).encode(), mtime=0)
    return [whole[start : start + MAX_PART] for start in range(0, len(whole), MAX_PART)]


def decompress(parts: Iterable[bytes]) -> list[Item]:
    """Return the records. Raises ValueError for bytes that `compress` did not make."""
    try:
        text = zlib.decompress(b"".join(parts), wbits=31)
        return [deserialize_item(item) for item in json.loads(text)]
    except (AttributeError, TypeError, zlib.error) as error:
        raise ValueError("not compressed records") from error


def _json(value: Any) -> str:
    return json.dumps(value, default=_base64, sort_keys=True, separators=(",", ":"))


def _base64(binary: bytes) -> str:
    return b64encode(binary).decode()

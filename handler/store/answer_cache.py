"""Stores cached answers: small ones in the State table, large ones in the bucket if there is one.

    {"id": "cache/5b9f.../e3b0...", "expires_at": 1763600600,    DynamoDB deletes it some time after that
     "stored_at": 1763600000.5, "body": <gzip of the completion>, "schema": "native", "dropped": ["seed"]}

In place of `body`, the item of a large answer has `digest`: the SHA-256 of the object under the same name in
the bucket. An item or object that cannot be read counts as absent.
"""

from __future__ import annotations

import asyncio
import gzip
import zlib
from hashlib import sha256
from math import ceil
from typing import NamedTuple, Protocol

from handler.store.attributes import Item
from handler.store.items import Items, within

MAX_ITEM = 300_000  # bytes of a body in State, compressed; DynamoDB's limit of an item is 400 KB
MAX_BODY = 10_000_000  # bytes of a body, not compressed
ITEM_WAIT, OBJECT_WAIT = 0.5, 2.0  # seconds that a request waits for the table, and for the bucket
OBJECT_TTL = 30 * 86_400  # seconds; then the bucket deletes the object (template.yaml)
SKEW = 300.0  # seconds by which the clock of another instance may be ahead


class CachedAnswer(NamedTuple):
    """A whole completion as JSON, without what was added for one request, and its headers' values."""

    body: bytes
    stored_at: float  # epoch seconds
    schema: str | None = None  # the mode of structured output
    dropped: tuple[str, ...] = ()


class Objects(Protocol):
    """The calls on the bucket."""

    async def get(self, key: str) -> bytes | None: ...
    async def put(self, key: str, data: bytes) -> None: ...


class AnswerCache:
    """The cached answers of all instances. Every method raises StoreError."""

    def __init__(self, items: Items, objects: Objects | None = None) -> None:
        self._items = items
        self._objects = objects

    async def get(self, id: str, *, ttl: float, now: float) -> CachedAnswer | None:
        """Return an answer that is less than `ttl` seconds old: DynamoDB deletes expired items late."""
        item = await within(ITEM_WAIT, self._items.get(id)) or {}
        try:
            age, small = now - float(item["stored_at"]), "body" in item
            if not -SKEW <= age < (ttl if small else min(ttl, OBJECT_TTL)):
                return None
            data = item["body"] if small else await self._object(id, item["digest"])
            return None if data is None else _read(item, data)
        except (ArithmeticError, LookupError, TypeError, ValueError, zlib.error):
            return None

    async def put(self, id: str, answer: CachedAnswer, *, ttl: float) -> None:
        """Store an answer, unless it is too large."""
        if len(answer.body) > MAX_BODY:
            return
        data = await asyncio.to_thread(gzip.compress, answer.body, mtime=0)
        item: Item = {"id": id, "stored_at": answer.stored_at, "expires_at": ceil(answer.stored_at + ttl)}
        item |= {"schema": answer.schema} if answer.schema else {}
        item |= {"dropped": list(answer.dropped)} if answer.dropped else {}
        if len(data) <= MAX_ITEM:
            await self._items.put({**item, "body": data})
        elif self._objects is not None:
            await self._objects.put(id, data)
            await self._items.put({**item, "digest": sha256(data).hexdigest()})

    async def _object(self, id: str, digest: str) -> bytes | None:
        """Return an object's bytes; None if there is none, or another one than the item means."""
        data = None if self._objects is None else await within(OBJECT_WAIT, self._objects.get(id))
        return data if data is not None and sha256(data).hexdigest() == digest else None


def _read(item: Item, data: bytes) -> CachedAnswer:
    """Return the answer of an item. Raises what AnswerCache.get catches."""
    schema, dropped = item.get("schema"), item.get("dropped", [])
    if not all(isinstance(text, str) for text in (schema or "", *dropped)):
        raise TypeError("not texts")
    return CachedAnswer(_decompress(data), float(item["stored_at"]), schema, tuple(dropped))


def _decompress(data: bytes) -> bytes:
    """Return what was compressed. Raises ValueError for more than MAX_BODY, and zlib.error."""
    reader = zlib.decompressobj(wbits=31)
    body = reader.decompress(data, MAX_BODY)
    if not reader.eof or reader.unused_data:
        raise ValueError("not one compressed body of a permitted size")
    return body

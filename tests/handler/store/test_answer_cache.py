"""Cached answers in the State table and in the bucket: sizes, age, and items that others wrote."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import Iterator, Mapping
from decimal import Decimal
from hashlib import sha256
from random import Random
from typing import Any

import pytest

from handler.aws.errors import StoreError
from handler.store.answer_cache import (
    ITEM_WAIT,
    MAX_BODY,
    MAX_ITEM,
    OBJECT_TTL,
    OBJECT_WAIT,
    SKEW,
    AnswerCache,
    CachedAnswer,
)
from handler.store.items import Items
from tests.support.buckets import bucket
from tests.support.state import InlineItems, MemoryItems
from tests.support.tables import SETTINGS, dynamodb
from tests.support.virtual_clock import timed

ID = "cache/p/k"
NOW = 1_763_600_000.25
ANSWER = CachedAnswer(b'{"choices":[]}', NOW, "tool", ("seed", "top_k"))


def noise(size: int) -> bytes:
    """Bytes that do not compress."""
    return Random(1).randbytes(size)


@pytest.fixture
def items() -> Iterator[Items]:
    with dynamodb() as client:
        yield InlineItems(client, SETTINGS.state_table)


class Objects:
    """A bucket in memory. A read takes `seconds`."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.objects: dict[str, bytes] = {}
        self.seconds = seconds

    async def put(self, key: str, data: bytes) -> None:
        self.objects[key] = data

    async def get(self, key: str) -> bytes | None:
        await asyncio.sleep(self.seconds)
        return self.objects.get(key)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(ANSWER, id="with its mode and the dropped fields"),
        pytest.param(CachedAnswer(b"{}", NOW), id="with neither"),
    ],
)
async def test_an_answer_is_read_as_it_was_stored(items: Items, answer: CachedAnswer) -> None:
    cache = AnswerCache(items)
    await cache.put(ID, answer, ttl=60)
    assert await cache.get(ID, ttl=60, now=NOW + 1) == answer
    assert await cache.get("cache/p/other", ttl=60, now=NOW + 1) is None


async def test_an_item_expires_with_its_answer(items: Items) -> None:
    await AnswerCache(items).put(ID, ANSWER, ttl=60)
    item = await items.get(ID)
    assert item is not None
    assert item["expires_at"] == 1_763_600_061, "whole seconds, not before the answer"
    assert set(item) == {"id", "expires_at", "stored_at", "body", "schema", "dropped"}


@pytest.mark.parametrize(
    ("age", "ttl", "found"),
    [
        pytest.param(0, 60, True, id="new"),
        pytest.param(59.99, 60, True, id="just before the end"),
        pytest.param(60, 60, False, id="at the end"),
        pytest.param(60, 3600, True, id="the record was given a longer time since"),
        pytest.param(60, 10, False, id="the record was given a shorter time since"),
        pytest.param(-SKEW, 60, True, id="another instance's clock is ahead"),
        pytest.param(-SKEW - 1, 60, False, id="no clock is that far ahead"),
    ],
)
async def test_age_is_compared_when_an_answer_is_read(age: float, ttl: float, found: bool) -> None:
    cache = AnswerCache(MemoryItems())
    await cache.put(ID, ANSWER, ttl=60)
    assert (await cache.get(ID, ttl=ttl, now=NOW + age) is not None) is found


@pytest.mark.parametrize(
    ("extra", "in_item"),
    [
        pytest.param(0, True, id="300 KB is an item"),
        pytest.param(1, False, id="a byte more is an object"),
    ],
)
async def test_a_large_answer_goes_into_the_bucket(extra: int, in_item: bool) -> None:
    overhead = len(gzip.compress(noise(MAX_ITEM - 1000))) - (MAX_ITEM - 1000)
    body = noise(MAX_ITEM - overhead + extra)
    assert len(gzip.compress(body)) == MAX_ITEM + extra
    items, objects = MemoryItems(), Objects()
    cache = AnswerCache(items, objects)
    await cache.put(ID, CachedAnswer(body, NOW), ttl=1e6)
    assert await cache.get(ID, ttl=1e6, now=NOW) == CachedAnswer(body, NOW)
    assert ("body" in items.items[ID], ID in objects.objects) == (in_item, not in_item)
    alone = AnswerCache(without := MemoryItems())
    await alone.put(ID, CachedAnswer(body, NOW), ttl=60)
    assert bool(without.items) is in_item, "without a bucket it is not stored"


async def test_a_real_item_and_a_real_object_have_room(items: Items) -> None:
    with bucket() as objects:
        cache = AnswerCache(items, objects)
        for size in (MAX_ITEM - 1000, MAX_ITEM + 1000):
            answer = CachedAnswer(noise(size), NOW)
            await cache.put(ID, answer, ttl=60)
            assert await cache.get(ID, ttl=60, now=NOW) == answer


async def test_an_answer_over_the_limit_is_not_stored() -> None:
    items = MemoryItems()
    await AnswerCache(items, Objects()).put(ID, CachedAnswer(b" " * (MAX_BODY + 1), NOW), ttl=60)
    assert items.items == {}


@pytest.mark.parametrize(
    ("age", "found"),
    [
        pytest.param(OBJECT_TTL - 1, True, id="the bucket still has it"),
        pytest.param(OBJECT_TTL, False, id="the bucket may have deleted it"),
    ],
)
async def test_an_object_is_used_as_long_as_the_bucket_keeps_it(age: float, found: bool) -> None:
    cache = AnswerCache(MemoryItems(), Objects())
    await cache.put(ID, CachedAnswer(noise(MAX_ITEM), NOW), ttl=10 * OBJECT_TTL)
    assert (await cache.get(ID, ttl=10 * OBJECT_TTL, now=NOW + age) is not None) is found


GOOD = {
    "id": ID,
    "stored_at": Decimal("1763600000.25"),
    "expires_at": 1_763_600_061,
    "body": gzip.compress(b"{}"),
}
BOMB = gzip.compress(b" " * (MAX_BODY + 1))


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"stored_at": None}, id="no time"),
        pytest.param({"stored_at": "soon"}, id="a time that is no number"),
        pytest.param({"stored_at": Decimal("NaN")}, id="a time that is not a number"),
        pytest.param({"stored_at": Decimal("1e40")}, id="a time in the far future"),
        pytest.param({"body": b""}, id="an empty body"),
        pytest.param({"body": b"{}"}, id="a body that is not compressed"),
        pytest.param({"body": zlib.compress(b"{}")}, id="a body in another format"),
        pytest.param({"body": gzip.compress(b"{}")[:-1]}, id="a body that is cut"),
        pytest.param({"body": gzip.compress(b"{}") + b"x"}, id="a body with bytes behind it"),
        pytest.param({"body": BOMB}, id="a small body that becomes a large one"),
        pytest.param({"body": "text"}, id="a body that is a text"),
        pytest.param({"schema": 1}, id="a mode that is no text"),
        pytest.param({"dropped": [1]}, id="dropped fields that are no texts"),
        pytest.param({"dropped": 1}, id="dropped fields that are no list"),
    ],
)
async def test_an_item_that_cannot_be_read_is_a_miss(change: Mapping[str, Any]) -> None:
    items = MemoryItems()
    cache = AnswerCache(items)
    items.items[ID] = dict(GOOD)
    assert await cache.get(ID, ttl=60, now=NOW) == CachedAnswer(b"{}", NOW)
    items.items[ID] = {**GOOD, **change}
    assert await cache.get(ID, ttl=60, now=NOW) is None


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(None, id="no object"),
        pytest.param(gzip.compress(b"{}"), id="an object of another answer"),
    ],
)
async def test_an_object_that_the_item_does_not_mean_is_a_miss(data: bytes | None) -> None:
    items, objects = MemoryItems(), Objects()
    cache = AnswerCache(items, objects)
    await cache.put(ID, CachedAnswer(noise(MAX_ITEM), NOW), ttl=60)
    assert await cache.get(ID, ttl=60, now=NOW) is not None
    objects.objects = {} if data is None else {ID: data}
    assert await cache.get(ID, ttl=60, now=NOW) is None
    digest = sha256(BOMB).hexdigest()
    objects.objects, items.items[ID]["digest"] = {ID: BOMB}, digest
    assert await cache.get(ID, ttl=60, now=NOW) is None, "a bomb"
    assert await AnswerCache(items).get(ID, ttl=60, now=NOW) is None, "an instance without a bucket"


async def test_a_slow_table_and_a_slow_bucket_are_not_waited_for() -> None:
    async def read(cache: AnswerCache) -> str:
        with pytest.raises(StoreError) as raised:
            await cache.get(ID, ttl=60, now=NOW)
        return str(raised.value)

    assert await timed(read(AnswerCache(MemoryItems(seconds=9)))) == (ITEM_WAIT, "no answer within 0.5 s")
    slow = AnswerCache(MemoryItems(), Objects(seconds=9))
    await slow.put(ID, CachedAnswer(noise(MAX_ITEM), NOW), ttl=60)
    seconds, message = await timed(read(slow))
    assert (round(seconds, 6), message) == (OBJECT_WAIT, "no answer within 2 s")


async def test_trouble_with_the_table_is_raised() -> None:
    items = MemoryItems()
    items.down = StoreError("throttled")
    cache = AnswerCache(items)
    with pytest.raises(StoreError, match="throttled"):
        await cache.get(ID, ttl=60, now=NOW)
    with pytest.raises(StoreError, match="throttled"):
        await cache.put(ID, ANSWER, ttl=60)

"""Samples in State: how many are taken, when an instance asks again, failures, and reading them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from handler.aws.errors import StoreError
from handler.store.attributes import Item
from handler.store.items import Items, Update
from handler.store.samples import (
    BURST,
    DAY,
    JITTER,
    MOST_READ,
    MOST_WAITING,
    NOT_WRITTEN,
    RETENTION,
    Samples,
    allowed_at,
    read_samples,
    room_at,
)
from tests.support.atomic_items import AtomicItems, Table
from tests.support.inline_client import InlineClient
from tests.support.tables import SETTINGS, dynamodb

MIDNIGHT = datetime(2026, 11, 29, tzinfo=UTC).timestamp()
NOON = MIDNIGHT + DAY / 2


class Instance:
    """One instance that takes samples. Its clock stands until `now` is set."""

    def __init__(self, items: Items, a_day: int = 500, *, now: float = NOON, random: float = 0.0) -> None:
        self.now = now
        self.lines: list[tuple[str, Any]] = []
        self.samples = Samples(
            items,
            a_day,
            now=lambda: self.now,
            random=lambda: random,
            report=lambda message, fields: self.lines.append((message, fields)),
        )

    async def take(self, text: str = "{}") -> bool:
        """Take a sample, as a request does. False: the instance does not even ask."""
        if not self.samples.ready:
            return False
        self.samples.start_write(text)
        await self.samples.settle(30)
        return True


def taken(table: Table) -> list[str]:
    return [id for id in table.items if id.startswith("sample#")]


@pytest.mark.parametrize(
    ("hours", "a_day", "allowed"),
    [
        pytest.param(0, 500, BURST, id="a burst at the beginning of the day"),
        pytest.param(12, 500, 300, id="half of the rest at noon"),
        pytest.param(23.999, 500, 499, id="all at its end"),
        pytest.param(0, 40, 40, id="a small number at any time"),
    ],
)
def test_the_number_that_may_be_taken_grows_over_the_day(hours: float, a_day: int, allowed: int) -> None:
    assert allowed_at(MIDNIGHT + hours * 3600, a_day) == allowed


@pytest.mark.parametrize(
    ("taken", "a_day", "hours"),
    [
        pytest.param(99, 500, 12, id="now, while the burst is not used up"),
        pytest.param(100, 500, 12, id="now, where the day has grown beyond it"),
        pytest.param(300, 500, 12.06, id="with the next one of the day"),
        pytest.param(499, 500, 24, id="at midnight for the last one"),
        pytest.param(500, 500, 24, id="the next day, after the last one"),
        pytest.param(700, 500, 24, id="the next day, where the setting was larger before"),
        pytest.param(40, 40, 24, id="the next day, of a small number"),
        pytest.param(39, 40, 12, id="now, of a small number"),
    ],
)
def test_there_is_room_for_another_one(taken: int, a_day: int, hours: float) -> None:
    room = room_at(NOON, taken, a_day)
    assert room == pytest.approx(MIDNIGHT + hours * 3600)
    assert room == MIDNIGHT + DAY or taken < allowed_at(room + 0.001, a_day)


async def test_a_day_of_busy_instances_has_no_more_samples_than_it_may_have() -> None:
    table, updates = Table(), 0

    async def hook(when: str, method: str) -> None:
        nonlocal updates
        updates += (when, method) == ("before", "update")
        await asyncio.sleep(0)

    instances = [Instance(AtomicItems(table, hook), 120, random=number / 20) for number in range(20)]
    for minute in range(0, 24 * 60, 10):
        for instance in instances:
            instance.now = MIDNIGHT + minute * 60
        await asyncio.gather(*(each.take() for each in instances for _ in range(3)))
        assert len(taken(table)) <= allowed_at(MIDNIGHT + minute * 60, 120)
    assert len(taken(table)) > 110
    assert updates < 120 + 20 * (20 + 1)  # of 8,640 requests: an instance asks when the number has grown
    assert table.items["samples#2026-11-29"]["n"] == len(taken(table))


async def test_an_instance_that_was_refused_asks_again_when_there_is_room() -> None:
    table = Table(items={"samples#2026-11-29": {"id": "samples#2026-11-29", "n": 300}})
    instance = Instance(AtomicItems(table), random=1.0)
    assert await instance.take()
    assert not taken(table)
    assert instance.samples.pause_until == pytest.approx(NOON + 216 + min(216, JITTER))
    assert not await instance.take()
    instance.now += 500
    assert await instance.take()
    assert taken(table) == ["sample#2026-11-29#301"]


async def test_few_samples_wait_at_a_time() -> None:
    table = Table()
    instance = Instance(AtomicItems(table))
    for number in range(MOST_WAITING):
        assert instance.samples.ready
        instance.samples.start_write(f"{number}")
    assert not instance.samples.ready
    await instance.samples.settle(30)
    assert instance.samples.ready
    assert [table.items[id]["sample"] for id in taken(table)] == [f"{each}" for each in range(MOST_WAITING)]


async def test_those_that_wait_are_dropped_with_the_one_that_is_refused() -> None:
    instance = Instance(AtomicItems(table := Table()), 3)
    for _ in range(6):
        instance.samples.start_write("{}")
    await instance.samples.settle(30)
    assert len(taken(table)) == 3
    assert not instance.samples.ready


async def test_a_sample_expires() -> None:
    table = Table()
    await Instance(AtomicItems(table)).take("text")
    assert table.items["sample#2026-11-29#1"] == {
        "id": "sample#2026-11-29#1",
        "sample": "text",
        "expires_at": MIDNIGHT + (RETENTION + 1) * DAY,
    }
    assert table.items["samples#2026-11-29"]["expires_at"] == MIDNIGHT + (RETENTION + 1) * DAY


class Down(AtomicItems):
    down: Exception | None = StoreError("throttled")

    async def update(self, update: Update) -> Item:
        if self.down:
            raise self.down
        return await super().update(update)


async def test_a_store_that_fails_is_reported_once_and_left_alone_for_a_while() -> None:
    items = Down()
    instance = Instance(items)
    for _ in range(3):
        assert await instance.take()
        assert not await instance.take()
        instance.now += 61
    assert instance.lines == [(NOT_WRITTEN, {"problem": "throttled"})]
    items.down = None
    assert await instance.take()
    items.down = RuntimeError("secret")
    instance.now += 61
    assert await instance.take()
    assert instance.lines[1:] == [(NOT_WRITTEN, {"problem": "internal error (RuntimeError)"})]


@pytest.fixture
def client() -> Iterator[Any]:
    with dynamodb() as client:
        yield client


async def read(items: Items, days: float) -> list[str]:
    now = datetime.fromtimestamp(NOON, UTC)
    return [text async for text in read_samples(items, now - timedelta(days=days), now)]


async def test_dynamodb_counts_and_returns_them(client: Any) -> None:
    """With 5 a day, of which the sixth is refused by DynamoDB's own condition."""
    items = Items(InlineClient(client), SETTINGS.state_table)
    for now in (NOON - DAY, NOON):
        for number in range(7):
            await Instance(items, 5, now=now).take(f"{number}")
    assert await read(items, 0.1) == ["4", "3", "2", "1", "0"]
    assert await read(items, 1) == ["4", "3", "2", "1", "0"] * 2


async def test_reading_skips_gaps_and_what_is_no_sample() -> None:
    table = Table()
    instance = Instance(AtomicItems(table))
    for number in range(5):
        await instance.take(f"{number}")
    del table.items["sample#2026-11-29#2"]
    table.items["sample#2026-11-29#3"]["sample"] = 5
    assert await read(AtomicItems(table), 1) == ["4", "3", "0"]


async def test_reading_is_bounded_and_begins_with_the_newest() -> None:
    table = Table()
    for ago in range(RETENTION + 3):
        day = datetime.fromtimestamp(NOON - ago * DAY, UTC).date()
        table.items[f"samples#{day}"] = {"id": f"samples#{day}", "n": 10**9 if ago == 0 else 3}
        for number in (1, 2, 3, 10**9, 10**9 - MOST_READ + 1, 10**9 - MOST_READ):
            id = f"sample#{day}#{number}"
            table.items[id] = {"id": id, "sample": f"{ago} {number}"}
    assert await read(AtomicItems(table), 30) == [f"0 {10**9}", f"0 {10**9 - MOST_READ + 1}"]
    del table.items["samples#2026-11-29"]
    assert len(await read(AtomicItems(table), 30)) == 3 * RETENTION

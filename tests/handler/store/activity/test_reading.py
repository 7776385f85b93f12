"""What is read of the last hours: of all instances, and of the one that reads what it has not written."""

from __future__ import annotations

import pytest

from handler.store.activity.lines import Filter
from handler.store.activity.reading import MAX_HOURS, MAX_LINES, read_activity, read_requests
from handler.store.activity.recorder import SLOTS
from tests.handler.store.activity.instances import HOUR, NOON, Instance
from tests.support.atomic_items import AtomicItems, Table

ANY = Filter()


async def ids(instance: Instance, asked_for: Filter = ANY, limit: int = MAX_LINES) -> list[str]:
    return [line["request_id"] for line in await read_requests(instance.activity, asked_for, limit)]


async def test_hours_are_read_oldest_first_with_what_is_not_written() -> None:
    table = Table()
    one, other = Instance(AtomicItems(table)), Instance(AtomicItems(table), NOON - HOUR)
    other.request(cost=10**9, first_token_ms=400)
    await other.flush()
    one.request(project="q")
    await one.activity.settle(9)
    one.request(project="q", cost=5 * 10**8)  # waits
    found = await read_activity(one.activity, 3)
    assert [hour["hour"] for hour in found["hours"]] == [f"2026-11-29T{hour}:00:00Z" for hour in (10, 11, 12)]
    assert [hour["total"]["requests"] for hour in found["hours"]] == [0, 1, 2]
    assert [hour["total"]["cost"] for hour in found["hours"]] == [0, 1, 0.5]
    assert found["hours"][1]["total"]["first_token"]["p50"] == 400
    assert found["hours"][2]["by"]["project"]["q"]["requests"] == 2
    assert len((await read_activity(one.activity, 10**6))["hours"]) == MAX_HOURS


async def test_the_newest_requests_of_all_instances_are_read_once() -> None:
    table = Table()
    one, other = Instance(AtomicItems(table), NOON + 5), Instance(AtomicItems(table))
    other.request(request_id="a")
    await other.flush()
    one.request(request_id="b")
    await one.activity.settle(9)
    one.time += 1
    one.request(request_id="c")  # waits
    assert await ids(one) == ["c", "b", "a"]
    assert await ids(other) == ["b", "a"]
    assert await ids(one, limit=2) == ["c", "b"]
    assert await ids(one, Filter(id="a")) == ["a"]
    assert await ids(one, Filter(id="c")) == ["c"]
    assert await ids(one, Filter(id="d")) == []


async def test_lines_that_wait_do_not_hide_newer_ones_of_others() -> None:
    table = Table()
    one, other = Instance(AtomicItems(table)), Instance(AtomicItems(table), NOON + 9)
    one.request(request_id="first")
    await one.activity.settle(9)
    one.request(request_id="waits")
    other.request(request_id="newer")
    await other.flush()
    assert await ids(one, limit=1) == ["newer"]


async def test_old_slots_are_replaced_and_old_hours_are_not_read() -> None:
    table = Table()
    one = Instance(AtomicItems(table), NOON - 30 * HOUR)
    one.request(request_id="too old")
    await one.flush()
    one.time = NOON
    for number in range(SLOTS + 5):
        one.request(request_id=f"{number}")
        await one.flush(1)
    found = await ids(one)
    assert (found[0], found[-1], len(found)) == (f"{SLOTS + 4}", "5", SLOTS)
    assert len(table.items) == 2 * 3 + 1 + SLOTS


async def test_at_most_so_many_lines_are_returned() -> None:
    table = Table()
    one = Instance(AtomicItems(table))
    for number in range(30):
        for place in range(20):
            one.request(request_id=f"{number}.{place}")
        await one.flush(1)
    assert len(await ids(one, limit=10**9)) == MAX_LINES


@pytest.mark.parametrize("stored", [None, "x", -5, 10**30])
async def test_an_item_that_nobody_wrote_is_passed_over(stored: object) -> None:
    table = Table()
    table.items["activity#2026-11-29T12"] = {"id": "activity#2026-11-29T12", "flushes": stored}
    table.items["requests#2026-11-29T12#1"] = {"id": "requests#2026-11-29T12#1", "lines": b"x"}
    one = Instance(AtomicItems(table))
    assert await ids(one) == []

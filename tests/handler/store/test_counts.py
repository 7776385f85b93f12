"""The updates of a counter, on moto and on the table in memory that other tests use: both do the same."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest

from handler.store import counts
from handler.store.attributes import Item
from handler.store.items import ConditionFailed, Items, Update
from tests.support.atomic_items import AtomicItems
from tests.support.state import InlineItems
from tests.support.tables import dynamodb

WRITE, OTHER = "a" * 16, "b" * 16


@pytest.fixture(params=["moto", "memory"])
def items(request: pytest.FixtureRequest) -> Iterator[Items]:
    if request.param == "memory":
        yield AtomicItems()
    else:
        with dynamodb() as client:
            yield InlineItems(client)


def take(amount: int, *, limit: int | None = 10, write: str = WRITE, slot: int | None = 7) -> Update:
    room = None if limit is None else limit - amount
    return counts.take("c", amount, room=room, hits=1, slot=slot, write=write, expires_at=99)


def settle(change: int, released: dict[int, int], write: str = OTHER) -> Update:
    return counts.settle("c", change, released, write=write, expires_at=99)


async def test_a_counter_is_taken_from_settled_and_given_back(items: Items) -> None:
    taken = await items.update(take(6))
    assert taken == {"id": "c", "n": 6, "hits": 1, "r7": 6, "wa": WRITE, "expires_at": 99}
    assert (counts.used(taken), counts.reserved(taken)) == (0, {7: 6})
    settled = await items.update(settle(-2, {7: 6}))
    assert (settled["n"], counts.used(settled), counts.reserved(settled)) == (4, 4, {7: 0})
    removed = await items.update(counts.reclaim("c", {7: 0}))
    assert (removed["n"], counts.reserved(removed)) == (4, {})


@pytest.mark.parametrize(
    ("before", "update"),
    [
        pytest.param([take(6)], take(5, write=OTHER), id="more than is left"),
        pytest.param([take(6)], take(6), id="a take that is sent twice"),
        pytest.param([take(6), settle(-2, {7: 6})], settle(-2, {7: 6}), id="a settlement that is sent twice"),
        pytest.param([take(6)], settle(-2, {8: 6}), id="a settlement of a slot that was given back"),
        pytest.param([take(6)], counts.reclaim("c", {7: 5}), id="a reclaim of a slot that has changed"),
        pytest.param([], counts.reclaim("c", {7: 5}), id="a reclaim of a slot that is gone"),
        pytest.param(
            [counts.note_alert("c", 80, None, write=WRITE)],
            counts.note_alert("c", 50, None, write=OTHER),
            id="an alert that was sent",
        ),
    ],
)
async def test_a_write_whose_condition_does_not_hold_changes_nothing(
    items: Items, before: list[Update], update: Update
) -> None:
    for each in before:
        await items.update(each)
    stored = await items.get("c", consistent=True)
    with pytest.raises(ConditionFailed) as failed:
        await items.update(update)
    assert failed.value.items == (stored or {},)
    with pytest.raises(ConditionFailed):
        await items.transact([counts.count_one("d", 5), update])
    assert await items.get("c", consistent=True) == stored
    assert await items.get("d", consistent=True) is None


async def test_a_take_without_a_bound_is_always_done(items: Items) -> None:
    await items.update(take(6))
    assert (await items.update(take(6, limit=None, write=OTHER)))["n"] == 12


async def test_a_write_is_remembered_until_another_one_in_its_lane(items: Items) -> None:
    stored = await items.update(take(1))
    assert counts.was_written(stored, WRITE)
    stored = await items.update(take(1, write=OTHER))
    assert counts.was_written(stored, WRITE)
    stored = await items.update(take(1, write="a" + OTHER))
    assert not counts.was_written(stored, WRITE)
    assert not counts.was_written(None, WRITE)


async def test_both_tables_do_the_same_with_random_updates() -> None:
    chance, memory = random.Random(10), AtomicItems()
    with dynamodb() as client:
        moto = InlineItems(client)
        for number in range(100):
            update = _random_update(chance, f"{chance.randrange(4):x}{number % 3}", memory.table.items)
            assert await _outcome(moto, update) == await _outcome(memory, update)
        for id, item in memory.table.items.items():
            assert await moto.get(id, consistent=True) == item


def _random_update(chance: random.Random, write: str, stored: dict[str, Item]) -> Update:
    id, slot, amount = chance.choice("cd"), chance.randrange(3), chance.randrange(1, 5)
    item = stored.get(id, {})
    return chance.choice(
        [
            counts.take(id, amount, room=20 - amount, hits=1, slot=slot, write=write, expires_at=9),
            counts.take(id, amount, room=None, hits=2, slot=None, write=write, expires_at=9),
            counts.settle(id, -1, {slot: amount, slot + 1: 1}, write=write, expires_at=8),
            counts.settle(id, 1, {}, write=write, expires_at=8),
            counts.reclaim(id, counts.reserved(item) or {slot: 1}),
            counts.note_alert(id, amount, item.get("alert"), write=write),
            counts.count_one(id, 7),
            counts.mark_counted(id),
        ]
    )


async def _outcome(items: Items, update: Update) -> Any:
    try:
        return await items.update(update)
    except ConditionFailed as error:
        return error.items


@pytest.mark.parametrize(
    ("time", "slot"),
    [
        pytest.param(0, 2, id="the slot ends at least LIFETIME later"),
        pytest.param(239, 2, id="the last second of a slot's takes"),
        pytest.param(241, 3, id="the first second of the next"),
    ],
)
def test_a_slot_outlasts_every_request_that_takes_in_it(time: float, slot: int) -> None:
    assert counts.slot_until(time) == slot
    assert counts.outlasts(slot, time)
    assert not counts.outlasts(slot - 1, time)
    end = slot * counts.SLOT
    assert not counts.has_ended(slot, end + counts.SKEW)
    assert counts.has_ended(slot, end + counts.SKEW + 1)
    assert end - time <= counts.LIFETIME + counts.SLOT

"""Counters in State: a busy store is asked again, and ended slots are given back."""

from __future__ import annotations

from typing import Any

import pytest

from handler.access.counter_items import PAUSES, CounterItems
from handler.access.counters import Counter
from handler.aws.errors import StoreError
from handler.store import counts
from handler.store.items import StoreBusy
from tests.support.atomic_items import AtomicItems
from tests.support.ledgers import Watched, limit
from tests.support.virtual_clock import clock

COUNTER = Counter(limit(tokens=100), "*", "2025-11-20", 99.0)
CODES = ["ProvisionedThroughputExceededException", "TransactionConflictException", "RequestLimitExceeded"]


class Refusals:
    """A hook that refuses the first calls."""

    def __init__(self, *errors: StoreError) -> None:
        self.errors = list(errors)
        self.calls = 0

    async def __call__(self, when: str, method: str) -> None:
        if when == "before":
            self.calls += 1
            if self.errors:
                raise self.errors.pop(0)


def counter_items(hook: Any, *, now: float = 0.0) -> CounterItems:
    return CounterItems(AtomicItems(hook=hook), now=lambda: now, watcher=Watched(), jitter=lambda: 0.5)


def take(write: str = "aa", slot: int = 2) -> Any:
    return counts.take(COUNTER.id, 5, room=95, hits=1, slot=slot, write=write, expires_at=9)


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("times", [1, len(PAUSES)])
async def test_a_busy_store_is_asked_again_after_pauses(code: str, times: int) -> None:
    hook = Refusals(*[StoreBusy("busy", code=code)] * times)
    (item,) = await counter_items(hook).write([take()])
    assert item["n"] == 5
    assert hook.calls == times + 1
    assert clock() == pytest.approx(sum(PAUSES[:times]))


@pytest.mark.parametrize(
    ("error", "calls"),
    [
        pytest.param(StoreBusy("busy"), len(PAUSES) + 1, id="busy all the time"),
        pytest.param(
            StoreError("denied", code="AccessDeniedException"), 1, id="a failure that does not pass"
        ),
    ],
)
async def test_the_error_is_raised_in_the_end(error: StoreError, calls: int) -> None:
    hook = Refusals(*[error] * 20)
    with pytest.raises(type(error)):
        await counter_items(hook).write([take()])
    assert hook.calls == calls


async def test_several_updates_are_a_transaction_and_return_nothing() -> None:
    hook = Refusals()
    items = counter_items(hook)
    other = counts.count_one("other", 5)
    assert await items.write([take(), other]) == []
    assert hook.calls == 1
    missing = Counter(limit("missing"), "*", "w", 9.0)
    ((counter, item),) = await items.read([missing, COUNTER])
    assert (counter, item["n"]) == (COUNTER, 5)


async def test_ended_slots_are_given_back_and_others_are_not() -> None:
    ended = counts.SLOT * 2 + counts.SKEW + 1
    items = counter_items(Refusals(), now=ended)
    for write, slot in [("aa", 2), ("bb", 3)]:
        (item,) = await items.write([take(write, slot)])
    assert await items.reclaim(COUNTER, item)
    ((_, item),) = await items.read([COUNTER])
    assert (item["n"], counts.reserved(item)) == (5, {3: 5})
    assert not await items.reclaim(COUNTER, item)


async def test_a_slot_that_another_instance_gives_back_first_is_given_back_once() -> None:
    items = counter_items(Refusals(), now=counts.SLOT * 2 + counts.SKEW + 1)
    (item,) = await items.write([take()])
    assert [await items.reclaim(COUNTER, item) for _ in range(2)] == [True, True]
    ((_, item),) = await items.read([COUNTER])
    assert item["n"] == 0

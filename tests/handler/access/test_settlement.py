"""Settlements: the change that each makes, and what remains of it when the store fails."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from handler.access import settlement as settlement_module
from handler.access.counter_items import CounterItems
from handler.access.counters import counters_of
from handler.access.leases import Lease
from handler.access.reservation import Reservation, Use
from handler.access.settlement import Settlements
from handler.aws.errors import StoreError
from handler.store import counts
from tests.support.atomic_items import AtomicItems
from tests.support.ledgers import Watched, candidate, decision, limit
from tests.support.virtual_clock import now

SLOT = 2_939_402  # later than the tests
MODEL = candidate(tokens=50)


class Scene:
    """Settlements of one counter of tokens, of which a request has reserved 50."""

    def __init__(self, *, lease: Lease | None = None, others: int = 0) -> None:
        self.down: StoreError | None = None
        self.errors: list[BaseException] = []
        self.items = AtomicItems(hook=self.hook)
        self.counters = CounterItems(self.items, now=now, watcher=Watched())
        self.settlements = Settlements(self.counters, failed=self.errors.append)
        request = decision([limit(tokens=1_000_000)], MODEL)
        self.request = request
        self.reservation = self.open()
        self.counter = self.reservation.counters[0][0]
        self.counters.known.of(self.counter).lease = lease
        self.take(50 + others + (lease.free if lease else 0))
        self.reservation.add(self.counter, SLOT, 50)

    def open(self) -> Reservation:
        applied = tuple(counters_of(self.request, datetime(2025, 11, 20, tzinfo=UTC)))
        return Reservation(applied, self.counters.known)

    def take(self, amount: int) -> None:
        update = counts.take(self.counter.id, amount, room=None, hits=1, slot=SLOT, write="f0", expires_at=9)
        self.items.table.write([update])

    async def hook(self, when: str, method: str) -> None:
        if self.down is not None and when == "before":
            raise self.down

    async def settle(self, tokens: int) -> dict[str, Any]:
        self.settlements.start(self.reservation, [Use(MODEL.id, tokens, 0)])
        await self.settlements.finish(60)
        return self.items.table.items[self.counter.id]


@pytest.mark.parametrize(
    ("lease", "used", "n", "reserved", "free"),
    [
        pytest.param(None, 20, 20, 0, 0, id="less than was reserved"),
        pytest.param(None, 50, 50, 0, 0, id="what was reserved"),
        pytest.param(None, 70, 70, 0, 0, id="more than was reserved"),
        pytest.param(None, 0, 0, 0, 0, id="nothing"),
        pytest.param((SLOT, 10, 100), 20, 60, 40, 40, id="what is left stays in the lease"),
        pytest.param((SLOT, 90, 100), 20, 120, 100, 100, id="the lease grows no larger than it was"),
        pytest.param((SLOT, 10, 100), 70, 80, 10, 10, id="more than was reserved: the lease keeps its part"),
        pytest.param((SLOT + 1, 10, 100), 20, 30, 10, 10, id="a lease of another slot gets nothing"),
    ],
)
async def test_a_settlement_counts_what_was_used_and_gives_the_rest_back(
    lease: tuple[int, int, int] | None, used: int, n: int, reserved: int, free: int
) -> None:
    scene = Scene(lease=Lease(*lease) if lease else None)
    item = await scene.settle(used)
    assert (item["n"], item[f"r{SLOT}"]) == (n, reserved)
    known = scene.counters.known.of(scene.counter)
    assert (known.lease.free if known.lease else 0) == free


async def test_a_reservation_that_covers_a_use_exactly_still_leaves_its_slot() -> None:
    scene = Scene()
    writes = scene.items.table.writes
    await scene.settle(50)
    assert scene.items.table.writes == writes + 1


async def test_the_settlement_of_a_request_that_took_nothing_writes_nothing() -> None:
    scene = Scene()
    writes, scene.reservation = scene.items.table.writes, scene.open()
    await scene.settle(0)
    assert scene.items.table.writes == writes


async def test_what_the_store_does_not_take_is_written_with_a_later_settlement_once() -> None:
    scene = Scene()
    scene.down = StoreError("down")
    await scene.settle(20)
    assert scene.errors == [scene.down]
    assert scene.items.table.items[scene.counter.id]["n"] == 50
    scene.down, scene.reservation = None, scene.open()
    assert (await scene.settle(7))["n"] == 20 + 7
    assert scene.items.table.items[scene.counter.id][f"r{SLOT}"] == 0


async def test_the_number_of_unwritten_settlements_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settlement_module, "MAX_UNWRITTEN", 3)
    scene = Scene()
    scene.down = StoreError("down")
    for _ in range(10):
        scene.settlements.give_back(scene.counter, SLOT, 1)
    await scene.settlements.finish(60)
    assert len(scene.settlements._unwritten) == 3


async def test_a_store_that_is_down_gets_no_earlier_settlements_and_one_that_works_again_only_some() -> None:
    scene = Scene(others=100)
    scene.down = StoreError("down")
    for _ in range(100):
        scene.settlements.give_back(scene.counter, SLOT, 1)
    await scene.settlements.finish(60)
    tried = len(scene.errors)
    await scene.settle(20)
    assert len(scene.errors) == tried + 1
    scene.down, scene.reservation = None, scene.open()
    await scene.settle(0)
    assert len(scene.settlements._unwritten) == 101 - settlement_module.RETRIED


async def test_a_lease_gives_back_what_exceeds_its_share_of_what_is_left_now() -> None:
    scene = Scene(lease=Lease(SLOT, 90, 100))
    known = scene.counters.known.of(scene.counter)
    known.taken = 960_000
    item = await scene.settle(20)
    assert (item["n"], item[f"r{SLOT}"]) == (60, 40)
    assert known.lease == Lease(SLOT, 40, 100)


async def test_a_lease_is_given_back_from_its_own_slot() -> None:
    scene = Scene(others=30)
    scene.settlements.give_back(scene.counter, SLOT, 30)
    await scene.settlements.finish(60)
    item = scene.items.table.items[scene.counter.id]
    assert (item["n"], item[f"r{SLOT}"]) == (50, 50)


async def test_after_a_restore_nothing_is_left_to_write() -> None:
    scene = Scene()
    scene.down = StoreError("down")
    await scene.settle(20)
    scene.settlements.invalidate()
    scene.down, scene.reservation = None, scene.open()
    assert (await scene.settle(0))["n"] == 50

"""Leases of busy counters: never over the limit, and under it by what they hold."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from typing import Any

import pytest

from handler.access import leases as leases_module
from handler.access.counters import Counter
from handler.access.leases import KnownCounter, KnownCounters, Lease
from handler.access.ledger import Ledger
from handler.access.reservation import Reservation
from handler.store import counts
from tests.support.atomic_items import Table
from tests.support.ledgers import (
    Limit,
    admit,
    budget,
    candidate,
    counted,
    decision,
    ledgers,
    limit,
    settle,
    shuffled,
    use,
)
from tests.support.virtual_clock import now


@pytest.fixture
def table() -> Table:
    return Table()


def known_of(ledger: Ledger) -> KnownCounter:
    """What a ledger knows of its only counter."""
    (known,) = ledger._items.known._known.values()
    return known


@dataclass(slots=True)
class Traffic:
    """What requests that came faster than one item can be written met."""

    admitted: int = 0
    in_leases: int = 0
    writes: int = 0


async def busy(record: Any, *, requests: int, rate: float, instances: int, settled: bool) -> Traffic:
    """Send requests at so many a second through instances in turn."""
    table, chance = Table(), random.Random(7)
    parts = ledgers(table, instances, shuffled(3, longest=0.01))
    model, traffic = candidate(tokens=10), Traffic()

    async def request(ledger: Ledger) -> None:
        reservation = await admit(ledger, decision([record], model))
        if reservation is None:
            return
        traffic.admitted += 1
        if settled:
            await asyncio.sleep(chance.random())
            await settle(ledger, reservation, use(model, tokens=10))

    async with asyncio.TaskGroup() as group:
        for number in range(requests):
            group.create_task(request(parts[number % instances]))
            await asyncio.sleep(1 / rate)
    traffic.writes = table.writes
    for part in parts:
        for known in part._items.known._known.values():
            traffic.in_leases += known.lease.free if known.lease else 0
    assert sum(counted(table).values()) <= record.amount
    return traffic


@pytest.mark.parametrize(
    ("record", "need", "settled"),
    [
        pytest.param(limit(requests=3000), 1, False, id="requests"),
        pytest.param(limit(tokens=30_000), 10, True, id="tokens, which are reserved and then settled"),
    ],
)
async def test_leases_never_exceed_a_limit_and_miss_it_by_what_they_hold(
    record: Any, need: int, settled: bool
) -> None:
    instances = 4
    traffic = await busy(record, requests=3400, rate=400, instances=instances, settled=settled)
    assert traffic.admitted * need + traffic.in_leases <= record.amount
    assert traffic.admitted * need + traffic.in_leases > record.amount - need
    assert traffic.in_leases <= instances * (record.amount // 1000 + need)
    takes = traffic.writes - (traffic.admitted if settled else 0)
    assert takes < traffic.admitted - 100, "many requests draw from leases"


async def test_what_a_killed_instance_had_leased_is_given_back(table: Table) -> None:
    record, model = limit(tokens=10**6), candidate(tokens=10)
    killed, other = ledgers(table, 2)
    for _ in range(2):
        assert await admit(killed, decision([record], model)) is not None
        known_of(killed).rate = 500.0
    killed.invalidate()
    assert counted(table) == {"burst": 510}
    await asyncio.sleep(counts.LIFETIME + counts.SLOT + counts.SKEW + 1)
    assert await admit(other, decision([record], candidate(tokens=10**6))) is not None
    assert counted(table) == {"burst": 10**6}


async def test_several_counters_have_leases_of_their_own(table: Table) -> None:
    records: list[Limit] = [limit(requests=10_000), limit("t", tokens=10**6), budget(10**6)]
    model = candidate(tokens=9, cost=7)
    (ledger,) = ledgers(table, 1)
    reservations: list[Reservation] = []
    for number in range(40):
        reservation = await admit(ledger, decision(records, model))
        assert reservation is not None
        reservations.append(reservation)
        await ledger.settle(1)
        for known in ledger._items.known._known.values():
            known.rate = 60.0 + number
    assert table.writes < 40
    for reservation in reservations:
        await settle(ledger, reservation, use(model, tokens=5, nano=3))
    counters = [counter for counter, _ in reservations[0].counters]
    leases = {counter.record.id: ledger._items.known.of(counter).lease for counter in counters}
    free = {id: lease.free if lease else 0 for id, lease in leases.items()}
    assert counted(table) == {"burst": 40 + free["burst"], "t": 200 + free["t"], "money": 120 + free["money"]}


async def test_a_lease_that_is_larger_than_what_is_left_does_not_refuse_a_request(table: Table) -> None:
    record = limit(requests=5000)
    busy_one, other = ledgers(table, 2)
    await admit(busy_one, decision([record]))
    known = known_of(busy_one)
    known.rate, known.taken = 1000.0, 0  # it believes that nothing is used, and takes five for one
    for item in table.items.values():
        item["n"] = 4997
    taken = [await admit(each, decision([record])) for each in (busy_one, other, busy_one, other)]
    assert [each is not None for each in taken] == [True, True, True, False]


async def test_a_lease_serves_requests_although_the_counter_has_refused_one(table: Table) -> None:
    record = limit(requests=5000)
    (ledger,) = ledgers(table, 1)
    await admit(ledger, decision([record]))
    known = known_of(ledger)
    known.rate = 30.0
    await admit(ledger, decision([record]))  # takes three
    known.full_until, known.taken = now() + 60, 5000
    admitted = [await admit(ledger, decision([record])) is not None for _ in range(3)]
    assert admitted == [True, True, False]


async def test_the_lease_of_a_slot_that_ends_soon_is_given_back(table: Table) -> None:
    record, model = limit(tokens=10**6), candidate(tokens=10)
    (ledger,) = ledgers(table, 1)
    for _ in range(2):
        reservation = await admit(ledger, decision([record], model))
        assert reservation is not None
        known = known_of(ledger)
        known.rate = 100.0
    assert known.lease is not None
    assert known.lease.free == 90
    await asyncio.sleep(counts.SLOT)
    assert await admit(ledger, decision([record], model)) is not None
    await ledger.settle(60)
    assert counted(table) == {"burst": 30 + (known.lease.free if known.lease else 0)}


# What is known of counters.


@pytest.fixture
async def counter() -> Counter:
    return Counter(limit(tokens=100_000), "*", "2025-11-20", now() + 3600)


def observed(counter: Counter, *, taken: int, rate: float) -> KnownCounters:
    known = KnownCounters(now)
    known.of(counter).taken, known.of(counter).rate = taken, rate
    return known


@pytest.mark.parametrize(
    ("taken", "rate", "size"),
    [
        pytest.param(0, 0.0, 10, id="a quiet counter: for one request"),
        pytest.param(0, 19.0, 10, id="less than twice as busy as one item may be"),
        pytest.param(0, 50.0, 50, id="five times as busy: for five requests"),
        pytest.param(0, 10_000.0, 100, id="at most a thousandth of what is left"),
        pytest.param(95_000, 10_000.0, 10, id="near the limit: for one request"),
        pytest.param(100_000, 10_000.0, 10, id="at the limit"),
        pytest.param(200_000, 10_000.0, 10, id="beyond the limit"),
    ],
)
async def test_a_lease_is_as_large_as_the_counter_is_busy_and_small_near_the_limit(
    counter: Counter, taken: int, rate: float, size: int
) -> None:
    assert observed(counter, taken=taken, rate=rate).lease_size(counter, 10) == size


async def test_the_rate_is_that_of_the_last_second_or_longer(counter: Counter) -> None:
    known = KnownCounters(now)
    rates = []
    for passed, hits in [(0.0, 5), (0.5, 30), (0.5, 55), (2.0, 55), (4.0, 155)]:
        await asyncio.sleep(passed)
        known.observe(counter, {"n": 7, "hits": hits})
        rates.append(known.of(counter).rate)
    assert rates == [0.0, 0.0, 50.0, 0.0, 25.0]
    assert known.of(counter).taken == 7


async def test_a_new_window_begins_with_the_rate_of_the_last_one() -> None:
    known, record = KnownCounters(now), limit()
    busy, quiet = Counter(record, "=a", "w1", now() + 100), Counter(record, "=b", "w1", now() + 100)
    for hits in (0, 1):
        for counter, rate in ((busy, 50), (quiet, 5)):
            known.observe(counter, {"n": 0, "hits": hits * rate})
        await asyncio.sleep(1)
    following = (Counter(record, each, "w2", now() + 100) for each in ("=a", "=b"))
    assert [known.of(counter).rate for counter in following] == [50.0, 0.0]


async def test_a_lease_is_drawn_from_while_it_has_enough_and_outlasts_a_request(counter: Counter) -> None:
    known, slot = KnownCounters(now), counts.slot_until(now())
    assert known.draw(counter, 1) is None
    known.add_lease(counter, slot, 25)
    assert [known.draw(counter, 10) is not None for _ in range(3)] == [True, True, False]
    assert known.draw(counter, 5) is not None
    known.add_lease(counter, slot, 25)
    await asyncio.sleep(counts.SLOT)
    assert known.draw(counter, 1) is None


@pytest.mark.parametrize(
    ("slots", "lease", "earlier"),
    [
        pytest.param([7, 7], Lease(7, 30, 30), None, id="one slot: together"),
        pytest.param(
            [7, 8], Lease(8, 20, 20), Lease(7, 10, 10), id="a later slot: the earlier one is returned"
        ),
        pytest.param([None, None], Lease(None, 30, 30), None, id="requests have no slot"),
    ],
)
async def test_a_lease_is_added_to_or_replaced(
    counter: Counter, slots: list[int | None], lease: Lease, earlier: Lease | None
) -> None:
    known = KnownCounters(now)
    known.add_lease(counter, slots[0], 10)
    assert known.add_lease(counter, slots[1], 20) == earlier
    assert known.of(counter).lease == lease


async def test_what_remains_is_unknown_before_the_first_look_and_never_negative(counter: Counter) -> None:
    known = KnownCounters(now)
    assert known.remaining(counter) is None
    known.of(counter)
    assert known.remaining(counter) is None
    known.observe(counter, {"n": 99_000})
    assert known.remaining(counter) == 1000
    known.add_lease(counter, None, 500)
    assert known.remaining(counter) == 1500
    known.observe(counter, {"n": 120_000})
    assert known.remaining(counter) == 0


async def test_the_oldest_counters_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases_module, "MAX_COUNTERS", 10)
    known, record = KnownCounters(now), limit(each="user")
    kept = [Counter(record, f"={n}", "w", now() + 100) for n in range(25)]
    for counter in kept:
        known.of(counter)
    assert len([counter for counter in kept if counter in known]) <= 10
    assert kept[-1] in known
    await asyncio.sleep(101)
    known.of(Counter(record, "=new", "w", now() + 100))
    assert len(known._known) <= 10

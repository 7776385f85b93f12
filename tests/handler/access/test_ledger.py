"""The ledger under concurrency: exactly as many requests as any order would admit, and nothing lost."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest

from handler.access import ledger as ledger_module
from handler.access.ledger import Ledger, Refused
from handler.aws.errors import StoreError
from handler.errors import Unavailable
from handler.store import counts
from handler.store.items import BUSY as CODES_OF_BUSY
from handler.store.items import StoreBusy
from rules import Decision
from tests.support.atomic_items import AtomicItems, Hook, Table
from tests.support.ledgers import (
    Limit,
    Round,
    admit,
    budget,
    candidate,
    counted,
    decision,
    ledgers,
    limit,
    new_ledger,
    reserved,
    settle,
    shuffled,
    use,
)
from tests.support.virtual_clock import clock, now

CODES = sorted(CODES_OF_BUSY)
GONE = counts.LIFETIME + counts.SLOT + counts.SKEW + 1  # seconds after which a reservation is given back


@pytest.mark.parametrize("seed", range(50))
async def test_exactly_as_many_requests_are_admitted_as_in_any_order(seed: int) -> None:
    scene, table = Round(seed), Table()
    instances = ledgers(table, scene.instances, shuffled(seed))
    requests = [scene.request(user) for user in scene.users]
    taken = await asyncio.gather(
        *(admit(instances[n % len(instances)], request) for n, request in enumerate(requests))
    )
    admitted = [reservation for reservation in taken if reservation is not None]
    assert len(admitted) == scene.admitted
    each = len(admitted) * (1 if scene.records[1].unit == "requests" else scene.tokens)
    assert counted(table) == {"all": len(admitted), "each": each, "money": len(admitted) * scene.cost} or (
        not admitted and counted(table) == {}
    )


def _often_busy(seed: int) -> Hook:
    """A hook that refuses some of the calls, and some transactions after they were done."""
    wait, chance = shuffled(seed, longest=0.01), random.Random(seed)

    async def hook(when: str, method: str) -> None:
        await wait(when, method)
        if chance.random() < 0.07 and (when == "before" or method == "transact"):
            raise StoreBusy("busy", code=chance.choice(CODES))

    return hook


@pytest.mark.parametrize("seed", range(20))
async def test_a_busy_store_admits_exactly_as_many_requests(seed: int) -> None:
    scene, table = Round(seed), Table()
    instances = ledgers(table, scene.instances, _often_busy(seed))
    requests = [scene.request(user) for user in scene.users]
    taken = await asyncio.gather(
        *(admit(instances[n % len(instances)], request) for n, request in enumerate(requests))
    )
    uncounted = [each for each in taken if each is not None and each.uncounted]
    assert uncounted == []
    assert len([each for each in taken if each is not None]) == scene.admitted


@pytest.mark.parametrize("seed", range(10))
async def test_what_requests_used_is_counted_whatever_they_had_reserved(seed: int) -> None:
    chance, table = random.Random(seed), Table()
    records: list[Limit] = [limit(tokens=10**9), budget(10**12)]
    model = candidate(tokens=500, cost=70)
    instances = ledgers(table, 3, shuffled(seed))
    used = [use(model, tokens=chance.randrange(900), nano=chance.randrange(99)) for _ in range(30)]

    async def request(number: int) -> None:
        ledger = instances[number % 3]
        reservation = await admit(ledger, decision(records, model))
        assert reservation is not None
        await asyncio.sleep(chance.random())
        await settle(ledger, reservation, used[number])

    await asyncio.gather(*(request(number) for number in range(30)))
    total = {"burst": sum(each.tokens for each in used), "money": sum(each.nano_dollars for each in used)}
    assert counted(table) == total
    assert reserved(table) == 0


# Instances that die, and clients that leave.

CASES = [
    pytest.param([limit(tokens=100)], id="one counter"),
    pytest.param([limit(tokens=100), limit("all", requests=2), budget(100)], id="a transaction"),
]


@pytest.fixture
def table() -> Table:
    return Table()


class Moment:
    """A hook that runs `action` at one of the moments before and after the calls; the call then hangs."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.passed = 0
        self.reached = asyncio.Event()

    async def __call__(self, when: str, method: str) -> None:
        self.passed += 1
        if self.passed == self.number:
            self.reached.set()
            await asyncio.Event().wait()
        await asyncio.sleep(0.001)


async def _request(ledger: Ledger, request: Decision, tokens: int) -> None:
    reservation = await admit(ledger, request)
    assert reservation is not None
    await asyncio.sleep(0.5)
    await settle(ledger, reservation, use(request.candidates[0], tokens=tokens, nano=tokens))


async def _moments(records: Sequence[Any]) -> int:
    """Count the moments of one request."""
    moment = Moment(-1)
    (ledger,) = ledgers(Table(), 1, moment)
    await _request(ledger, decision(records, candidate(tokens=70, cost=70)), 60)
    return moment.passed


@pytest.mark.parametrize("records", CASES)
async def test_what_a_killed_instance_had_reserved_is_given_back(records: Sequence[Any]) -> None:
    """The instance is killed before and after each of its calls."""
    moments = await _moments(records)
    assert moments >= 4
    for number in range(1, moments + 1):
        table, moment = Table(), Moment(number)
        killed, other = *ledgers(table, 1, moment), *ledgers(table, 1)
        model = candidate(tokens=70, cost=70)
        task = asyncio.ensure_future(_request(killed, decision(records, model), 60))
        async with asyncio.timeout(60):
            await moment.reached.wait()
        task.cancel()
        killed.invalidate()
        await asyncio.gather(task, return_exceptions=True)
        await asyncio.sleep(GONE)
        used = counted(table).get("burst", 0) - reserved_of(table, "burst")
        assert used in (0, 60)
        rest = candidate(
            tokens=100 - used, cost=100 - counted(table).get("money", 0) + reserved_of(table, "money")
        )
        assert await admit(other, decision(records, rest)) is not None, f"killed at moment {number}"
        assert counted(table)["burst"] == 100


def reserved_of(table: Table, record: str) -> int:
    items = [item for id, item in table.items.items() if f"/{record}/" in id]
    return sum(sum(counts.reserved(item).values()) for item in items)


async def test_a_reservation_is_not_given_back_before_its_request_must_have_ended(table: Table) -> None:
    (first,) = ledgers(table, 1)
    ahead = new_ledger(AtomicItems(table), now=lambda: now() + counts.SKEW)
    record, model = limit(tokens=100), candidate(tokens=100)
    assert await admit(first, decision([record], model)) is not None
    await asyncio.sleep(counts.LIFETIME)
    assert await admit(ahead, decision([record], model)) is None
    await asyncio.sleep(counts.SLOT + 1)
    assert await admit(ahead, decision([record], model)) is not None


@pytest.mark.parametrize("records", CASES)
async def test_a_client_that_leaves_while_its_request_is_counted_takes_nothing(
    records: Sequence[Any],
) -> None:
    """The request is cancelled at each step of the loop."""
    for steps in range(40):
        table = Table()
        (ledger,) = ledgers(table, 1)
        request = decision(records, candidate(tokens=70, cost=70))
        reservation = ledger.open(request)
        task = asyncio.ensure_future(ledger.cover(reservation, request.candidates))
        for _ in range(steps):
            await asyncio.sleep(0)
        if not task.cancel():
            assert steps >= 3
            break
        await asyncio.gather(task, return_exceptions=True)
        await settle(ledger, reservation)
        assert set(counted(table).values()) <= {0}, f"cancelled after {steps} steps"
    else:
        pytest.fail("it is never done")


async def test_a_client_that_leaves_gives_back_what_it_drew_from_a_lease(table: Table) -> None:
    records = [limit(requests=5000), limit("other", requests=5000)]
    hook = shuffled(1)
    (ledger,) = ledgers(table, 1, hook)
    await admit(ledger, decision(records[:1]))
    (known,) = ledger._items.known._known.values()
    known.rate = 30.0
    await admit(ledger, decision(records[:1]))
    assert known.lease is not None
    assert known.lease.free == 2
    reservation = ledger.open(decision(records))
    task = asyncio.ensure_future(ledger.cover(reservation, [candidate()]))
    await asyncio.sleep(0)
    assert known.lease.free == 1
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await settle(ledger, reservation)
    assert known.lease.free == 2
    assert counted(table) == {"burst": 4, "other": 0}


# Answers that are lost, and a store that fails.


@pytest.mark.parametrize("seed", range(20))
async def test_a_write_that_is_sent_twice_counts_once(seed: int) -> None:
    scene, table, chance = Round(seed), Table(), random.Random(seed)
    instances = ledgers(table, scene.instances, shuffled(seed))
    for each in instances:
        each._store.sent = lambda: chance.choice([1, 2])  # type: ignore[attr-defined]
    requests = [scene.request(user) for user in scene.users]
    taken = await asyncio.gather(
        *(admit(instances[n % len(instances)], request) for n, request in enumerate(requests))
    )
    admitted = [(n, reservation) for n, reservation in enumerate(taken) if reservation is not None]
    assert len(admitted) == scene.admitted
    for n, reservation in admitted:
        used = use(requests[n].candidates[0], tokens=3, nano=5)
        await settle(instances[n % len(instances)], reservation, used)
    total = len(admitted)
    each_used = total if scene.records[1].unit == "requests" else 3 * total
    assert set(counted(table).values()) <= {0} if not total else counted(table) == {
        "all": total, "each": each_used, "money": 5 * total
    }  # fmt: skip


class Failing:
    """A hook that raises `error` at the calls of these numbers, once they are done or before."""

    def __init__(self, error: Exception | float, *calls: int, when: str = "before") -> None:
        self.error, self.calls, self.when = error, calls, when
        self.count = 0

    async def __call__(self, when: str, method: str) -> None:
        await asyncio.sleep(0)
        if when != self.when:
            return
        self.count += 1
        if self.count in self.calls:
            if isinstance(self.error, float):
                await asyncio.sleep(self.error)
            else:
                raise self.error


def _note(reports: list[str], message: str, fields: Any) -> None:
    reports.append(message)


BUSY = StoreBusy("throttled", code="ProvisionedThroughputExceededException")
DOWN = StoreError("update item state: no answer (connect timeout)")
ALWAYS = range(1, 100)


@pytest.mark.parametrize(
    ("failing", "outcomes"),
    [
        pytest.param(Failing(BUSY, *range(1, 6)), ("admitted", "admitted"), id="throttled five times"),
        pytest.param(Failing(BUSY, *ALWAYS), ("allowed", "refused"), id="throttled all the time"),
        pytest.param(Failing(DOWN, *ALWAYS), ("allowed", "refused"), id="down"),
        pytest.param(Failing(TypeError(), *ALWAYS), ("allowed", "refused"), id="an item that cannot be read"),
        pytest.param(Failing(1.9, *ALWAYS), ("admitted", "admitted"), id="slow"),
        pytest.param(Failing(2.1, *ALWAYS), ("allowed", "refused"), id="slower than a request waits"),
        pytest.param(
            Failing(DOWN, 1, when="after"), ("allowed", "refused"), id="an answer that is lost for good"
        ),
    ],
)
@pytest.mark.parametrize("records", [[limit(requests=9)], [limit(requests=9), limit("more", requests=9)]])
async def test_while_the_store_fails_each_record_says_what_happens(
    failing: Failing, outcomes: tuple[str, str], records: Sequence[Any]
) -> None:
    for on_failure, outcome in zip(("allow", "refuse"), outcomes, strict=True):
        table = Table()
        reports: Any = []
        failing.count = 0
        applied = [each.replaced(on_store_failure=on_failure) for each in records]
        ledger = new_ledger(AtomicItems(table, failing), report=partial(_note, reports))
        reservation = ledger.open(decision(applied))
        began = clock()
        try:
            await ledger.cover(reservation, [candidate()])
        except Unavailable:
            assert outcome == "refused"
        else:
            assert outcome == ("allowed" if reservation.uncounted else "admitted")
        assert clock() - began <= ledger_module.WAIT
        assert bool(reports) == (outcome != "admitted")
        await settle(ledger, reservation)
        failing.count = 1000  # the store works again
        await settle(ledger, ledger.open(decision(applied)))
        lost = failing.when == "after"  # a refused request may count, if nobody knows that it was written
        assert set(counted(table).values()) <= ({1} if outcome != "refused" or lost else {0})
        if outcome != "refused":
            assert len(counted(table)) == len(records)


async def test_settlements_that_the_store_does_not_take_are_written_later(table: Table) -> None:
    failing = Failing(DOWN, *ALWAYS)
    failing.count = 1000
    (ledger,) = ledgers(table, 1, failing)
    model = candidate(tokens=50, cost=70)
    records: list[Limit] = [limit(tokens=10**6), budget(10**6)]
    for number in range(5):
        reservation = await admit(ledger, decision(records, model))
        assert reservation is not None
        failing.count = 0 if number < 4 else 1000
        await settle(ledger, reservation, use(model, tokens=7, nano=9))
        failing.count = 1000
    assert counted(table) == {"burst": 35, "money": 45}
    assert reserved(table) == 0


@pytest.mark.parametrize(
    ("error", "call", "twice"),
    [
        *(pytest.param(BUSY, call, False, id=f"call {call}, and it may be repeated") for call in range(1, 6)),
        pytest.param(DOWN, 1, False, id="the take"),
        pytest.param(DOWN, 2, False, id="the read after it"),
        # It is repeated after a later settlement, which may have taken the lane.
        pytest.param(DOWN, 3, True, id="a settlement"),
    ],
)
async def test_a_write_that_was_done_although_it_failed_counts_once(
    error: StoreError, call: int, twice: bool, table: Table
) -> None:
    """Of one request: two takes in a transaction, the read of their items, two settlements."""
    (ledger,) = ledgers(table, 1, Failing(error, call, when="after"))
    model = candidate(tokens=50, cost=70)
    records: list[Limit] = [limit(tokens=10**6), limit("n", requests=5)]
    records.append(budget(10**6, on_store_failure="allow"))
    for _ in range(2):
        reservation = await admit(ledger, decision(records, model))
        assert reservation is not None
        await ledger._tasks.settle(60)
        await settle(ledger, reservation, use(model, tokens=7, nano=9))
    await asyncio.sleep(GONE)
    counters = [each for each, _ in ledger.open(decision(records, model)).counters]
    for counter, item in [(each, table.items.get(each.id)) for each in counters]:
        if counter.reserves and item is not None:  # what nobody knows to be taken
            await ledger._items.reclaim(counter, item)
    found = counted(table)
    assert found.pop("burst") in ((14, 21) if twice else (14,))
    assert found == {"money": 18, "n": 2}


async def test_a_settlement_is_exact_although_its_reservation_was_given_back(table: Table) -> None:
    first, other = ledgers(table, 2)
    record, model = limit(tokens=100), candidate(tokens=80)
    reservation = await admit(first, decision([record], model))
    assert reservation is not None
    await asyncio.sleep(GONE)
    later = await admit(other, decision([record], model))
    assert later is not None
    await settle(first, reservation, use(model, tokens=30))
    await settle(other, later, use(model, tokens=11))
    assert counted(table) == {"burst": 41}


async def test_each_instance_counts_in_the_window_of_its_own_clock(table: Table) -> None:
    record = limit(requests=2, per="minute")
    clocks = [lambda: now(), lambda: now() + 300, lambda: now() - 300]
    instances = [new_ledger(AtomicItems(table), now=each) for each in clocks]
    taken = [await admit(ledger, decision([record])) for ledger in instances for _ in range(3)]
    assert [each is not None for each in taken] == [True, True, False] * 3
    assert len(table.items) == 3
    ends = {reservation.counters[0][0].ends for reservation in taken if reservation}
    assert len(ends) == 3


# The bound of an overshoot.


@pytest.mark.parametrize("seed", range(20))
async def test_a_budget_is_overshot_by_what_estimates_were_short_and_no_further(seed: int) -> None:
    chance, table = random.Random(seed), Table()
    reserve, short, in_flight = chance.randint(1, 999), chance.randint(1, 999), chance.randint(1, 9)
    amount = reserve * in_flight
    record, model = budget(amount), candidate(cost=reserve)
    instances = ledgers(table, 3, shuffled(seed))
    overshoots = []
    for _ in range(4):
        taken = await asyncio.gather(*(admit(each, decision([record], model)) for each in instances * 5))
        admitted = [(n, each) for n, each in enumerate(taken) if each is not None]
        for n, reservation in admitted:
            await settle(instances[n % 3], reservation, use(model, nano=reserve + short))
        overshoots.append(counted(table)["money"] - amount)
    assert overshoots == [in_flight * short] * 4


async def test_refusals_within_a_second_write_once_unless_less_is_needed(table: Table) -> None:
    (ledger,) = ledgers(table, 1)
    tried: list[str] = []

    async def note(when: str, method: str) -> None:
        tried.extend([method] if when == "before" else [])

    record = budget(100)
    first = await admit(ledger, decision([record], candidate(cost=80)))
    assert first is not None
    ledger._store.hook = note  # type: ignore[attr-defined]
    for _ in range(5):
        assert await admit(ledger, decision([record], candidate(cost=50))) is None
    assert tried == ["update"]
    assert await admit(ledger, decision([record], candidate(cost=20))) is not None
    await settle(ledger, first, use(candidate(), nano=10))
    assert await admit(ledger, decision([record], candidate(cost=50))) is not None, "it was given back"


# Mid-call.


async def test_each_attempt_takes_what_the_reservation_does_not_cover_yet(table: Table) -> None:
    (ledger,) = ledgers(table, 1)
    first, second = candidate("up/a", tokens=40), candidate("up/b", tokens=50)
    records = [limit("both", tokens=100), limit("second", requests=1)]
    request = decision(records, first, second, of={"second": ["up/b"]})
    reservation = ledger.open(request)
    await ledger.cover(reservation, [first])
    assert counted(table) == {"both": 40}
    await ledger.cover(reservation, [first, second])  # a hedge
    assert counted(table) == {"both": 90, "second": 1}
    await ledger.cover(reservation, [second], [use(first, tokens=20)])  # covered already
    assert counted(table) == {"both": 90, "second": 1}
    with pytest.raises(Refused):
        await ledger.cover(reservation, [second, first], [use(first, tokens=20)])
    assert counted(table) == {"both": 90, "second": 1}
    await settle(ledger, reservation, use(first, tokens=20), use(second, tokens=5))
    assert counted(table) == {"both": 25, "second": 1}


async def test_a_candidate_that_was_not_asked_counts_in_none_of_its_limits(table: Table) -> None:
    (ledger,) = ledgers(table, 1)
    first, second = candidate("up/a"), candidate("up/b")
    request = decision([limit("a"), limit("b")], first, second, of={"a": ["up/a"], "b": ["up/b"]})
    reservation = ledger.open(request)
    await ledger.cover(reservation, [first])
    task = asyncio.ensure_future(ledger.cover(reservation, [first, second]))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await settle(ledger, reservation)
    assert counted(table) == {"a": 1, "b": 0}


# Small things.


async def test_a_full_counter_of_requests_is_asked_once_a_second(table: Table) -> None:
    (ledger,) = ledgers(table, 1)
    record = limit(requests=1)
    assert await admit(ledger, decision([record])) is not None
    items: Any = ledger._store
    calls = 0

    async def count(when: str, method: str) -> None:
        nonlocal calls
        calls += when == "before"

    items.hook = count
    for _ in range(30):
        assert await admit(ledger, decision([record])) is None
        await asyncio.sleep(0.1)
    assert calls == 3


async def test_a_request_that_needs_more_than_the_whole_limit_is_refused_without_a_call(table: Table) -> None:
    (ledger,) = ledgers(table, 1)
    assert await admit(ledger, decision([limit(tokens=10)], candidate(tokens=11))) is None
    assert table.items == {}
    assert await admit(ledger, decision([limit(tokens=10)], candidate(tokens=10))) is not None


async def test_values_beyond_the_most_counters_share_one(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_module, "MAX_COUNTERS", 5)
    first, other = ledgers(table, 2)
    record = limit(each="user", requests=1)
    for number in range(5):
        assert await admit(first, decision([record], user=f"u{number}")) is not None
        await first.settle(1)
    assert await admit(first, decision([record], user="u6")) is not None
    assert await admit(first, decision([record], user="u7")) is None, "it shares the counter of u6"
    assert await admit(first, decision([record], user="u0")) is None, "it has its own, which is full"
    assert await admit(other, decision([record], user="u8")) is not None, "another instance does not know yet"
    await other.settle(1)
    assert await admit(other, decision([record], user="u9")) is None
    await asyncio.sleep(86_400)
    assert await admit(first, decision([record], user="u7")) is not None


async def test_a_counter_is_one_of_the_number_also_if_its_first_requests_come_together(table: Table) -> None:
    instances = ledgers(table, 2)
    records = [limit(each="user"), limit("all", requests=100)]
    for number in range(4):
        request = decision(records, user=f"u{number}")
        await asyncio.gather(*(admit(ledger, request) for ledger in instances for _ in range(2)))
        await asyncio.gather(*(ledger.settle(1) for ledger in instances))
    assert [item["n"] for id, item in table.items.items() if id.endswith("/%28counters%29")] == [4]


async def test_after_a_restore_nothing_is_remembered(table: Table) -> None:
    (ledger,) = ledgers(table, 1)
    record = limit(requests=1)
    assert [await admit(ledger, decision([record])) is not None for _ in range(2)] == [True, False]
    ledger.invalidate()
    table.items.clear()
    assert await admit(ledger, decision([record])) is not None

"""Candidates that cool down, told to other instances through State: cheaply, beside requests, best effort."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from handler.relay.cooldown import Cooldown
from handler.relay.shared_cooldown import ITEM_TTL, MAX_SHARED, MAX_TASKS, PROBLEM, SharedCooldown
from handler.store.dynamodb import StoreError
from handler.store.tables import Store
from tests.support.gateways import Tables
from tests.support.tables import SETTINGS, dynamodb

A, B = "one/a", "org/two/b"
KEY = {"id": {"S": "cooling"}}


class Clock:
    now = 1_763_600_000.25

    def __call__(self) -> float:
        return self.now


class Instance:
    """One instance's cooldown, in step with State."""

    def __init__(self, store: Any, clock: Clock | None = None) -> None:
        self.clock = clock or Clock()
        self.reports: list[tuple[str, Any]] = []
        self.cooldown = Cooldown(self.clock)
        self.shared_cooldown = SharedCooldown(
            self.cooldown,
            store,
            report=lambda what, found: self.reports.append((what, found)),
            now=self.clock,
        )

    async def see(self, *classes: str, id: str = A) -> None:
        for failure_class in classes:
            self.cooldown.observe(id, failure_class)
        await self.shared_cooldown.settle(5)

    async def refresh(self) -> None:
        self.shared_cooldown.refresh()
        await self.shared_cooldown.settle(5)

    @property
    def cooling(self) -> dict[str, float]:
        return dict(self.cooldown.cooling())


@pytest.fixture
def database() -> Iterator[Any]:
    with dynamodb() as client:
        yield client


def two(database: Any) -> tuple[Instance, Instance, Clock]:
    clock = Clock()
    return Instance(Store(database, SETTINGS), clock), Instance(Store(database, SETTINGS), clock), clock


def stored(database: Any) -> dict[str, Any]:
    found = database.get_item(TableName=SETTINGS.state_table, Key=KEY)
    return dict(found.get("Item", {}))


async def test_an_opening_reaches_the_other_instance_and_a_return_to_work_too(database: Any) -> None:
    here, there, clock = two(database)
    await here.see(*["server"] * 3)
    await here.see("auth", id=B)
    await there.refresh()
    assert there.cooling == here.cooling == {A: 5, B: 5}
    clock.now += 6
    await there.see("ok", id=B)
    assert B not in stored(database)
    clock.now += 1
    await there.see("auth", id=B)
    await there.see("ok", id=B)
    await here.refresh()
    assert here.cooling == {}


async def test_the_item_is_as_documented_and_expires(database: Any) -> None:
    here, _, clock = two(database)
    await here.see(*["server"] * 3)
    assert stored(database) == {
        **KEY,
        "expires_at": {"N": str(int(clock.now) + ITEM_TTL)},
        A: {"M": {"at": {"N": "1763600000.25"}, "until": {"N": "1763600005.25"}, "level": {"N": "1"}}},
    }


async def test_the_instance_that_cools_it_longer_wins_whoever_writes_last(database: Any) -> None:
    here, there, clock = two(database)
    here.cooldown.observe(A, "rate_limit", 60.0)
    there.cooldown.observe(A, "rate_limit", 5.0)
    await asyncio.gather(here.shared_cooldown.settle(5), there.shared_cooldown.settle(5))
    for one in (here, there):
        await one.refresh()
        assert one.cooling == {A: 60}
    assert not here.reports
    assert not there.reports
    clock.now += 1
    there.cooldown.observe(B, "rate_limit", 5.0)
    await there.shared_cooldown.settle(5)
    assert {A, B} <= set(stored(database)), "a write leaves its neighbours alone"


async def test_what_another_saw_working_may_be_probed_here(database: Any) -> None:
    here, there, _ = two(database)
    here.cooldown.observe(A, "rate_limit", 60.0)
    await here.shared_cooldown.settle(5)
    await there.refresh()
    await there.see("ok")
    await here.refresh()
    assert here.cooling == {}, "in its own place again"
    await here.see("server")
    assert here.cooling == {A: 10}, "but on probation"


async def test_what_expired_goes_with_the_next_write(database: Any) -> None:
    here, there, clock = two(database)
    await here.see(*["server"] * 3)
    clock.now += 100
    await there.refresh()
    assert there.cooling == {}
    await there.see("auth", id=B)
    assert {A, B} & set(stored(database)) == {B}


async def test_it_is_written_on_transitions_only() -> None:
    tables = Tables()
    here = Instance(tables)
    await here.see(*["ok"] * 50, "server", *["ok"] * 50)
    assert tables.calls == []
    await here.see(*["server"] * 50)
    assert tables.calls == ["save_cooling"]
    await here.see(*["ok"] * 50)
    assert tables.calls == ["save_cooling"] * 2


async def test_a_return_to_work_that_nobody_was_told_of_is_not_written() -> None:
    tables = Tables()
    tables.down = StoreError("throttled")
    here = Instance(tables)
    await here.see(*["server"] * 3)
    tables.down = None
    await here.see("ok")
    assert tables.calls == ["save_cooling"]


@pytest.mark.parametrize("error", [StoreError("update item t: access denied"), ZeroDivisionError("secret")])
async def test_trouble_is_one_line_and_changes_nothing_here(error: Any) -> None:
    tables = Tables()
    tables.down = error
    here = Instance(tables)
    await here.see(*["server"] * 3)
    for _ in range(3):
        await here.refresh()
    assert here.cooling == {A: 5}
    [(what, found)] = here.reports
    assert what == PROBLEM
    assert "secret" not in str(found)
    tables.down = None
    await here.refresh()
    tables.down = error
    await here.refresh()
    assert len(here.reports) == 2, "it was over in between"


async def test_reading_without_writing_does_not_reopen_what_was_never_told() -> None:
    """The policy may lack UpdateItem: what this instance saw itself still counts."""
    tables = Tables()
    tables.down = StoreError("access denied")
    here = Instance(tables)
    await here.see(*["server"] * 3)
    tables.down = None
    await here.refresh()
    await here.refresh()
    assert here.cooling == {A: 5}


async def test_a_store_that_hangs_gathers_no_heap_of_tasks() -> None:
    tables, never = Tables(), asyncio.Event()
    tables.pause = never.wait
    here = Instance(tables)
    for number in range(5 * MAX_TASKS):
        here.cooldown.observe(f"one/{number}", "auth")
        here.shared_cooldown.refresh()
    assert len(here.shared_cooldown._tasks) == MAX_TASKS
    await here.shared_cooldown.settle(0.01)
    here.shared_cooldown.invalidate()
    await here.shared_cooldown.settle(5)
    assert not len(here.shared_cooldown._tasks)
    assert not here.cooling


async def test_so_many_candidates_and_no_more_are_told() -> None:
    tables = Tables()
    here = Instance(tables)
    for number in range(2 * MAX_SHARED):
        await here.see("auth", id=f"one/{number}")
    assert len(tables.state) == MAX_SHARED
    assert len(here.cooling) == 2 * MAX_SHARED


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(None, id="null"),
        pytest.param("text", id="text"),
        pytest.param([], id="a list"),
        pytest.param({}, id="nothing"),
        pytest.param({"at": "x", "until": 1, "level": 1}, id="no time"),
        pytest.param({"at": 1, "until": None, "level": 1}, id="a null"),
        pytest.param({"at": Decimal("NaN"), "until": 1, "level": 1}, id="no number"),
        pytest.param({"at": 1, "until": 2, "level": Decimal("Infinity")}, id="infinity"),
    ],
)
async def test_what_cannot_be_read_is_nothing_and_goes_with_the_next_write(value: Any) -> None:
    tables = Tables()
    tables.state = {A: value, "id": "cooling", "expires_at": 1}
    here = Instance(tables)
    await here.refresh()
    assert here.cooling == {}
    assert not here.reports
    await here.see("auth", id=B)
    assert A not in tables.state

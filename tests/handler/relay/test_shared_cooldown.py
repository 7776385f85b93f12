"""Cooldowns that instances share through State: few writes, in the background, best effort."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from handler.aws.errors import StoreError
from handler.relay.cooldown import Cooldown
from handler.relay.shared_cooldown import ITEM_TTL, MAX_SHARED, MAX_TASKS, PROBLEM, SharedCooldown
from handler.store.tables import Store
from tests.support.gateways import Tables
from tests.support.inline_client import InlineClient
from tests.support.tables import SETTINGS, dynamodb

A, B = "one/a", "org/two/b"
KEY = {"id": {"S": "cooling"}}


class Clock:
    now = 1_763_600_000.25

    def __call__(self) -> float:
        return self.now


class Instance:
    """The cooldown of one instance, shared through State."""

    def __init__(self, store: Any, clock: Clock | None = None) -> None:
        self.clock = clock or Clock()
        self.reports: list[tuple[str, Any]] = []
        self.cooldown = Cooldown(self.clock)
        self.shared_cooldown = SharedCooldown(
            self.cooldown,
            store,
            report=lambda message, fields: self.reports.append((message, fields)),
            now=self.clock,
        )

    async def observe(self, *classes: str, id: str = A) -> None:
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


def two_instances(database: Any) -> tuple[Instance, Instance, Clock]:
    clock = Clock()
    return (
        Instance(Store(InlineClient(database), SETTINGS), clock),
        Instance(Store(InlineClient(database), SETTINGS), clock),
        clock,
    )


def stored(database: Any) -> dict[str, Any]:
    found = database.get_item(TableName=SETTINGS.state_table, Key=KEY)
    return dict(found.get("Item", {}))


async def test_openings_and_recoveries_reach_the_other_instance(database: Any) -> None:
    here, there, clock = two_instances(database)
    await here.observe(*["server"] * 3)
    await here.observe("auth", id=B)
    await there.refresh()
    assert there.cooling == here.cooling == {A: 5, B: 5}
    clock.now += 6
    await there.observe("ok", id=B)
    assert B not in stored(database)
    clock.now += 1
    await there.observe("auth", id=B)
    await there.observe("ok", id=B)
    await here.refresh()
    assert here.cooling == {}


async def test_the_item_is_as_documented_and_expires(database: Any) -> None:
    here, _, clock = two_instances(database)
    await here.observe(*["server"] * 3)
    assert stored(database) == {
        **KEY,
        "expires_at": {"N": str(int(clock.now) + ITEM_TTL)},
        A: {"M": {"at": {"N": "1763600000.25"}, "until": {"N": "1763600005.25"}, "level": {"N": "1"}}},
    }


async def test_the_longer_cooldown_wins_in_any_order_of_writes(database: Any) -> None:
    here, there, clock = two_instances(database)
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
    assert {A, B} <= set(stored(database)), "a write keeps the other entries"


async def test_a_recovery_seen_by_another_instance_allows_a_probe(database: Any) -> None:
    here, there, _ = two_instances(database)
    here.cooldown.observe(A, "rate_limit", 60.0)
    await here.shared_cooldown.settle(5)
    await there.refresh()
    await there.observe("ok")
    await here.refresh()
    assert here.cooling == {}, "in its own place again"
    await here.observe("server")
    assert here.cooling == {A: 10}, "but one failure is enough"


async def test_expired_entries_are_removed_with_the_next_write(database: Any) -> None:
    here, there, clock = two_instances(database)
    await here.observe(*["server"] * 3)
    clock.now += 100
    await there.refresh()
    assert there.cooling == {}
    await there.observe("auth", id=B)
    assert {A, B} & set(stored(database)) == {B}


async def test_state_is_written_on_transitions_only() -> None:
    tables = Tables()
    here = Instance(tables)
    await here.observe(*["ok"] * 50, "server", *["ok"] * 50)
    assert tables.calls == []
    await here.observe(*["server"] * 50)
    assert tables.calls == ["save_cooling"]
    await here.observe(*["ok"] * 50)
    assert tables.calls == ["save_cooling"] * 2


async def test_the_recovery_from_an_unshared_cooldown_is_not_written() -> None:
    tables = Tables()
    tables.down = StoreError("throttled")
    here = Instance(tables)
    await here.observe(*["server"] * 3)
    tables.down = None
    await here.observe("ok")
    assert tables.calls == ["save_cooling"]


@pytest.mark.parametrize("error", [StoreError("update item t: access denied"), ZeroDivisionError("secret")])
async def test_a_store_failure_is_reported_once_and_changes_nothing_locally(error: Any) -> None:
    tables = Tables()
    tables.down = error
    here = Instance(tables)
    await here.observe(*["server"] * 3)
    for _ in range(3):
        await here.refresh()
    assert here.cooling == {A: 5}
    [(message, fields)] = here.reports
    assert message == PROBLEM
    assert "secret" not in str(fields)
    tables.down = None
    await here.refresh()
    tables.down = error
    await here.refresh()
    assert len(here.reports) == 2, "the store worked in between"


async def test_reading_does_not_end_a_cooldown_that_was_never_written() -> None:
    """The policy may lack UpdateItem. Failures that the instance saw itself still count."""
    tables = Tables()
    tables.down = StoreError("access denied")
    here = Instance(tables)
    await here.observe(*["server"] * 3)
    tables.down = None
    await here.refresh()
    await here.refresh()
    assert here.cooling == {A: 5}


async def test_a_hanging_store_has_a_bounded_number_of_tasks() -> None:
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


async def test_the_number_of_shared_candidates_is_bounded() -> None:
    tables = Tables()
    here = Instance(tables)
    for number in range(2 * MAX_SHARED):
        await here.observe("auth", id=f"one/{number}")
    assert len(tables.cooling) == MAX_SHARED
    assert len(here.cooling) == 2 * MAX_SHARED


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(None, id="null"),
        pytest.param("text", id="text"),
        pytest.param([], id="a list"),
        pytest.param({}, id="an empty map"),
        pytest.param({"at": "x", "until": 1, "level": 1}, id="text as its start"),
        pytest.param({"at": 1, "until": None, "level": 1}, id="null as its end"),
        pytest.param({"at": Decimal("NaN"), "until": 1, "level": 1}, id="NaN as its start"),
        pytest.param({"at": 1, "until": 2, "level": Decimal("Infinity")}, id="infinity as its level"),
    ],
)
async def test_an_unreadable_entry_is_ignored_and_removed_with_the_next_write(value: Any) -> None:
    tables = Tables()
    tables.cooling = {A: value, "id": "cooling", "expires_at": 1}
    here = Instance(tables)
    await here.refresh()
    assert here.cooling == {}
    assert not here.reports
    await here.observe("auth", id=B)
    assert A not in tables.cooling

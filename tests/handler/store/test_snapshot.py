"""The cached rules: what a request waits for, and what stays in force when the store or a record fails."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

import pytest

from handler.aws.errors import StoreError
from handler.errors import Unavailable
from handler.settings import Settings
from handler.store.attributes import Item, serialize_item
from handler.store.snapshot import EMPTY, Snapshot
from handler.store.tables import Store
from rules import RuleSet
from tests.support.inline_client import InlineClient
from tests.support.tables import SETTINGS, dynamodb

GOOD: Item = {"kind": "route", "id": "good", "model": "openai/gpt-5"}
ACCESS: Item = {"kind": "access", "id": "all", "models": ["openai/*"]}
BAD: Item = {"kind": "route", "id": "good", "prefers": "cheap"}


class Fake:
    """A store in memory that can be slow or down."""

    def __init__(self, *items: Item) -> None:
        self.items = list(items)
        self.state: tuple[str, list[Item]] | None = None
        self.error: StoreError | None = None
        self.state_error: StoreError | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.reads = self.saves = self.state_reads = 0
        self.is_current = True  # False: the table changed since it was read
        self.compiled: bytes | None = None
        self.compiled_saves = 0

    async def load_rules(self) -> list[Item]:
        self.reads += 1
        await self.gate.wait()
        if self.error:
            raise self.error
        return self.items

    async def load_adopted(self) -> tuple[str, list[Item]] | None:
        self.state_reads += 1
        if self.state_error:
            raise self.state_error
        return self.state

    async def save_adopted(self, revision: str, items: Iterable[Mapping[str, Any]]) -> bool:
        self.saves += 1
        if self.state_error:
            raise self.state_error
        if self.is_current:
            self.state = revision, [dict(item) for item in items]
        return self.is_current

    async def load_compiled(self, version: str) -> bytes | None:
        if self.state_error:
            raise self.state_error
        return self.compiled

    async def save_compiled(self, version: str, data: bytes) -> None:
        self.compiled_saves += 1
        if self.state_error:
            raise self.state_error
        self.compiled = data


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class World:
    """A snapshot of a fake store, with its clock and its reports."""

    def __init__(
        self, *items: Item, store: Any = None, settings: Settings = SETTINGS, timeout: float = 30
    ) -> None:
        self.store = store or Fake(*items)
        self.clock = Clock()
        self.reports: list[tuple[str, dict[str, Any]]] = []
        self.snapshot = Snapshot(
            self.store,
            settings,
            report=lambda message, fields: self.reports.append((message, fields)),
            clock=self.clock,
            jitter=lambda: 0.5,
            timeout=timeout,
            first_timeout=timeout,
        )

    async def after(self, seconds: float) -> None:
        """Send a request that many seconds later, and wait for all that it starts."""
        self.clock.now += seconds
        await self.snapshot.current()
        await self.snapshot.settle(30)

    def ids(self) -> set[str]:
        ruleset = self.snapshot._ruleset
        assert ruleset is not None
        return {record.id for record in ruleset.records}

    @property
    def status(self) -> dict[str, Any]:
        return self.snapshot.status()


async def test_the_first_request_waits_for_the_rules() -> None:
    world = World(GOOD)
    view = await world.snapshot.current()
    assert (view.stale, view.age, [record.id for record in view.ruleset.records]) == (False, 0, ["good"])
    assert world.status == {
        "status": "ok",
        "rules": {"revision": view.ruleset.revision, "age_s": 0, "stale": False, "skipped": 0},
    }


async def test_before_the_first_request_the_status_is_ok() -> None:
    world = World(GOOD)
    assert world.snapshot.ready
    assert world.status == {
        "status": "ok",
        "rules": {"revision": None, "age_s": None, "stale": False, "skipped": 0},
    }
    assert world.store.reads == 0


async def test_within_the_time_to_live_the_store_is_not_called() -> None:
    world = World(GOOD)
    await world.after(0)
    await world.after(14.9)
    assert world.store.reads == 1


async def test_after_the_time_to_live_the_refresh_runs_in_the_background() -> None:
    world = World(GOOD)
    await world.after(0)
    before = (await world.snapshot.current()).ruleset
    world.store.items = [ACCESS]
    world.clock.now += 16
    view = await world.snapshot.current()
    assert view.ruleset is before
    assert (view.stale, view.age) == (False, 16)
    await world.snapshot.settle(30)
    assert world.ids() == {"all"}


async def test_after_four_times_the_time_to_live_the_request_waits_for_the_refresh() -> None:
    world = World(GOOD)
    await world.after(0)
    world.store.items = [ACCESS]
    world.clock.now += 61
    view = await world.snapshot.current()
    assert [record.id for record in view.ruleset.records] == ["all"]
    assert (view.stale, view.age) == (False, 0)


async def test_a_refresh_that_takes_too_long_leaves_the_request_stale() -> None:
    world = World(GOOD, timeout=0.01)
    await world.after(0)
    world.store.gate.clear()
    world.clock.now += 61
    view = await world.snapshot.current()
    assert (view.stale, view.age) == (True, 61)
    assert world.status["status"] == "degraded"
    assert world.status["rules"]["stale"] is True
    world.store.gate.set()
    await world.snapshot.settle(30)
    assert (await world.snapshot.current()).stale is False
    assert world.status["status"] == "ok"


async def test_a_time_to_live_of_zero_reads_every_time_and_is_not_stale() -> None:
    world = World(GOOD, settings=Settings(rules_ttl=0))
    for reads in (1, 2, 3):
        world.clock.now += 1
        assert (await world.snapshot.current()).stale is False
        assert world.store.reads == reads


@pytest.mark.parametrize(("random", "due"), [(0.0, 12.0), (0.5, 15.0), (1.0, 18.0)])
async def test_the_time_to_live_varies_by_a_fifth(random: float, due: float) -> None:
    world = World(GOOD)
    world.snapshot._jitter = lambda: random
    await world.after(0)
    await world.after(due - 0.1)
    assert world.store.reads == 1
    await world.after(0.2)
    assert world.store.reads == 2


async def test_a_hundred_requests_read_once() -> None:
    world = World(GOOD)
    world.store.gate.clear()
    requests = [asyncio.ensure_future(world.snapshot.current()) for _ in range(100)]
    await asyncio.sleep(0)
    world.store.gate.set()
    views = await asyncio.gather(*requests)
    assert world.store.reads == 1
    assert len({id(view.ruleset) for view in views}) == 1


async def test_a_request_that_is_cancelled_does_not_cancel_the_read() -> None:
    world = World(GOOD)
    world.store.gate.clear()
    request = asyncio.ensure_future(world.snapshot.current())
    await asyncio.sleep(0)
    request.cancel()
    await asyncio.sleep(0)
    world.store.gate.set()
    assert (await world.snapshot.current()).ruleset.records
    assert world.store.reads == 1


@pytest.mark.parametrize("hangs", [True, False], ids=["the store hangs", "the store is down"])
async def test_without_any_rules_a_request_gets_503_with_retry_after(hangs: bool) -> None:
    world = World(GOOD, timeout=0.01 if hangs else 30)
    world.store.error = None if hangs else StoreError("scan t: throttled")
    if hangs:
        world.store.gate.clear()
    with pytest.raises(Unavailable) as failure:
        await world.snapshot.current()
    assert (failure.value.status, failure.value.code, failure.value.retry_after) == (
        503,
        "store_unavailable",
        1,
    )
    world.store.error = None
    world.store.gate.set()
    await world.snapshot.settle(30)
    world.clock.now += failure.value.retry_after or 0
    assert (await world.snapshot.current()).ruleset.records
    assert world.snapshot.ready


async def test_when_the_first_read_fails_the_snapshot_is_not_ready_and_reports_it_once() -> None:
    world = World()
    world.store.error = StoreError("scan t: throttled")
    for _ in range(3):
        with pytest.raises(Unavailable):
            await world.snapshot.current()
    assert not world.snapshot.ready
    assert world.status["status"] == "degraded"
    assert world.snapshot.problems() == [{"what": "rules not read", "problem": "scan t: throttled"}]
    assert world.reports == [("rules not read", {"problem": "scan t: throttled"})]


async def test_store_trouble_leaves_the_rules_in_force() -> None:
    world = World(GOOD)
    await world.after(0)
    world.store.error = StoreError("scan t: throttled")
    await world.after(16)
    assert world.ids() == {"good"}
    assert world.status["status"] == "degraded"
    assert world.status["rules"]["stale"] is False
    await world.after(100)
    assert world.status["rules"]["stale"] is True
    world.store.error = None
    await world.after(20)
    assert world.status["status"] == "ok"
    assert world.reports == [("rules not read", {"problem": "scan t: throttled"})]


async def test_after_failures_the_store_is_called_less_and_less_often() -> None:
    world = World(GOOD)
    await world.after(0)
    world.store.error = StoreError("scan t: throttled")
    await world.after(100)
    reads = []
    for second in range(60):
        before = world.store.reads
        await world.after(1)
        reads += [second] * (world.store.reads - before)
    assert reads == [0, 2, 6, 14, 29, 44, 59]


async def test_an_internal_error_is_reported_and_leaves_the_rules_in_force() -> None:
    world = World(GOOD)
    await world.after(0)
    world.store.items = 7
    await world.after(16)
    assert world.ids() == {"good"}
    assert world.snapshot.problems() == [{"what": "rules not read", "problem": "internal error (TypeError)"}]


async def test_too_many_records_leave_the_rules_in_force() -> None:
    world = World(GOOD)
    await world.after(0)
    world.store.items = [{"kind": "route", "id": str(n), "model": "openai/gpt-5"} for n in range(1_001)]
    await world.after(16)
    assert world.ids() == {"good"}
    (problem,) = world.snapshot.problems()
    assert "1001 records" in problem["problem"]


async def test_a_new_instance_that_cannot_read_the_table_uses_the_adopted_rules() -> None:
    world = World()
    world.store.state = "r", [GOOD]
    world.store.error = StoreError("scan t: access denied")
    view = await world.snapshot.current()
    assert [record.id for record in view.ruleset.records] == ["good"]
    assert (view.stale, view.age) == (True, None)
    assert world.status["rules"]["age_s"] is None
    assert world.snapshot.ready


async def test_a_table_that_is_too_large_for_a_new_instance_leaves_the_adopted_rules() -> None:
    world = World(*({"kind": "route", "id": str(n), "model": "openai/gpt-5"} for n in range(1_001)))
    world.store.state = "r", [GOOD]
    await world.after(0)
    assert world.ids() == {"good"}


async def test_an_emptied_table_leaves_the_rules_in_force_for_five_minutes() -> None:
    world = World(GOOD)
    await world.after(0)
    world.store.items = []
    for _ in range(int(EMPTY // 20)):
        await world.after(20)
        assert world.ids() == {"good"}
        assert world.status["status"] == "degraded"
        assert world.status["rules"]["stale"] is False
    await world.after(20)
    await world.after(0)
    assert world.ids() == set()
    assert world.status["status"] == "ok"
    assert world.store.state is not None
    assert world.store.state[1] == []
    assert [message for message, _ in world.reports] == ["rules table empty"]


async def test_a_table_that_was_filled_again_starts_a_new_five_minutes() -> None:
    world = World(GOOD)
    await world.after(0)
    for items in ([], [ACCESS], [], []):
        world.store.items = items
        await world.after(200)
    assert world.ids() == {"all"}


async def test_a_new_instance_keeps_the_adopted_rules_when_it_finds_the_table_emptied() -> None:
    world = World()
    world.store.state = "r", [GOOD]
    await world.after(0)
    assert world.ids() == {"good"}
    assert world.status["status"] == "degraded"
    for _ in range(20):
        await world.after(20)
    assert world.ids() == set()
    assert world.store.state == (world.status["rules"]["revision"], [])


async def test_with_a_table_that_never_held_a_rule_the_status_is_ok_and_nothing_is_saved() -> None:
    world = World()
    await world.after(0)
    await world.after(16)
    assert world.status["status"] == "ok"
    assert (world.store.saves, world.store.state_reads) == (0, 1)


async def test_a_bad_record_leaves_its_last_readable_version_in_force() -> None:
    world = World(GOOD, ACCESS)
    await world.after(0)
    revision = world.status["rules"]["revision"]
    world.store.items = [BAD, {**ACCESS, "note": "edited"}]
    await world.after(16)
    view = await world.snapshot.current()
    (route,) = view.ruleset.enabled("route")
    assert getattr(route, "model", None) == "openai/gpt-5"
    assert view.ruleset.revision != revision, "the other records are adopted"
    assert world.status["status"] == "degraded"
    assert world.status["rules"]["skipped"] == 1
    (problem,) = world.snapshot.problems()
    assert (problem["kind"], problem["id"], problem["field"]) == ("route", "good", "prefers")
    assert "prefer" in problem["problem"]
    assert problem["instead"] == "last readable version"
    assert world.store.state_reads == 0


async def test_a_bad_record_is_reported_once_and_again_after_it_was_corrected() -> None:
    world = World(GOOD)
    await world.after(0)
    for items, lines in (([BAD], 1), ([BAD], 1), ([GOOD], 1), ([BAD], 2)):
        world.store.items = items
        await world.after(16)
        assert len(world.reports) == lines
    message, fields = world.reports[0]
    assert message == "rule not readable"
    assert (fields["kind"], fields["id"], fields["field"]) == ("route", "good", "prefers")


async def test_a_new_instance_takes_the_last_readable_version_from_state() -> None:
    old = World(GOOD, ACCESS)
    await old.after(0)
    new = World(BAD, ACCESS)
    new.store.state = old.store.state
    await new.after(0)
    assert new.ids() == {"good", "all"}
    assert new.snapshot.problems()[0]["instead"] == "last readable version"


async def test_a_bad_record_that_was_never_readable_is_skipped() -> None:
    world = World(BAD, ACCESS)
    await world.after(0)
    assert world.ids() == {"all"}
    assert world.snapshot.problems()[0]["instead"] == "skipped"
    await world.after(16)
    assert world.store.state_reads == 1, "an unchanged table is not read again"


async def test_while_state_is_down_the_set_that_it_may_hold_is_not_overwritten() -> None:
    world = World(BAD, ACCESS)
    known = ("r", [GOOD])
    world.store.state, world.store.state_error = known, StoreError("get item s: throttled")
    await world.after(0)
    assert world.ids() == {"all"}
    assert world.store.saves == 0
    world.store.state_error = None
    await world.after(16)
    assert world.ids() == {"good", "all"}


async def test_the_adopted_rules_are_saved_when_they_change_and_only_then() -> None:
    world = World(GOOD)
    await world.after(0)
    assert world.store.state == (world.status["rules"]["revision"], [GOOD])
    await world.after(16)
    world.store.items = [dict(GOOD)]
    await world.after(16)
    assert world.store.saves == 1
    world.store.items = [ACCESS]
    await world.after(16)
    assert world.store.saves == 2
    assert world.store.state == (world.status["rules"]["revision"], [ACCESS])


async def test_rules_that_were_replaced_meanwhile_are_not_taken_for_saved() -> None:
    world = World(GOOD)
    world.store.is_current = False
    await world.after(0)
    assert (world.store.state, world.status["status"]) == (None, "ok")
    world.store.is_current, world.store.items = True, [ACCESS]
    await world.after(16)
    assert world.store.state == (world.status["rules"]["revision"], [ACCESS])


async def test_a_failed_save_is_reported_and_repeated() -> None:
    world = World(GOOD)
    world.store.state_error = StoreError("put item s: access denied")
    await world.after(0)
    await world.after(16)
    assert world.store.saves == 2
    assert world.reports == [("rules not saved for new instances", {"problem": "put item s: access denied"})]
    assert world.status["status"] == "degraded"
    world.store.state_error = None
    await world.after(16)
    assert world.status["status"] == "ok"


async def test_a_restore_forgets_the_rules_and_cancels_a_running_read() -> None:
    world = World(GOOD)
    await world.after(0)
    world.clock.now += 16
    world.store.gate.clear()
    await world.snapshot.current()
    world.snapshot.invalidate()
    world.store.items = [ACCESS]
    assert world.status["rules"]["revision"] is None
    world.store.gate.set()
    await world.snapshot.settle(30)
    assert world.status["rules"]["revision"] is None
    await world.snapshot.current()
    assert world.ids() == {"all"}


async def test_settling_is_bounded() -> None:
    world = World(GOOD, timeout=0.01)
    world.store.gate.clear()
    with pytest.raises(Unavailable):
        await world.snapshot.current()
    await world.snapshot.settle(0.01)
    world.store.gate.set()
    await world.snapshot.settle(30)
    assert world.ids() == {"good"}


async def test_the_age_of_the_rules_counts_from_the_start_of_a_read_across_a_freeze() -> None:
    world = World(GOOD)
    await world.after(0)
    world.store.gate.clear()
    world.clock.now += 16
    await world.snapshot.current()
    await asyncio.sleep(0)
    world.clock.now += 3600
    world.store.gate.set()
    await world.snapshot.settle(30)
    assert world.status["rules"]["age_s"] == 3600
    world.store.items = [ACCESS]
    view = await world.snapshot.current()
    assert [record.id for record in view.ruleset.records] == ["all"]


# Items that DynamoDB accepts from its console and that are not valid records.
TYPED_BY_HAND = [
    pytest.param({"kind": "rule", "id": "x"}, id="an unknown kind"),
    pytest.param({"kind": "Route", "id": "x", "model": "openai/gpt-5"}, id="a kind in capitals"),
    pytest.param({"kind": "route", "id": "x", "prefers": "cheap"}, id="a typo in a field"),
    pytest.param({"kind": "route", "id": "x", "prefer": "cheapest"}, id="an unknown preference"),
    pytest.param({"kind": "route", "id": "x", "model": ""}, id="an empty text"),
    pytest.param({"kind": "route", "id": "x", "model": "a", "scope": {}}, id="an empty scope"),
    pytest.param({"kind": "route", "id": "x", "model": 7}, id="a number for a model"),
    pytest.param({"kind": "route", "id": "x", "model": "a", "priority": "high"}, id="a word for a number"),
    pytest.param({"kind": "route", "id": "x", "model": "a", "enabled": "perhaps"}, id="a word for a flag"),
    pytest.param({"kind": "route", "id": "x", "model": "a", "when": "always"}, id="a text for conditions"),
    pytest.param({"kind": "route", "id": "x", "model": "a", "when": {"moon": "full"}}, id="an unknown fact"),
    pytest.param(
        {"kind": "route", "id": "x", "model": "a", "when": {"hour": {"after": 9}}}, id="an unknown operator"
    ),
    pytest.param(
        {"kind": "route", "id": "x", "model": "a", "when": {"hour": {"gt": b"9"}}}, id="binary for a number"
    ),
    pytest.param(
        {"kind": "route", "id": "x", "model": {"S": "openai/gpt-5"}}, id="typed JSON pasted as a map"
    ),
    pytest.param({"kind": "route", "id": "x", "model": b"openai/gpt-5"}, id="binary for a text"),
    pytest.param({"kind": "route", "id": "x", "fallbacks": {"a", "b"}}, id="a set where the order counts"),
    pytest.param({"kind": "route", "id": "x", "split": [{"model": "a"}]}, id="a split without weights"),
    pytest.param(
        {"kind": "route", "id": "x", "split": [{"model": "a", "weight": -1}]}, id="a negative weight"
    ),
    pytest.param({"kind": "route", "id": "x", "model": "a", "retries": 10**37}, id="38 digits of retries"),
    pytest.param({"kind": "route", "id": "x", "model": "a", "retries": Decimal("0.5")}, id="half a retry"),
    pytest.param(
        {"kind": "route", "id": "x", "model": "a", "timeouts": {"total": "soon"}}, id="a word for seconds"
    ),
    pytest.param({"kind": "route", "id": "x", "model": "a", "cap": [1, 2]}, id="a list for a map"),
    pytest.param({"kind": "route", "id": "x", "model": None, "note": None}, id="nulls"),
    pytest.param({"kind": "route", "id": "x", "note": "x" * 390_000}, id="an enormous item"),
    pytest.param({"kind": "route", "id": "x", "set": {f"f{n}": n for n in range(6_000)}}, id="6,000 fields"),
    pytest.param({"kind": "access", "id": "x", "models": [["a"]]}, id="a list in a list"),
    pytest.param({"kind": "access", "id": "x", "models": {1, 2}}, id="a number set of models"),
    pytest.param(
        {"kind": "limit", "id": "x", "requests": "many", "per": "minute"},
        id="a word for a number of requests",
    ),
    pytest.param({"kind": "budget", "id": "x", "usd": "ten", "per": "day"}, id="a word for dollars"),
    pytest.param({"kind": "alias", "id": "x"}, id="an alias without models"),
    pytest.param(
        {"kind": "provider", "id": "x", "base_url": "file:///etc/passwd"}, id="a file as a provider"
    ),
    pytest.param({"kind": "model", "id": "x", "price": {"input": "cheap"}}, id="a price in words"),
    pytest.param(
        {"kind": "test", "id": "x", "request": "hello", "expect": {}}, id="a test without a request"
    ),
    pytest.param({"kind": "route\x00", "id": "\U0001f4a5\n"}, id="control characters in the key"),
]


@pytest.fixture
def database() -> Iterator[Any]:
    with dynamodb() as client:
        yield client


@pytest.mark.parametrize("item", TYPED_BY_HAND)
async def test_a_record_typed_by_hand_never_takes_the_gateway_down(database: Any, item: Item) -> None:
    for each in (GOOD, ACCESS):
        database.put_item(TableName=SETTINGS.rules_table, Item=serialize_item(each))
    world = World(store=Store(InlineClient(database), SETTINGS))
    await world.after(0)
    before = (await world.snapshot.current()).ruleset
    database.put_item(TableName=SETTINGS.rules_table, Item=serialize_item(item))
    await world.after(16)
    after = (await world.snapshot.current()).ruleset
    assert (after.records, after.revision) == (before.records, before.revision)
    assert world.status["status"] == "degraded"
    (problem,) = world.snapshot.problems()
    assert (problem["kind"], problem["id"]) == (item["kind"], item["id"])
    assert problem["field"]
    assert problem["problem"]
    assert len(world.reports) == 1


async def compiled(*items: Item) -> bytes:
    """Return what an instance with these rules saves for those that start after it."""
    world = World(*items)
    await world.after(0)
    assert world.store.compiled is not None
    found: bytes = world.store.compiled
    return found


async def test_rules_are_compiled_once_and_used_by_a_new_instance() -> None:
    first = World(GOOD)
    await first.after(0)
    await first.after(20)
    assert first.store.compiled_saves == 1
    second = World(GOOD, ACCESS)
    second.store.items, second.store.compiled = [GOOD], first.store.compiled
    before = RuleSet.read([GOOD])
    await second.after(0)
    assert second.snapshot._ruleset == before
    assert second.snapshot._ruleset is second.snapshot._compiled
    assert second.store.compiled_saves == 0
    second.store.items = [GOOD, ACCESS]
    await second.after(20)
    assert second.ids() == {"good", "all"}
    assert second.store.compiled_saves == 1


async def test_compiled_rules_of_another_content_are_replaced() -> None:
    world = World(GOOD)
    world.store.compiled = await compiled(ACCESS)
    await world.after(0)
    assert world.ids() == {"good"}
    assert world.store.compiled == await compiled(GOOD)


@pytest.mark.parametrize(
    "found",
    [
        pytest.param(b"", id="no bytes"),
        pytest.param(b"x" * 500, id="other bytes"),
        pytest.param(7, id="a number"),
    ],
)
async def test_what_is_not_a_compiled_set_is_ignored_and_replaced(found: Any) -> None:
    world = World(GOOD)
    world.store.compiled = found
    await world.after(0)
    assert world.ids() == {"good"}
    assert world.store.compiled == await compiled(GOOD)
    assert world.reports == []


@pytest.mark.parametrize("trouble", ["hangs", "fails", "is broken"])
async def test_compiled_rules_that_cannot_be_read_are_no_problem(trouble: str) -> None:
    class Troubled(Fake):
        async def load_compiled(self, version: str) -> bytes | None:
            if trouble == "hangs":
                await asyncio.sleep(60)
            raise StoreError("get item: throttled") if trouble == "fails" else RuntimeError("broken")

    world = World(store=Troubled(GOOD))
    await world.snapshot.current()
    assert world.ids() == {"good"}
    assert world.reports == []
    assert world.status["status"] == "ok"
    world.snapshot.invalidate()


async def test_problems_are_the_same_whether_or_not_another_set_was_compiled() -> None:
    found = await compiled(GOOD)
    worlds = [World(BAD, ACCESS), World(BAD, ACCESS)]
    worlds[0].store.compiled = found
    for world in worlds:
        world.store.state = "r", [GOOD]
        await world.after(0)
    assert worlds[0].snapshot.problems() == worlds[1].snapshot.problems() != []
    assert worlds[0].reports == worlds[1].reports
    assert worlds[0].ids() == worlds[1].ids() == {"good", "all"}
    assert [world.store.compiled_saves for world in worlds] == [0, 0]

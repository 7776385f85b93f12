"""Usage totals on moto: what is added, under which ids, after a failure, and when there are many names."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import product
from typing import Any

import pytest

from handler.aws.errors import StoreError
from handler.aws.sdk import scan
from handler.store import usage_totals
from handler.store.attributes import Item, deserialize_item
from handler.store.items import Items, StoreBusy, Update
from handler.store.usage_totals import COUNTS, OTHER, UsageRow, UsageTotals, clean_name, id_prefix, row_id
from tests.support.inline_client import InlineClient
from tests.support.tables import SETTINGS, dynamodb

NOON = datetime(2026, 11, 29, 12, tzinfo=UTC).timestamp()
DAY = 86_400
ROW = UsageRow(project="p", key="k", model="up/m")
HOSTILE = [
    "a",
    "a/b",
    "b",
    "",
    "%",
    "%2F",
    "a%2Fb",
    "/",
    "rows",
    "=",
    "a" * 201,
    "a" * 202,
    "é",
    "\ud800",
    ".",
]


@pytest.fixture
def client() -> Iterator[Any]:
    with dynamodb() as client:
        yield client


class FailingItems(Items):
    """Raises the errors of `before` instead of a write, and those of `after` once it is done."""

    def __init__(self, client: Any) -> None:
        super().__init__(InlineClient(client), SETTINGS.state_table)
        self.before: list[StoreError] = []
        self.after: list[StoreError] = []
        self.refused = "never"  # the beginning of the ids of writes that fail
        self.updates: list[Update] = []
        self.written = asyncio.Queue[str]()  # the id of each update

    async def update(self, update: Update) -> Item:
        self.updates.append(update)
        if update.id.startswith(self.refused):
            raise StoreError("too large", code="ValidationException")
        if self.before:
            raise self.before.pop(0)
        for _ in range(5):
            await asyncio.sleep(0)  # as a write takes longer than adding to it
        item = await super().update(update)
        self.written.put_nowait(update.id)
        if self.after:
            raise self.after.pop(0)
        return item


class Process:
    """One process that counts. Its clock stands at noon until `now` is set."""

    def __init__(self, client: Any, *, pause: float = 0.0) -> None:
        self.now = NOON
        self.lines: list[tuple[str, dict[str, Any]]] = []
        self.items = FailingItems(client)
        self.totals = UsageTotals(
            self.items, pause=pause, now=lambda: self.now, report=lambda *line: self.lines.append(line)
        )

    async def add(self, row: UsageRow = ROW, **counts: int) -> None:
        """Count one request, and wait for what is written."""
        self.totals.add(row, {"requests": 1, **counts})
        await self.totals.settle(30)


def stored(client: Any) -> list[Item]:
    return [deserialize_item(item) for item in scan(client, SETTINGS.state_table)]


def rows(client: Any) -> list[Item]:
    return [item for item in stored(client) if "usage_day" in item]


def total(client: Any) -> Counter[str]:
    counts: Counter[str] = Counter()
    for item in rows(client):
        counts.update({name: item[name] for name in COUNTS if name in item})
    return counts


async def test_requests_of_one_row_are_one_item(client: Any) -> None:
    process = Process(client)
    row = UsageRow(project="p", key="k", model="up/m", tags={"team": "red"}, session="s", agent="a")
    await process.add(row, input=5, output=2, cost=7, errors=0)
    await process.add(row, input=1, cost=10**15 + 1, errors=1)
    (item,) = rows(client)
    writes = {name: value for name, value in item.items() if name.startswith("write")}
    counts = {"requests": 2, "errors": 1, "input": 6, "output": 2, "cost": 10**15 + 8}
    assert item == {
        "id": row_id("2026-11-29", row, 0),
        "usage_day": "2026-11-29",
        "expires_at": int(NOON) - DAY // 2 + 400 * DAY,
        **row.dimensions(),
        **counts,
        **writes,
    }
    assert (item["project"], item["key"], item["model"]) == ("p", "k", "up/m")
    assert (item["tags"], item["session"], item["agent"]) == ({"team": "red"}, "s", "a")
    assert process.lines == []


DIFFERENT = [
    pytest.param(UsageRow(project="q", key="k", model="up/m"), id="another project"),
    pytest.param(UsageRow(project="p", key="l", model="up/m"), id="another key"),
    pytest.param(UsageRow(project="p", key="k", model="up/n"), id="another model"),
    pytest.param(UsageRow(project="p", key="k", model="up/m", tags={"a": "b"}), id="a tag"),
    pytest.param(UsageRow(project="p", key="k", model="up/m", session="s"), id="a session"),
    pytest.param(UsageRow(project="p", key="k", model="up/m", agent="s"), id="an agent"),
]


@pytest.mark.parametrize("other", DIFFERENT)
async def test_rows_that_differ_are_counted_apart(client: Any, other: UsageRow) -> None:
    process = Process(client)
    await process.add(ROW, cost=1)
    await process.add(other, cost=2)
    assert sorted(item["cost"] for item in rows(client)) == [1, 2]


async def test_a_new_day_is_a_new_item(client: Any) -> None:
    process = Process(client)
    await process.add()
    process.now += DAY / 2
    await process.add()
    assert sorted(item["usage_day"] for item in rows(client)) == ["2026-11-29", "2026-11-30"]


def test_no_two_names_have_the_same_or_a_longer_prefix() -> None:
    prefixes = [id_prefix("2026-11-29", *names) for names in product(HOSTILE, repeat=2)]
    assert len(set(prefixes)) == len(prefixes)
    for prefix in prefixes:
        assert not any(other.startswith(prefix) for other in prefixes if other != prefix)
        assert len(prefix.encode()) < 900, "an index takes ids of at most 1024 bytes"


async def test_hostile_names_are_counted_apart(client: Any) -> None:
    process = Process(client)
    names = [name for name in HOSTILE if name.isprintable()]
    for project, key in product(names, repeat=2):
        await process.add(UsageRow(project=project, key=key, model="up/m"))
    found = {(item["project"], item["key"]): item["requests"] for item in rows(client)}
    assert found == dict.fromkeys(product(names, repeat=2), 1)


LOST = StoreError("no answer within 8 s")
FAILURES = [
    pytest.param([LOST], [], id="a write that did not arrive"),
    pytest.param([], [LOST], id="a write whose answer was lost"),
    pytest.param([], [LOST, LOST], id="a write whose answers were lost twice"),
    pytest.param([StoreBusy("throttled")], [], id="a write that was throttled"),
    pytest.param([LOST] * 3, [LOST], id="several of them"),
]


@pytest.mark.parametrize(("before", "after"), FAILURES)
async def test_a_write_that_fails_is_repeated_at_the_next_request_and_counts_once(
    client: Any, before: list[StoreError], after: list[StoreError]
) -> None:
    process = Process(client)
    await process.add(cost=1)
    process.items.before, process.items.after = list(before), list(after)
    for cost in (10, 100, 1_000, 10_000, 100_000):
        await process.add(cost=cost)
    assert total(client)["cost"] == 111_111
    assert total(client)["requests"] == 6
    assert [message for message, _ in process.lines] == [usage_totals.NOT_WRITTEN]


async def test_an_outage_is_reported_once_and_the_next_one_again(client: Any) -> None:
    process = Process(client)
    process.items.before = [LOST, LOST]
    for _ in range(3):
        await process.add()
    process.items.before = [LOST]
    await process.add()
    assert process.lines == [(usage_totals.NOT_WRITTEN, {"problem": str(LOST)})] * 2


async def test_a_row_that_the_store_refuses_delays_the_others_by_one_request_at_most(client: Any) -> None:
    process = Process(client)
    process.items.refused = id_prefix("2026-11-29", "p", "k")
    await process.add()
    for number in range(5):
        await process.add(UsageRow(project="p", key=f"other{number}", model="up/m"))
        assert len(rows(client)) >= number
    await process.add()
    assert len(rows(client)) == 5


async def test_what_is_added_during_a_write_follows_it(client: Any) -> None:
    process = Process(client)
    for cost in range(1, 101):
        process.totals.add(ROW, {"requests": 1, "cost": cost})
        await asyncio.sleep(0)
    await process.totals.settle(30)
    assert total(client) == {"requests": 100, "cost": 5_050}
    assert len(process.items.updates) < 100, "deltas of one row are merged while a write runs"


async def test_a_server_writes_the_requests_of_a_pause_together(client: Any) -> None:
    process = Process(client, pause=0.001)
    for written in (1, 2):
        for _ in range(10):
            process.totals.add(ROW, {"requests": 1})
            await asyncio.sleep(0)
        async with asyncio.timeout(30):
            while await process.items.written.get() != row_id("2026-11-29", ROW, 0):
                pass
        assert total(client)["requests"] == 10 * written
    await process.totals.settle(30)
    assert [update.values.get("requests") for update in process.items.updates] == [10, None, 10]


async def test_what_waits_for_the_end_of_a_pause_is_written_when_the_server_ends(client: Any) -> None:
    process = Process(client, pause=3600)
    for cost in (1, 10):
        process.totals.add(ROW, {"requests": 1, "cost": cost})
        await asyncio.sleep(0)
    assert process.items.updates == []
    await process.totals.settle(30)
    assert total(client) == {"requests": 2, "cost": 11}
    process.totals.add(ROW, {"requests": 1})
    await asyncio.sleep(0)
    assert total(client)["requests"] == 2, "the next request waits again"
    await process.totals.settle(30)
    assert total(client)["requests"] == 3


async def test_processes_that_count_at_once_lose_nothing(client: Any) -> None:
    processes = [Process(client) for _ in range(6)]
    await asyncio.gather(*(process.add(cost=number) for process in processes for number in range(20)))
    assert total(client) == {"requests": 120, "cost": 6 * 190}


async def test_a_throttled_process_counts_in_another_shard(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("secrets.randbelow", lambda count: count - 1)
    process = Process(client)
    await process.add()
    process.items.before = [StoreBusy("throttled")]
    await process.add()
    await process.add()
    assert {item["id"][-2:]: item["requests"] for item in rows(client)} == {"/0": 2, "/7": 1}


def named(number: int, **fields: Any) -> UsageRow:
    return UsageRow(project="p", key="k", model="up/m", session=f"s{number}", **fields)


async def test_names_beyond_the_bound_are_counted_together(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usage_totals, "MAX_ROWS", 5)
    process = Process(client)
    for number in range(20):
        await process.add(named(number % 10, tags={"a": f"{number}"}), cost=1)
    await process.add(UsageRow(project="other", key="k", model="up/m", session="own"))
    named_rows = [item for item in rows(client) if item["project"] == "p"]
    assert len(named_rows) == 6
    (other,) = (item for item in named_rows if item["session"] == OTHER)
    assert other["tags"] == {OTHER: OTHER}
    assert (other["requests"], other["cost"]) == (15, 15)
    assert [item["session"] for item in rows(client) if item["project"] == "other"] == ["own"]


async def test_a_new_process_exceeds_the_bound_by_one_row_at_most(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usage_totals, "MAX_ROWS", 5)
    for number in range(10):
        process = Process(client)
        await process.add(named(number))
        await process.add(named(100 + number))
    own = [item for item in rows(client) if item["session"] != OTHER]
    assert len(own) <= 5 + 10
    assert total(client)["requests"] == 20


async def test_the_bound_counts_again_on_the_next_day(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage_totals, "MAX_ROWS", 1)
    process = Process(client)
    await process.add(named(1))
    await process.add(named(2))
    process.now += DAY
    await process.add(named(2))
    assert sorted(item["session"] for item in rows(client)) == [OTHER, "s1", "s2"]


async def test_a_store_that_is_down_cannot_fill_the_memory(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usage_totals, "MAX_PENDING", 10)
    process = Process(client)
    process.items.before = [LOST] * 1_000
    for number in range(200):
        await process.add(named(number), cost=1)
    process.items.before = []
    await process.add(named(0), cost=1)
    assert total(client) == {"requests": 201, "cost": 201}
    assert len(rows(client)) == 11


@pytest.mark.parametrize(
    ("row", "model"),
    [
        pytest.param(named(1), "up/m", id="a listed model keeps its name"),
        pytest.param(named(1, listed=False), OTHER, id="an unlisted one is a name that a caller chose"),
    ],
)
def test_a_row_without_names(row: UsageRow, model: str) -> None:
    other = row.without_names()
    assert (other.model, other.session, other.agent, other.tags) == (model, OTHER, None, {})


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        pytest.param("team a", "team a", id="a plain text"),
        pytest.param("x" * 129, "x" * 128, id="a long text"),
        pytest.param("a\x00\ud800b\n", "ab", id="what cannot be printed"),
    ],
)
def test_a_name_is_cleaned(text: str, cleaned: str) -> None:
    assert clean_name(text) == cleaned


async def test_items_expire_after_the_retention(client: Any) -> None:
    await Process(client).add()
    assert {item["expires_at"] for item in stored(client)} == {int(NOON) - DAY // 2 + 400 * DAY}

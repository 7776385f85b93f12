"""The rules in force and their history: on moto, and with many instances at once, of which some crash."""

from __future__ import annotations

import asyncio
import random
import string
from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from handler.aws.errors import StoreError
from handler.store import history
from handler.store.attributes import Item
from handler.store.compressed import ADOPTED, MAX_PART
from handler.store.history import (
    MAX_MESSAGE,
    Entry,
    adopt,
    find_entry,
    list_entries,
    load_adopted,
    load_records,
    save_message,
)
from handler.store.items import Items, StoreBusy
from rules import RuleSet
from tests.support.atomic_items import AtomicItems, Table
from tests.support.state import InlineItems
from tests.support.tables import dynamodb

NOW = 1_800_000_000.0  # 2027-01-15T08:00:00Z


@pytest.fixture
def moto() -> Iterator[Items]:
    with dynamodb() as client:
        yield InlineItems(client)


@pytest.fixture
def items() -> AtomicItems:
    return AtomicItems()


async def always() -> bool:
    return True


def route(id: str, **fields: Any) -> Item:
    return {"kind": "route", "id": id, "model": "openai/gpt-5", **fields}


async def save(
    items: Items, revision: str, records: list[Item], *, days: float = 90, now: float = NOW
) -> bool:
    return await adopt(items, revision, records, days=days, is_current=always, now=lambda: now)


def stored(items: AtomicItems) -> set[str]:
    return set(items.table.items)


RECORD = {
    "kind": "access",
    "id": "é",
    "models": {"b", "a"},
    "price": Decimal("0.10"),
    "raw": b"\x00",
    "when": {"hour": [1, None, True]},
}


async def test_adopted_rules_are_loaded_as_they_were_saved(moto: Items) -> None:
    assert await load_adopted(moto) is None
    assert await list_entries(moto, now=NOW) == []
    await save(moto, "r1", [RECORD])
    assert await load_adopted(moto) == ("r1", [RECORD])
    await save(moto, "r0", [])
    assert await load_adopted(moto) == ("r0", [])
    newest, first = await list_entries(moto, now=NOW)
    assert (newest.removed, first.added, newest.previous) == (("access/é",), ("access/é",), "r1")
    assert [await load_records(moto, each) for each in (newest, first)] == [[], [RECORD]]


async def test_the_set_of_a_time_without_history_can_be_gone_back_to(items: AtomicItems) -> None:
    await save(items, "r1", [route("a"), route("b")], days=0)
    await asyncio.gather(*(save(items, "r2", [route("a")], now=NOW + 60) for _ in range(5)))
    newest, first = await list_entries(items, now=NOW)
    assert (newest.revision, newest.removed, first.revision) == ("r2", ("route/b",), "r1")
    assert await load_records(items, first) == [route("a"), route("b")]


async def test_damaged_rules_of_a_time_without_history_stop_nothing(items: AtomicItems) -> None:
    await save(items, "r1", [route("a")], days=0)
    items.table.items[ADOPTED]["part"] = b"damaged"
    assert await save(items, "r2", [route("b")])
    assert [each.revision for each in await list_entries(items, now=NOW)] == ["r2"]


async def test_the_history_names_what_changed(items: AtomicItems) -> None:
    await save(items, "r1", [route("a"), route("b"), RECORD])
    await save(items, "r2", [route("a"), route("b", note="x"), route("c")], now=NOW + 60)
    await save(items, "r2", [route("other")], now=NOW + 90)
    entries = await list_entries(items, now=NOW)
    assert [each.as_json() for each in entries] == [
        {
            "number": 2,
            "revision": "r2",
            "previous": "r1",
            "at": "2027-01-15T08:01:00Z",
            "message": "",
            "more": 0,
            "changes": {"added": ["route/c"], "changed": ["route/b"], "removed": ["access/é"]},
        },
        {
            "number": 1,
            "revision": "r1",
            "previous": "",
            "at": "2027-01-15T08:00:00Z",
            "message": "",
            "more": 0,
            "changes": {"added": ["access/é", "route/a", "route/b"], "changed": [], "removed": []},
        },
    ]


async def test_returning_to_an_earlier_revision_is_a_new_entry(items: AtomicItems) -> None:
    for revision in ("r1", "r2", "r1", "r1", "r3"):
        await save(items, revision, [route(revision)])
    assert [each.revision for each in await list_entries(items, now=NOW)] == ["r3", "r1", "r2", "r1"]


def noise(count: int) -> list[Item]:
    """Return records that gzip cannot compress."""
    letters = random.Random(7)
    return [
        {"kind": "route", "id": str(n), "note": "".join(letters.choices(string.printable, k=5_000))}
        for n in range(count)
    ]


async def test_a_large_set_takes_several_items_and_those_in_force_are_deleted(moto: Items) -> None:
    large = noise(200)
    await save(moto, "r1", large)
    in_force = [ADOPTED, f"{ADOPTED}#r1#1", f"{ADOPTED}#r1#2"]
    parts = [f"history#1#r1#{n}" for n in range(3)]
    found = await moto.get_many([*in_force, *parts])
    assert len(found) == 6
    assert all(len(item["part"]) <= MAX_PART for item in found.values())
    adopted = await load_adopted(moto)
    assert adopted is not None
    assert sorted(adopted[1], key=lambda item: int(item["id"])) == large
    await save(moto, "r2", [RECORD])
    assert [*await moto.get_many([*in_force, *parts])] == [ADOPTED, *parts]
    entry = await find_entry(moto, "1", now=NOW)
    assert entry is not None
    assert len(await load_records(moto, entry)) == 200


async def test_the_names_in_an_entry_are_bounded(items: AtomicItems) -> None:
    many = [{"kind": "route", "id": f"{n}{'é' * 500}"} for n in range(900)]
    await save(items, "r1", many)
    (entry,) = await list_entries(items, now=NOW)
    assert sum(len(name.encode()) for name in entry.added) <= history.MAX_NAMES
    assert len(entry.added) + entry.more == 900
    await save(items, "r2", [])
    assert (await list_entries(items, now=NOW))[0].more == entry.more


async def test_entries_expire(items: AtomicItems) -> None:
    await save(items, "r1", [RECORD], days=10)
    await save(items, "r2", [RECORD], days=10, now=NOW + 5 * 86_400)
    expiring = {id: item["expires_at"] for id, item in items.table.items.items() if "expires_at" in item}
    assert set(expiring) == {"history#1", "history#1#r1#0", "history#2", "history#2#r2#0"}
    assert expiring["history#1"] == NOW + 10 * 86_400
    assert [each.number for each in await list_entries(items, now=NOW + 10 * 86_400)] == [2]
    assert await find_entry(items, "1", now=NOW + 10 * 86_400) is None


async def test_without_a_history_only_the_rules_in_force_are_kept(items: AtomicItems) -> None:
    await save(items, "r1", [RECORD], days=0)
    await save(items, "r2", [], days=0)
    assert stored(items) == {ADOPTED}
    assert await load_adopted(items) == ("r2", [])
    await save(items, "r3", [RECORD])
    assert [(each.number, each.previous) for each in await list_entries(items, now=NOW)] == [
        (2, "r2"),
        (1, ""),
    ]


async def test_a_set_that_an_earlier_version_saved_is_replaced(items: AtomicItems) -> None:
    await save(items, "r1", [RECORD], days=0)
    await save(items, "r2", [RECORD, route("a")])
    entry, _ = await list_entries(items, now=NOW)
    assert (entry.previous, entry.added, entry.changed) == ("r1", ("route/a",), ())


DAMAGES = [
    pytest.param({"part": b"no gzip"}, id="not gzip"),
    pytest.param({"parts": 2}, id="a part is missing"),
    pytest.param({"part": "text"}, id="text instead of bytes"),
    pytest.param({"parts": "two"}, id="a count that is not a number"),
]


@pytest.mark.parametrize("damage", DAMAGES)
async def test_damaged_adopted_rules_are_a_store_error_and_can_be_replaced(
    items: AtomicItems, damage: Item
) -> None:
    await save(items, "r1", [RECORD])
    items.table.items[ADOPTED] |= damage
    with pytest.raises(StoreError, match="the adopted rules in State cannot be read"):
        await load_adopted(items)
    if damage != {"parts": "two"}:
        await save(items, "r2", [route("a")])
        assert await load_adopted(items) == ("r2", [route("a")])


async def test_damaged_records_of_an_entry_are_a_store_error(items: AtomicItems) -> None:
    await save(items, "r1", [RECORD])
    items.table.items["history#1#r1#0"]["part"] = b"no gzip"
    (entry,) = await list_entries(items, now=NOW)
    with pytest.raises(StoreError, match="entry 1 of the history cannot be read"):
        await load_records(items, entry)
    items.table.items.pop("history#1#r1#0")
    with pytest.raises(StoreError, match="entry 1 of the history cannot be read"):
        await load_records(items, entry)


async def test_pages_of_a_long_history(items: AtomicItems) -> None:
    for number in range(250):
        await save(items, f"{number:012x}", [route(str(number))])
    page = await list_entries(items, limit=3, now=NOW)
    assert [each.number for each in page] == [250, 249, 248]
    page = await list_entries(items, limit=3, before=248, now=NOW)
    assert [each.number for each in page] == [247, 246, 245]
    assert len(await list_entries(items, limit=1_000, now=NOW)) == 250
    assert await list_entries(items, before=1, now=NOW) == []
    assert [each.number for each in await list_entries(items, limit=1, before=9_999, now=NOW)] == [250]


@pytest.mark.parametrize(
    ("which", "number"),
    [
        pytest.param("2", 2, id="a number"),
        pytest.param("a1b2c3d4e5f6", 3, id="a revision, the newest entry of it"),
        pytest.param("a1b2", 3, id="the beginning of a revision"),
        pytest.param("123456789012", 2, id="a revision of digits"),
        pytest.param("4", None, id="a number that is not there"),
        pytest.param("0", None, id="0"),
        pytest.param("²", None, id="a digit that is not ASCII"),
        pytest.param("a1b", None, id="too short a beginning"),
        pytest.param("ffff", None, id="no such revision"),
        pytest.param("", None, id="nothing"),
    ],
)
async def test_an_entry_is_found_by_number_or_revision(
    items: AtomicItems, which: str, number: int | None
) -> None:
    for revision in ("a1b2c3d4e5f6", "123456789012", "a1b2c3d4e5f6"):
        await save(items, revision, [route(revision)])
    found = await find_entry(items, which, now=NOW)
    assert (found and found.number) == number


async def test_a_message_is_part_of_the_entry_that_it_was_written_for(items: AtomicItems) -> None:
    await save_message(items, "r1", "first " + "x" * 2_000, now=NOW)
    await save(items, "r1", [RECORD], now=NOW + 60)
    await save(items, "r2", [], now=NOW + 3_600)
    await save(items, "r1", [RECORD], now=NOW + 7_200)
    entries = await list_entries(items, now=NOW)
    assert [each.message[:6] for each in entries] == ["", "", "first "], "an old message is not used again"
    assert len(entries[2].message) == MAX_MESSAGE
    await save_message(items, "r2", "again", now=NOW + 7_300)
    await save(items, "r2", [], now=NOW + 7_400)
    assert (await list_entries(items, limit=1, now=NOW))[0].message == "again"


class Crash(BaseException):
    """An instance ends at once."""


CALLS = 60  # more than one instance makes


class World:
    """A table of rules that changes, and instances that read it at different times, and late."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.state = Table()
        self.records = [[route("a", priority=0)]]  # the table after each change

    def set_of(self, number: int) -> tuple[str, list[Item]]:
        return RuleSet.read(self.records[number]).revision, self.records[number]

    async def pause(self) -> None:
        for _ in range(self.random.randrange(4)):
            await asyncio.sleep(0)

    async def instance(self, *, crashes: bool, crash_at: int | None = None) -> None:
        """Adopt what the table holds, or held a moment ago, at most 10 times."""
        calls = 0

        async def hook(when: str, method: str) -> None:
            nonlocal calls
            calls += 1
            if calls == crash_at:
                raise Crash
            await self.pause()

        items = AtomicItems(self.state, hook)
        saved = ""
        for _ in range(10):
            seen = max(0, len(self.records) - 1 - self.random.choice((0, 0, 0, 1, 2)))
            revision, records = self.set_of(seen)

            async def is_current(seen: int = seen) -> bool:
                await self.pause()
                current = self.records[seen] == self.records[-1]
                await self.pause()
                return current

            if revision != saved:
                crash_at = calls + self.random.randrange(1, CALLS) if crashes else crash_at
                try:
                    if await adopt(items, revision, records, days=1, is_current=is_current, sleep=_skip):
                        saved = revision
                except Crash:
                    return
                except StoreBusy:
                    pass
            await self.pause()

    async def edits(self, number: int, *, back: bool) -> None:
        for priority in range(1, number):
            for _ in range(self.random.randrange(60)):
                await asyncio.sleep(0)
            earlier = back and self.random.random() < 0.3 and len(self.records) > 1
            self.records.append(self.records[-2] if earlier else [route("a", priority=priority)])

    async def entries(self) -> list[Entry]:
        """Return the entries, the oldest first."""
        found = await list_entries(AtomicItems(self.state), limit=1_000)
        assert [each.number for each in found] == [*range(len(found), 0, -1)], "no number is left out"
        return found[::-1]


async def _skip(seconds: float) -> None:
    await asyncio.sleep(0)


async def check(world: World) -> None:
    """The last set is in force, and the entries are sets that the table held, in their order."""
    adopted = await load_adopted(AtomicItems(world.state))
    assert adopted == world.set_of(-1)
    entries = await world.entries()
    assert entries[-1].revision == adopted[0]
    assert all(one.revision != other.revision for one, other in pairwise(entries)), "none is there twice"
    assert all(other.previous == one.revision for one, other in pairwise(entries)), "none is left out"
    held = iter([world.set_of(n)[0] for n in range(len(world.records))])
    assert all(entry.revision in held for entry in entries), "in the order in which the table held them"
    for entry in entries:
        (record,) = await load_records(AtomicItems(world.state), entry)
        assert RuleSet.read([record]).revision == entry.revision


@pytest.mark.parametrize("seed", range(30))
async def test_200_adoptions_by_20_instances_leave_one_entry_for_each_revision(seed: int) -> None:
    world = World(seed)
    await asyncio.gather(*(world.instance(crashes=False) for _ in range(20)), world.edits(8, back=False))
    await world.instance(crashes=False)
    await check(world)
    revisions = [each.revision for each in await world.entries()]
    assert len(revisions) == len(set(revisions))


@pytest.mark.parametrize("seed", range(60))
async def test_instances_that_crash_and_edits_that_go_back_lose_and_double_nothing(seed: int) -> None:
    world = World(seed)
    running = (world.instance(crashes=number % 2 == 0) for number in range(20))
    await asyncio.gather(*running, world.edits(12, back=True))
    await world.instance(crashes=False)
    await check(world)


@pytest.mark.parametrize("crash_at", range(1, 40))
async def test_a_crash_at_any_call_leaves_both_or_neither(crash_at: int) -> None:
    world = World(1)
    await world.instance(crashes=False)
    world.records.append([route("a", priority=1), *noise(120)])
    await world.instance(crashes=False, crash_at=crash_at)
    adopted = await load_adopted(AtomicItems(world.state))
    assert adopted is not None
    assert adopted[0] == (await world.entries())[-1].revision, "the rules in force have an entry"
    world.random = random.Random(2)
    await world.instance(crashes=False)
    assert [each.revision for each in await world.entries()] == [world.set_of(0)[0], world.set_of(1)[0]]


async def test_an_instance_that_is_always_too_late_gives_up(items: AtomicItems) -> None:
    async def other() -> bool:
        await save(AtomicItems(items.table), f"r{len(items.table.items)}", [])
        return True

    with pytest.raises(StoreBusy):
        await adopt(items, "mine", [], days=1, is_current=other, sleep=_skip)


async def test_rules_that_the_table_does_not_hold_any_more_are_not_saved(items: AtomicItems) -> None:
    async def never() -> bool:
        return False

    assert await adopt(items, "r1", [RECORD], days=1, is_current=never) is False
    assert stored(items) == set()

"""What instances count and write: sums, bounds, races, and a store that fails."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from handler.aws.errors import StoreError
from handler.store.activity import recorder
from handler.store.activity.counters import COUNTED, LETTERS, cells_of, merged
from handler.store.activity.lines import unpack
from handler.store.activity.recorder import (
    LONGEST_PAUSE,
    MOST_ATTRIBUTES,
    MOST_HOURS,
    MOST_LINES,
    MOST_UNKNOWN,
    NAMES,
    NOT_WRITTEN,
    PAUSE,
)
from handler.store.attributes import item_size, serialize_item
from handler.store.items import StoreBusy, Update
from handler.store.usage_totals import OTHER, UsageRow
from tests.handler.store.activity.instances import HOUR, Instance, line
from tests.support.atomic_items import AtomicItems, Table
from tests.support.state import InlineItems
from tests.support.tables import dynamodb

ERROR = {"code": "rate_limit_exceeded", "message": "The limit l is used up."}
Counted = Counter[tuple[str, str, str]]  # kind, name and counter


def counted(table: Table) -> Counted:
    """The sums of all hours."""
    sums: Counted = Counter()
    for id, item in table.items.items():
        if id.startswith("activity#"):
            for (kind, name), cell in cells_of(item).items():
                sums.update({(kind, name, counter): cell[place] for place, counter in enumerate(COUNTED)})
    return +sums


def stored_lines(table: Table) -> list[dict[str, Any]]:
    return [
        line
        for id, item in table.items.items()
        if id.startswith("requests#")
        for line in unpack(item["lines"])
    ]


@pytest.mark.parametrize("seed", range(30))
async def test_sums_are_what_several_instances_sent(seed: int) -> None:
    """Requests at random, over hours, while writes wait, are sent twice or are throttled."""
    draw, table, expected = random.Random(seed), Table(), Counted()
    calm = False

    async def hook(when: str, method: str) -> None:
        for _ in range(draw.randrange(4)):
            await asyncio.sleep(0)
        if not calm and when == "before" and draw.random() < 0.2:
            raise StoreBusy("throttled")

    items = [AtomicItems(table, hook) for _ in range(3)]
    for each in items:
        each.sent = lambda: draw.choice((1, 1, 2))
    instances = [Instance(each) for each in items]
    for number in range(200):
        one = draw.choice(instances)
        failed, cost, tokens = draw.random() < 0.2, draw.randrange(10**9), (draw.randrange(99), 7)
        named = {"p": f"p{draw.randrange(3)}", "k": f"k#{draw.randrange(4)}", "m": f"up/m{draw.randrange(3)}"}
        fields = {"project": named["p"], "key": named["k"], "error": ERROR if failed else None}
        one.request(
            model=named["m"], cost=cost, tokens=tokens, first_token_ms=12.5, request_id=f"{number}", **fields
        )
        values = dict(zip(COUNTED, (1, int(failed), cost, *tokens), strict=True))
        for kind, name in (("t", ""), *named.items()):
            expected.update({(kind, name, counter): value for counter, value in values.items()})
        one.time += draw.choice((0, 1, 11, 600))
        if draw.random() < 0.3:
            for _ in range(9):  # a flush that lasts for hours would lose one of them
                await asyncio.sleep(0)
    calm = True
    for one in instances:
        await one.flush()  # one that runs may have taken what there was
        await one.flush()
    assert counted(table) == +expected
    assert all(not [*one.activity.unwritten()] for one in instances)


async def test_the_first_request_is_written_at_once_and_others_after_a_pause() -> None:
    one = Instance()
    one.request(request_id="1")
    await one.activity.settle(9)
    assert [each["request_id"] for each in stored_lines(one.items.table)] == ["1"]  # type: ignore[attr-defined]
    one.time += PAUSE - 1
    one.request(request_id="2")
    await one.activity.settle(9)
    assert len(stored_lines(one.items.table)) == 1  # type: ignore[attr-defined]
    one.time += 1
    one.activity.add({"level": "DEBUG"}, None)  # a health check is not recorded, and lets others be written
    await one.activity.settle(9)
    assert [each["request_id"] for each in stored_lines(one.items.table)] == ["1", "2"]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("fields", "requests", "lines"),
    [
        pytest.param({"level": "DEBUG"}, 0, 0, id="a health check"),
        pytest.param({"path": "/console/api/rules"}, 0, 0, id="a request of the console"),
        pytest.param({"path": "/v1/console/app.js", "key": None}, 0, 0, id="a file of the console"),
        pytest.param({"path": "/api/v1/console"}, 0, 0, id="its page below another prefix"),
        pytest.param(
            {"path": "/v1beta/models/console:generateContent", "error": ERROR}, 1, 1, id="an alias console"
        ),
        pytest.param({"path": "/v1/models", "status": 200}, 0, 1, id="a request that needs no model"),
        pytest.param({"error": ERROR}, 1, 1, id="a refused request of a key"),
        pytest.param({"error": ERROR, "key": None, "project": None}, 0, 1, id="a request without a key"),
        pytest.param(
            {"error": ERROR, "level": "ERROR", "key": None, "project": None}, 1, 1, id="a failure of Sluice"
        ),
        pytest.param({"path": "/", "status": 200, "key": None}, 0, 0, id="an answer that needs no key"),
    ],
)
async def test_what_is_recorded_of_a_request_without_a_provider(
    fields: dict[str, Any], requests: int, lines: int
) -> None:
    table = Table()
    one = Instance(AtomicItems(table))
    one.refuse(**fields)
    await one.flush()
    assert counted(table)["t", "", "requests"] == requests
    assert len(stored_lines(table)) == lines


async def test_names_beyond_the_bound_are_counted_together_also_those_of_other_instances() -> None:
    table = Table()
    first, second = Instance(AtomicItems(table)), Instance(AtomicItems(table))
    for number in range(NAMES - 10):
        first.request(key=f"first{number}")
    await first.flush()
    second.request(key="second")
    await second.flush(11)
    for number in range(NAMES):
        second.request(key=f"second{number}")
    await second.flush(11)
    sums = counted(table)
    names = {name for kind, name, _ in sums if kind == "k"}
    assert len(names) == NAMES + 1
    assert OTHER in names
    assert sum(sums["k", name, "requests"] for name in names) == sums["t", "", "requests"] == 2 * NAMES - 9


async def test_many_instances_begin_an_hour_with_names_of_their_own() -> None:
    table = Table()
    for number in range(100):
        one = Instance(AtomicItems(table))
        for each in range(30):
            one.activity._due = 1e12  # they have counted a while before they write
            one.request(key=f"{number} {each}", model=f"up/{number} {each}", cost=1)
        await one.flush()
    sums = counted(table)
    for kind in "km":
        names = {name for of, name, _ in sums if of == kind}
        assert len(names) == NAMES + 1
        assert sum(sums[kind, name, "requests"] for name in names) == sums["t", "", "requests"] == 3000


@pytest.mark.parametrize(
    ("listed", "error", "counted_as"),
    [
        pytest.param(False, ERROR, OTHER, id="a name that a caller may have invented"),
        pytest.param(False, None, "up/x", id="an unlisted model that answers"),
        pytest.param(True, ERROR, "up/x", id="a listed model that fails"),
    ],
)
async def test_callers_cannot_bring_names_of_models(listed: bool, error: Any, counted_as: str) -> None:
    table = Table()
    one = Instance(AtomicItems(table))
    row = UsageRow(project="p", key="k", model="up/x", listed=listed)
    one.activity.add(line(model="up/x", error=error), (row, {}))
    await one.flush()
    assert {name for kind, name, _ in counted(table) if kind == "m"} == {counted_as}


async def test_a_long_odd_name_is_cut_and_printable() -> None:
    table = Table()
    one = Instance(AtomicItems(table))
    one.request(model="\ud800\n" + "m" * 500, key="\ud800")
    await one.flush()
    assert {name for kind, name, _ in counted(table) if kind in "km"} == {"m" * 126, OTHER}


@pytest.fixture
def moto() -> Iterator[InlineItems]:
    with dynamodb() as client:
        yield InlineItems(client)


async def test_the_store_takes_an_hour_with_the_most_names(moto: InlineItems) -> None:
    updates: list[Update] = []
    write = moto.update

    async def update(update: Update) -> Any:
        updates.append(update)
        return await write(update)

    moto.update = update  # type: ignore[method-assign]
    one = Instance(moto)
    for number in range(NAMES + 5):
        name = f"{number}".rjust(128, "n")
        one.request(
            project=name, key=name, model=name, cost=5, tokens=(6, 7), first_token_ms=100, error=ERROR
        )
    await one.flush(11)
    assert one.reported == []
    assert max(len(update.expression) for update in updates) < 4096
    assert max(len(update.values) for update in updates) <= MOST_ATTRIBUTES + 3
    items = await moto.get_many(recorder.counters_ids(int(one.time // HOUR)))
    assert len(items) == 3
    cells = merged(map(cells_of, items.values()))
    assert len(cells) == 3 * (NAMES + 1) + 1
    assert cells["t", ""][:7] == [55, 55, 5 * 55, 6 * 55, 7 * 55, 55, 5500]
    assert cells["m", OTHER][LETTERS.index("A")] == 5


async def test_a_failing_store_is_reported_once_and_cannot_fill_the_memory() -> None:
    table, down = Table(), True

    async def hook(when: str, method: str) -> None:
        if down:
            raise StoreError("there is no such table")

    one = Instance(AtomicItems(table, hook))
    for hour in range(30):
        for number in range(200):
            one.request(key=f"{hour} {number}")
            one.refuse(key=None, project=None, error=ERROR)
        await one.flush(HOUR)
    assert one.reported == [NOT_WRITTEN]
    assert len({hour for hour, _ in one.activity.unwritten()}) <= MOST_HOURS + 1
    assert len([*one.activity.unwritten()]) <= 10
    assert len(one.activity.unwritten_lines()) <= 2 * (MOST_LINES + MOST_UNKNOWN)
    down = False
    await one.flush(11)
    assert [*one.activity.unwritten()] == []
    down = True
    one.request()
    await one.flush(11)
    assert one.reported == [NOT_WRITTEN] * 2, "a new outage is a new line"


async def test_a_failing_store_is_asked_less_and_less_often() -> None:
    calls, down = 0, True

    async def hook(when: str, method: str) -> None:
        nonlocal calls
        calls += when == "before"
        if down:
            raise StoreBusy("throttled")

    one = Instance(AtomicItems(Table(), hook))
    for _ in range(600):
        one.request()
        await one.activity.settle(9)
        one.time += 1
    assert calls <= 12
    down = False
    for _ in range(300):
        one.request()
        await one.activity.settle(9)
        one.time += 1
    assert one.activity._pause == PAUSE, "and as often as before once it works"


async def test_counters_that_the_store_will_never_take_are_dropped() -> None:
    table = Table()
    refuse = True

    async def hook(when: str, method: str) -> None:
        if refuse and method == "update":
            raise StoreError("too large", code="ValidationException")

    one = Instance(AtomicItems(table, hook))
    one.request()
    for _ in recorder.PARTS:
        await one.flush(11)
    refuse = False
    one.request(model="up/other")
    await one.flush(11)
    assert {name for kind, name, _ in counted(table) if kind == "m"} == {"up/other"}


async def test_a_lost_answer_counts_once_and_loses_no_line() -> None:
    table, lose = Table(), True

    async def hook(when: str, method: str) -> None:
        if lose and (when, method) == ("after", "update"):
            raise StoreError("no answer")

    one = Instance(AtomicItems(table, hook))
    one.request(request_id="1")
    await one.flush()
    lose = False
    one.request(request_id="2")
    await one.flush(11)
    assert counted(table)["t", "", "requests"] == 2
    assert {each["request_id"] for each in stored_lines(table)} == {"1", "2"}


async def test_instances_that_flush_at_once_displace_no_lines() -> None:
    table = Table()
    instances = [Instance(AtomicItems(table)) for _ in range(60)]
    for number, one in enumerate(instances):
        one.request(request_id=f"{number}")
    await asyncio.gather(*(one.activity.settle(9) for one in instances))
    assert {each["request_id"] for each in stored_lines(table)} == {f"{number}" for number in range(60)}


@pytest.mark.parametrize(
    ("count", "most_a_minute"),
    [
        pytest.param(1, 6, id="one instance"),
        pytest.param(4, 13, id="a few share the writes"),
        pytest.param(8, 13, id="more write no more often together"),
        pytest.param(30, 31, id="very many write once a minute each"),
    ],
)
async def test_busy_instances_share_the_writes(count: int, most_a_minute: int) -> None:
    table = Table()
    instances = [Instance(AtomicItems(table), at=1_795_953_600.0 + number / 10) for number in range(count)]
    flushes = [0, 0]
    for second in range(1200):
        for one in instances:
            one.time += 1
            one.request()
        if second in (599, 1199):
            await asyncio.gather(*(one.activity.settle(9) for one in instances))
            flushes[second // 600] = table.items["activity#2026-11-29T12"]["flushes"]
        await asyncio.gather(*(one.activity.settle(9) for one in instances))
    assert (flushes[1] - flushes[0]) / 10 <= most_a_minute
    assert all(PAUSE <= one.activity._pause <= LONGEST_PAUSE for one in instances)


@pytest.mark.parametrize(
    ("names", "most"),
    [
        pytest.param(3, 2, id="few names"),
        pytest.param(20, 2.5, id="more names, less often"),
        pytest.param(50, 3.5, id="the most names, once a minute"),
    ],
)
async def test_the_write_units_of_a_busy_instance_are_bounded(names: int, most: float) -> None:
    """`most`: units a second."""
    table, units = Table(), 0
    items = AtomicItems(table)
    write, put = items.update, items.put

    async def counted_update(update: Update) -> Any:
        nonlocal units
        stored = await write(update)
        units += -(-item_size(serialize_item(stored)) // 1024)
        return stored

    async def counted_put(item: Any) -> None:
        nonlocal units
        units += -(-item_size(serialize_item(item)) // 1024)
        await put(item)

    items.update, items.put = counted_update, counted_put  # type: ignore[method-assign]
    one = Instance(items)
    for second in range(1200):
        one.time += 1
        for each in range(10):
            number = (10 * second + each) % names
            one.request(
                key=f"key-{number:010}",
                project=f"project-{number}",
                model=f"provider/some-model-{number}",
                cost=12_345_678,
                tokens=(1234, 234),
                first_token_ms=float(number * 70),
            )
        await one.activity.settle(9)
    assert one.reported == []
    assert units / 1200 <= most


async def test_strangers_displace_no_line_of_a_key() -> None:
    table = Table()
    one = Instance(AtomicItems(table))
    one.activity._due = 1e12
    one.request(request_id="mine")
    for _ in range(1000):
        one.refuse(key=None, project=None, error=ERROR, request_id="theirs")
    await one.flush()
    ids = Counter(each["request_id"] for each in stored_lines(table))
    assert ids == {"mine": 1, "theirs": MOST_UNKNOWN}


async def test_items_expire() -> None:
    table = Table()
    one = Instance(AtomicItems(table))
    one.request()
    await one.flush()
    lived = {id: item["expires_at"] - 1_795_953_600 for id, item in table.items.items()}
    assert lived == {
        "activity#2026-11-29T12": recorder.COUNTERS_LIVE,
        "activity#2026-11-29T12#k": recorder.COUNTERS_LIVE,
        "activity#2026-11-29T12#p": recorder.COUNTERS_LIVE,
        "requests#2026-11-29T12#1": recorder.LINES_LIVE,
    }

"""Alerts: once for each level and window, whichever instances notice, and whatever is lost on the way."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from typing import Any

import pytest

from handler.access.counters import Counter
from handler.aws.errors import StoreError
from handler.gateway.alerts import LEVELS, PROBLEM, Alerts, level
from handler.store import counts
from tests.support.atomic_items import AtomicItems, Hook, Table, at_once
from tests.support.ledgers import Limit, budget, limit, shuffled

MONEY = Counter(budget(1000, notify="https://hooks.test/x", each="user"), "=ann", "2025-11", 99.0)


class Instances:
    """Several instances, and what they logged and sent."""

    def __init__(self, count: int, hook: Hook = at_once, *, send_error: StoreError | None = None) -> None:
        self.table = Table()
        self.items = [AtomicItems(self.table, hook) for _ in range(count)]
        self.lines: list[Mapping[str, Any]] = []
        self.sent: list[tuple[str, int]] = []
        self.send_error = send_error
        self.alerts = [Alerts(items, log=self.lines.append, send=self.send) for items in self.items]

    async def send(self, receiver: str, message: dict[str, Any]) -> None:
        await asyncio.sleep(0.01)
        if self.send_error is not None:
            raise self.send_error
        self.sent.append((receiver, message["percent"]))

    async def settle(self) -> None:
        await asyncio.gather(*(alerts.settle(60) for alerts in self.alerts))

    def percents(self) -> list[int]:
        return [line["percent"] for line in self.lines if line["level"] == "WARNING"]


@pytest.mark.parametrize("seed", range(30))
async def test_each_level_is_announced_once_by_one_of_many_instances(seed: int) -> None:
    chance = random.Random(seed)
    instances = Instances(chance.randint(2, 8), shuffled(seed))
    for items in instances.items:
        items.sent = lambda: chance.choice([1, 1, 2])  # some writes are sent twice

    async def write(number: int) -> None:
        await asyncio.sleep(chance.random() * 0.2)
        take = counts.take(MONEY.id, 25, room=None, hits=1, slot=None, write=f"{number:x}", expires_at=9)
        (item,) = instances.table.write([take])
        chance.choice(instances.alerts).observe(MONEY, item)

    await asyncio.gather(*(write(number) for number in range(44)))
    await instances.settle()
    assert sorted(instances.percents()) == [50, 80, 100]
    assert sorted(instances.sent) == [("https://hooks.test/x", percent) for percent in LEVELS]


async def test_a_jump_over_several_levels_announces_each() -> None:
    instances = Instances(1)
    instances.alerts[0].observe(MONEY, {"n": 1000})
    await instances.settle()
    assert instances.percents() == [50, 80, 100]


@pytest.mark.parametrize(
    ("item", "percents"),
    [
        pytest.param({"n": 499}, [], id="less than half"),
        pytest.param({"n": 500}, [50], id="half"),
        pytest.param({"n": 900, "r7": 300, "r8": 150}, [], id="what is reserved does not count"),
        pytest.param({"n": 900, "alert": 80}, [], id="an alert that was sent"),
        pytest.param({"n": 1500, "alert": 80}, [100], id="beyond the limit"),
        pytest.param({}, [], id="an empty item"),
    ],
)
async def test_an_alert_follows_from_what_is_used(item: dict[str, Any], percents: list[int]) -> None:
    instances = Instances(1)
    instances.table.items[MONEY.id] = {"id": MONEY.id, **item}
    instances.alerts[0].observe(MONEY, item)
    await instances.settle()
    assert instances.percents() == percents


@pytest.mark.parametrize(
    ("item", "percents"),
    [
        pytest.param({"n": 900}, [50, 80, 100], id="of which 90 % are used"),
        pytest.param({"n": 900, "r5": 900}, [], id="of which all is reserved"),
        pytest.param({"n": 900, "r5": 400}, [50, 80, 100], id="of which half is used"),
        pytest.param({"n": 900, "r5": 401}, [], id="of which less than half is used"),
    ],
)
async def test_a_refusal_announces_that_a_budget_is_used_up(
    item: dict[str, Any], percents: list[int]
) -> None:
    instances = Instances(1)
    instances.alerts[0].exhausted(MONEY, item)
    await instances.settle()
    assert instances.percents() == percents


@pytest.mark.parametrize(
    ("record", "lines", "sent"),
    [
        pytest.param(budget(10), 3, 0, id="a budget is announced in the log"),
        pytest.param(budget(10, notify="https://h.test/x"), 3, 3, id="and where its record says"),
        pytest.param(limit(requests=10), 0, 0, id="a limit is not announced"),
        pytest.param(limit(requests=10, notify="https://h.test/x"), 3, 3, id="unless it has `notify`"),
    ],
)
async def test_what_is_announced(record: Limit, lines: int, sent: int) -> None:
    instances = Instances(1)
    counter = Counter(record, "*", "2025-11", 99.0)
    instances.alerts[0].exhausted(counter, {"n": 10})
    await instances.settle()
    assert (len(instances.lines), len(instances.sent)) == (lines, sent)


async def test_an_alert_names_the_record_the_window_and_the_amounts_in_dollars() -> None:
    instances = Instances(1)
    instances.alerts[0].observe(MONEY, {"n": 750, "r5": 250})
    await instances.settle()
    assert instances.lines == [
        {
            "level": "WARNING",
            "message": "budget money: 50 % used",
            "kind": "budget",
            "id": "money",
            "percent": 50,
            "used": 5e-07,
            "limit": 1e-06,
            "unit": "usd",
            "window": "2025-11",
            "each": "user",
            "value": "ann",
        }
    ]


async def test_an_alert_that_cannot_be_sent_is_logged_and_not_repeated() -> None:
    instances = Instances(1, send_error=StoreError("webhook: It answered 500."))
    for _ in range(2):
        instances.alerts[0].observe(MONEY, instances.table.items.get(MONEY.id, {}) | {"n": 500})
        await instances.settle()
    assert [line["message"] for line in instances.lines] == ["budget money: 50 % used", PROBLEM]
    assert instances.lines[1]["problem"] == "webhook: It answered 500."


async def test_an_alert_that_the_store_does_not_take_is_sent_after_the_next_look() -> None:
    fails = [True]

    async def hook(when: str, method: str) -> None:
        if when == "before" and fails:
            fails.pop()
            raise StoreError("update item state: throttled")

    instances = Instances(1, hook)
    for _ in range(2):
        instances.alerts[0].observe(MONEY, {"n": 500})
        await instances.settle()
    assert [line["message"] for line in instances.lines] == [PROBLEM, "budget money: 50 % used"]


@pytest.mark.parametrize(
    ("used", "limit", "reached"),
    [
        (0, 3, 0),
        (1, 3, 0),
        (2, 3, 50),
        (3, 3, 100),
        (8, 10, 80),
        (799, 1000, 50),
        (10**15, 1, 100),
        (-5, 3, 0),
    ],
)
def test_a_level_is_reached_at_its_exact_share(used: int, limit: int, reached: int) -> None:
    assert level(used, limit) == reached

"""When a counter's item gives reason for an alert."""

from __future__ import annotations

from typing import Any

import pytest

from handler.access.counters import Counter
from handler.gateway.alerts import Alerts, level
from handler.store.attributes import Item
from rules import BudgetRecord, LimitRecord
from tests.support.state import RecordedItems

BUDGET = BudgetRecord(kind="budget", id="money", usd=1, per="month")  # 1,000,000,000 nano-dollars
LIMIT = LimitRecord(kind="limit", id="burst", requests=10, per="minute")


@pytest.mark.parametrize(
    ("used", "expected"),
    [
        pytest.param(49, 0, id="less than half"),
        pytest.param(50, 50, id="half"),
        pytest.param(99, 80, id="nearly all"),
        pytest.param(101, 100, id="more than all"),
    ],
)
def test_the_level_of_what_is_used(used: int, expected: int) -> None:
    assert level(used, 100) == expected


async def levels(record: Any, item: Item, *, refused: bool) -> list[int]:
    lines: list[Any] = []

    async def send(receiver: str, message: Any) -> None:
        pass

    alerts = Alerts(RecordedItems(), log=lines.append, send=send)
    counter = Counter(record, "*", "2026-11", 0.0)
    (alerts.exhausted if refused else alerts.observe)(counter, item)
    await alerts.settle(1)
    return [line["percent"] for line in lines]


@pytest.mark.parametrize(
    ("record", "item", "refused", "expected"),
    [
        pytest.param(BUDGET, {"n": 8 * 10**8}, False, [50, 80], id="a budget of which 80 % are used"),
        pytest.param(BUDGET, {"n": 8 * 10**8, "alert": 50}, False, [80], id="half was announced before"),
        pytest.param(BUDGET, {"n": 8 * 10**8, "r5": 4 * 10**8}, False, [], id="what is reserved is not used"),
        pytest.param(BUDGET, {"n": 9 * 10**8}, True, [50, 80, 100], id="a refusal with 90 % used"),
        pytest.param(
            BUDGET, {"n": 9 * 10**8, "r5": 9 * 10**8}, True, [], id="a refusal with all of it reserved"
        ),
        pytest.param(LIMIT, {"n": 10}, True, [], id="a limit that names no receiver"),
    ],
)
async def test_the_alerts_of_an_item(record: Any, item: Item, refused: bool, expected: list[int]) -> None:
    assert await levels(record, item, refused=refused) == expected

"""Alerts when a budget is used to 50, 80 and 100 percent: a log line, and a message to where the record says.

A limit has alerts only if its record has `notify`. Each alert is sent once per window: the instance that
records it in the counter's item sends it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from handler.access.counters import Counter
from handler.access.settlement import new_write
from handler.aws.errors import StoreError
from handler.log import Log
from handler.store import counts
from handler.store.attributes import Item
from handler.store.background import BackgroundTasks, safe_message
from handler.store.items import ConditionFailed, Items
from rules import NANO, BudgetRecord

LEVELS = (50, 80, 100)  # percent
PROBLEM = "alert not sent"  # the log's message

# Sends a message to an SNS topic or a webhook. Arguments: where to, and what. Raises StoreError.
Send = Callable[[str, dict[str, Any]], Awaitable[None]]


class Alerts:
    """The alerts of one instance. `send`: sends what a record's `notify` asks for."""

    def __init__(self, items: Items, *, log: Log, send: Send) -> None:
        self._items = items
        self._log = log
        self._send = send
        self._tasks = BackgroundTasks()

    def observe(self, counter: Counter, item: Item) -> None:
        """Start the alerts that a counter's item gives reason for. What is only reserved does not count."""
        self._reach(counter, item, level(counts.used(item), counter.limit))

    def exhausted(self, counter: Counter, item: Item) -> None:
        """Start the last alert, of a counter that refused a request. `used` may never reach the limit.

        If less than half is used, other requests have reserved the rest and will give most of it back.
        """
        if level(counts.used(item), counter.limit) >= LEVELS[0]:
            self._reach(counter, item, LEVELS[-1])

    async def settle(self, seconds: float) -> None:
        await self._tasks.settle(seconds)

    def _reach(self, counter: Counter, item: Item, percent: int) -> None:
        alerting = isinstance(counter.record, BudgetRecord) or counter.record.notify is not None
        if alerting and percent > int(item.get("alert", 0)):
            self._tasks.start(self._alert(counter, item, percent), self._failed)

    async def _alert(self, counter: Counter, item: Item, percent: int) -> None:
        write = new_write()
        while percent > (last := int(item.get("alert", 0))):
            try:
                await self._items.update(
                    counts.note_alert(counter.id, percent, item.get("alert"), write=write)
                )
            except ConditionFailed as error:
                stored = error.items[0] or {}
                if stored.get("alerted") != write:  # another instance was faster
                    item = stored
                    continue
            reached = (each for each in LEVELS if last < each <= percent)
            await asyncio.gather(*(self._say(counter, item, each) for each in reached))
            return

    async def _say(self, counter: Counter, item: Item, percent: int) -> None:
        fields = alert_fields(counter, item, percent)
        self._log({"level": "WARNING", **fields})
        if counter.record.notify is not None:
            await self._send(counter.record.notify, fields)

    def _failed(self, error: BaseException) -> None:
        self._log({"level": "ERROR", "message": PROBLEM, "problem": safe_message(error, StoreError)})


def level(used: int, limit: int) -> int:
    """Return the highest of LEVELS that is reached, 0 for none."""
    return max((each for each in LEVELS if used * 100 >= each * limit), default=0)


def alert_fields(counter: Counter, item: Item, percent: int) -> dict[str, Any]:
    """Return an alert as the log and its receivers get it. Amounts of budgets are in dollars."""
    record, scale = counter.record, NANO if isinstance(counter.record, BudgetRecord) else 1
    return {
        "message": f"{record.kind} {record.id}: {'used up' if percent == 100 else f'{percent} % used'}",
        "kind": record.kind,
        "id": record.id,
        "percent": percent,
        "used": counts.used(item) / scale if scale > 1 else counts.used(item),
        "limit": counter.limit / scale if scale > 1 else counter.limit,
        "unit": record.unit,
        "window": counter.window,
        "each": record.each,
        "value": counter.value if record.each else None,
    }

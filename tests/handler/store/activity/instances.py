"""Instances that record activity in one State table in memory, and the log lines that they get."""

from __future__ import annotations

from typing import Any

from handler.errors import Json
from handler.log import RequestLog, request_line
from handler.store.activity.recorder import Activity
from handler.store.items import Items
from handler.store.usage_totals import UsageRow
from tests.support.atomic_items import AtomicItems

NOON = 1_795_953_600.0  # 2026-11-29T12:00:00Z
HOUR = 3600
LINE = request_line(
    RequestLog(request_id="id", method="POST", path="/v1/chat/completions", started=0.0, status=200), 0.0
)


def line(**fields: Any) -> Json:
    """The log line of an answered request of the key k in the project p, with these fields."""
    return {**LINE, "key": "k", "project": "p", "model": "up/m", **fields}


class Instance:
    """An instance with a clock of its own, and what it has reported."""

    def __init__(self, items: Items | None = None, at: float = NOON) -> None:
        self.time = at
        self.reported: list[str] = []
        self.items = items or AtomicItems()
        self.activity = Activity(self.items, now=lambda: self.time, report=self._report)

    def _report(self, message: str, fields: Json) -> None:
        self.reported.append(message)

    def request(self, *, cost: int = 0, tokens: tuple[int, int] = (0, 0), **fields: Any) -> None:
        """End an answered request."""
        ended = line(**fields)
        row = UsageRow(project=ended["project"], key=ended["key"], model=ended["model"])
        self.activity.add(ended, (row, {"cost": cost, "input": tokens[0], "output": tokens[1]}))

    def refuse(self, **fields: Any) -> None:
        """End a request that asked no provider."""
        self.activity.add(line(**{"model": None, "status": 429, **fields}), None)

    async def flush(self, after: float = 0.0) -> None:
        """Let the time pass, and write what waits."""
        self.time += after
        self.activity.start_flush()
        await self.activity.settle(60)

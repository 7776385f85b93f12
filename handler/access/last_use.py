"""Writes the day of last use into a key's record, once a day for each key, in the background.

The day is text like 2026-11-29, in UTC. Nothing depends on it, so a failed write is reported and not repeated
until the record is read again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any, Protocol

from handler.store.background import BackgroundTasks, safe_message
from handler.store.dynamodb import StoreError
from handler.store.tables import LAST_USED

NOT_WRITTEN = "last use of keys not written"  # as the log names it
DAY = 86_400  # seconds


class Keys(Protocol):
    """The part of the store that this module needs."""

    async def save_last_used(self, hash: str, day: str) -> None: ...


class LastUse:
    """`now` gives epoch seconds; `report` gets one message with fields when writes begin to fail."""

    def __init__(
        self, store: Keys, *, now: Callable[[], float], report: Callable[[str, dict[str, Any]], None]
    ) -> None:
        self._store = store
        self._now = now
        self._report = report
        self._writes = BackgroundTasks()
        self._problem: str | None = None

    def note(self, hash: str, written_until: float) -> float:
        """Starts a write once `written_until`, the end of a day, has passed; the new end."""
        now = self._now()
        if now < written_until:
            return written_until
        self._writes.start(self._write(hash, f"{datetime.fromtimestamp(now, UTC):%Y-%m-%d}"), self._failed)
        return now - now % DAY + DAY

    async def settle(self, seconds: float) -> None:
        await self._writes.settle(seconds)

    async def _write(self, hash: str, day: str) -> None:
        await self._store.save_last_used(hash, day)
        self._problem = None

    def _failed(self, error: BaseException) -> None:
        problem = safe_message(error, StoreError)
        if problem != self._problem:
            self._report(NOT_WRITTEN, {"problem": problem})
        self._problem = problem


def written_until(record: Mapping[str, Any]) -> float:
    """The end of the day in a key's record, in epoch seconds; 0 where there is none that can be read."""
    try:
        day = date.fromisoformat(record.get(LAST_USED, ""))
    except (TypeError, ValueError):
        return 0.0
    return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() + DAY

"""Writes the day of last use into a key's record, once a day for each key, in the background.

The day is text like 2026-11-29, in UTC. No decision depends on it, so a failed write is only reported, and
repeated when the record has been read again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any, Protocol

from handler.aws.errors import StoreError
from handler.store.background import BackgroundTasks, safe_message
from handler.store.tables import LAST_USED

NOT_WRITTEN = "last use of keys not written"  # as the log names it
DAY = 86_400  # seconds


class KeyStore(Protocol):
    """The part of the store that this module needs."""

    async def save_last_used(self, hash: str, day: str) -> None: ...


class LastUse:
    """`now`: epoch seconds. `report` is called with a message and fields when writes begin to fail."""

    def __init__(
        self, store: KeyStore, *, now: Callable[[], float], report: Callable[[str, dict[str, Any]], None]
    ) -> None:
        self._store = store
        self._now = now
        self._report = report
        self._writes = BackgroundTasks()
        self._problem: str | None = None

    def record(self, hash: str, written_until: float) -> float:
        """Start a write if `written_until`, the end of the last day of use in the record, has passed.

        Returns the new end, in epoch seconds.
        """
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


def end_of_last_use(record: Mapping[str, Any]) -> float:
    """Return the end of the day in a key's record, in epoch seconds; 0 without a readable day."""
    try:
        day = date.fromisoformat(record.get(LAST_USED, ""))
    except (TypeError, ValueError):
        return 0.0
    return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() + DAY

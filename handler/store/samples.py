"""Keeps samples of requests in the State table, a bounded number a day over all instances.

    samples#<day>      `n`: how many samples of the day were taken
    sample#<day>#<n>   `sample`: one of them, as JSON

The number that may be taken grows over the day, so that a busy hour leaves room for later ones. An instance
that was refused asks again only when it has grown.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from handler.aws.errors import StoreError
from handler.store.background import BackgroundTasks, safe_message
from handler.store.items import ConditionFailed, Items, Update

DAY = 86_400  # seconds
RETENTION = 7  # days
BURST = 100  # samples that may be taken at any time of the day
MOST_WAITING = 10  # samples of an instance that wait to be written
AFTER_FAILURE = 60.0  # seconds until another sample is tried
JITTER = 300.0  # seconds, at most, that an instance waits longer than until there is room
MOST_READ = 5_000  # samples of one reading, the newest
AT_ONCE = 500  # samples of one call, which has a time limit

NOT_WRITTEN = "request samples not written"  # as the log names it


class Samples:
    """Writes samples in the background, one after another. Those that cannot be written are lost.

    a_day: the most samples of a day. now: epoch seconds. random: 0 <= random < 1. `report` is called with a
    message and fields when writes begin to fail.
    """

    def __init__(
        self,
        items: Items,
        a_day: int,
        *,
        now: Callable[[], float],
        random: Callable[[], float],
        report: Callable[[str, dict[str, Any]], None],
    ) -> None:
        self.pause_until = 0.0  # epoch seconds; no sample is taken before
        self._items = items
        self._a_day = a_day
        self._now = now
        self._random = random
        self._report = report
        self._tasks = BackgroundTasks()
        self._waiting: list[str] = []
        self._problem: str | None = None

    @property
    def ready(self) -> bool:
        return self._now() >= self.pause_until and len(self._waiting) < MOST_WAITING

    def start_write(self, sample: str) -> None:
        """Write a sample in the background, if the day has room for one."""
        self._waiting.append(sample)
        if self._tasks.running("write") is None:
            self._tasks.start(self._write_all(), self._failed, name="write")

    async def settle(self, seconds: float) -> None:
        await self._tasks.settle(seconds)

    async def _write_all(self) -> None:
        while self._waiting:
            now = self._now()
            day, expires_at = day_of(now), int(now - now % DAY + (RETENTION + 1) * DAY)
            number = await self._take(now, day, expires_at)
            if number is None:
                self._waiting.clear()
            else:
                item = {"id": f"sample#{day}#{number}", "expires_at": expires_at}
                await self._items.put({**item, "sample": self._waiting.pop(0)})
        self._problem = None

    async def _take(self, now: float, day: str, expires_at: int) -> int | None:
        """Return the number of a new sample of the day; None, and pause, if there is no room for one."""
        allowed = allowed_at(now, self._a_day)
        take = Update(
            f"samples#{day}",
            "SET #expires = :expires ADD #n :one",
            "attribute_not_exists(#n) OR #n <= :most",
            {"n": "n", "expires": "expires_at"},
            {"one": 1, "most": allowed - 1, "expires": expires_at},
        )
        try:
            number = int((await self._items.update(take))["n"])
        except ConditionFailed as error:
            taken = int((error.items[0] or {}).get("n", allowed))
            room = room_at(now, taken, self._a_day)
            # Instances that were refused together do not ask together.
            self.pause_until = room + self._random() * min(room - now, JITTER)
            return None
        if number >= allowed:
            self.pause_until = room_at(now, number, self._a_day)
        return number

    def _failed(self, error: BaseException) -> None:
        self._waiting.clear()
        self.pause_until = self._now() + AFTER_FAILURE
        problem = safe_message(error, StoreError)
        if problem != self._problem:
            self._report(NOT_WRITTEN, {"problem": problem})
        self._problem = problem


def allowed_at(now: float, a_day: int) -> int:
    """Return how many samples may have been taken by this time of the day."""
    burst = min(BURST, a_day)
    return burst + math.floor((a_day - burst) * (now % DAY) / DAY)


def room_at(now: float, taken: int, a_day: int) -> float:
    """Return when there is room for one more sample: today, or when the next day begins. Epoch seconds."""
    burst, midnight = min(BURST, a_day), now - now % DAY
    if taken >= a_day:
        return midnight + DAY
    return max(now, midnight + DAY * (taken + 1 - burst) / (a_day - burst)) if taken >= burst else now


def day_of(now: float) -> str:
    return datetime.fromtimestamp(now, UTC).date().isoformat()


async def read_samples(items: Items, since: datetime, now: datetime) -> AsyncIterator[str]:
    """Yield the samples of the days from `since` to `now`, the newest first, at most MOST_READ.

    Raises StoreError.
    """
    left, day = MOST_READ, now.date()
    first = max(since.date(), day - timedelta(days=RETENTION))
    while left > 0 and day >= first:
        number = int((await items.get(f"samples#{day}") or {}).get("n", 0))
        while left > 0 and number > 0:
            ids = [f"sample#{day}#{each}" for each in range(number, max(0, number - min(AT_ONCE, left)), -1)]
            for item in (await items.get_many(ids)).values():
                if isinstance(sample := item.get("sample"), str):
                    yield sample
            left, number = left - len(ids), number - len(ids)
        day -= timedelta(days=1)

"""Reads the last hours and the newest requests, with what this instance has not written yet."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from handler.errors import Json
from handler.store.activity.counters import BOUNDS, cells_as_json, cells_of, merged
from handler.store.activity.lines import Filter, unpack
from handler.store.activity.recorder import (
    HOUR,
    SLOTS,
    Activity,
    counters_id,
    counters_ids,
    hour_name,
    lines_id,
)

MAX_HOURS = 8 * 24
LINE_HOURS = 25  # that lines are kept, the present one among them
MAX_LINES = 200  # returned
FIRST_SLOTS, MOST_SLOTS = 10, 100  # of one call
SETTLING = 1.0  # seconds that a flush may take until it is counted as not written


async def read_activity(activity: Activity, hours: int) -> Json:
    """Return the last hours, at most MAX_HOURS, the oldest first. Raises StoreError."""
    await activity.settle(SETTLING)
    newest = int(activity.now() // HOUR)
    numbers = range(newest - min(hours, MAX_HOURS) + 1, newest + 1)
    waiting = [*activity.unwritten()]
    ids = [id for hour in numbers for id in counters_ids(hour)]
    stored = await activity.items.get_many(ids, consistent=True)

    def of_hour(hour: int) -> Json:
        own = (cells for of, cells in waiting if of == hour)
        return cells_as_json(merged([*(cells_of(stored.get(id, {})) for id in counters_ids(hour)), *own]))

    hours_read = []
    for hour in numbers:
        hours_read.append({"hour": f"{hour_name(hour)}:00:00Z", **of_hour(hour)})
        await asyncio.sleep(0)  # other requests are served in between
    return {"hours": hours_read, "first_token_bounds": list(BOUNDS)}


async def read_requests(activity: Activity, asked_for: Filter, limit: int) -> list[Json]:
    """Return the newest lines that fit the filter, at most `limit`. Raises StoreError."""
    await activity.settle(SETTLING)
    found = {_identity(line): line for line in activity.unwritten_lines() if asked_for.fits(line)}
    enough = min(limit, MAX_LINES) + (0 if asked_for.id else len(found))  # others may have newer ones
    slots, size = await _slots(activity), FIRST_SLOTS
    while slots and len(found) < enough:
        some, slots, size = slots[:size], slots[size:], min(MOST_SLOTS, 2 * size)
        for item in (await activity.items.get_many(some, consistent=True)).values():
            for line in unpack(item.get("lines"), having=asked_for.id or ""):
                if asked_for.fits(line):
                    found.setdefault(_identity(line), line)
            await asyncio.sleep(0)
    newest_first = sorted(found.values(), key=lambda line: str(line.get("timestamp")), reverse=True)
    return newest_first[: min(limit, MAX_LINES)]


async def _slots(activity: Activity) -> list[str]:
    """Return the ids of the items with lines, the newest first."""
    newest = int(activity.now() // HOUR)
    hours = range(newest, newest - LINE_HOURS, -1)
    stored = await activity.items.get_many([counters_id(hour) for hour in hours], consistent=True)
    return [
        lines_id(hour, number)
        for hour in hours
        for number in _numbers(stored.get(counters_id(hour), {}).get("flushes"))
    ]


def _numbers(flushes: object) -> Iterator[int]:
    """Yield the numbers of an hour's flushes whose slots no later one has taken, the last first."""
    last = flushes if isinstance(flushes, int) else 0
    yield from range(last, max(0, last - SLOTS), -1)


def _identity(line: Json) -> tuple[object, ...]:
    """Return what makes a line one and no other: clients may repeat their request ids."""
    return tuple(str(line.get(name)) for name in ("timestamp", "request_id", "ms"))

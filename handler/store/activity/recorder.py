"""Counts the requests of an instance by the hour, keeps the newest lines, and writes both now and then.

A flush adds the counters to items that all instances share: `activity#<hour>#p` and `#k` have those of
projects and keys, `activity#<hour>` the others, since a write is billed by the size of its item. It puts the
newest lines into `requests#<hour>#<slot>`, where the slot is the number of the flush modulo SLOTS. What is
not written when an instance ends is lost; the usage totals and the log are exact.
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from operator import add
from typing import Any, NamedTuple

from handler.aws.errors import StoreError
from handler.errors import Json
from handler.store.activity.counters import (
    KINDS,
    TOTAL,
    Cell,
    Cells,
    add_first_token,
    attributes_of,
    cells_of,
    new_cell,
)
from handler.store.attributes import Item
from handler.store.background import BackgroundTasks, safe_message
from handler.store.items import ConditionFailed, Items, Update
from handler.store.usage_totals import OTHER, UsageRow, clean_name
from rules import EMPTY

HOUR = 3600
PAUSE, LONGEST_PAUSE = 10.0, 60.0  # seconds between two flushes of an instance
APART = 5.0  # seconds between two flushes of all instances, as far as LONGEST_PAUSE allows it
UNITS = 10  # write units of 1 KB that such a flush takes; with more, flushes are further apart
ATTRIBUTE = 10  # bytes of an attribute besides its name, about
NAMES = 50  # of a kind and an hour; more are counted as OTHER
MOST_LINES = 20  # of requests with a known key, in one flush
MOST_UNKNOWN = 5  # of others, so that strangers displace no line of a key
MOST_HOURS = 3  # that wait for the store
MOST_ATTRIBUTES = 120  # in one update: an expression may have 4 KB, and moto parses it by recursion
SLOTS = 100  # of lines, in an hour
COUNTERS_LIVE, LINES_LIVE = 9 * 24 * HOUR, 26 * HOUR  # from the beginning of their hour
PREFIXES = ("", "/v1", "/api/v1", "/v3/compat", "/v3/compat/v1")
PARTS = ("p", "k", "")  # of an hour's counters: of projects, of keys, and the others with the flushes
CONSOLE = tuple(f"{prefix}/console" for prefix in PREFIXES)  # how the console's own requests begin
NOT_WRITTEN = "activity not written"  # as the log names it

Line = tuple[float, Mapping[str, Any]]  # the end of a request in epoch seconds, and its log line


class Batch(NamedTuple):
    """The counters of one update. `part`: of the hour, one of PARTS; `write`: the random name of the update.

    `flush`: it is the last one of a flush.
    """

    hour: int  # since the epoch
    part: str
    write: str
    counts: Mapping[str, int]
    flush: bool


class Activity:
    """The activity of one instance. `now`: epoch seconds. `report` is called when writes begin to fail."""

    def __init__(
        self, items: Items, *, now: Callable[[], float], report: Callable[[str, dict[str, Any]], None]
    ) -> None:
        self.items = items
        self.now = now
        self._report = report
        self._tasks = BackgroundTasks()
        self._hours: dict[int, Cells] = {}  # that no flush has taken yet
        self._hour = 0
        self._names: dict[str, set[str]] = {}  # by kind: those of the hour that have a counter
        self._learned = 0  # the hour whose names in the store are known
        self._lines: deque[Line] = deque(maxlen=MOST_LINES)
        self._unknown: deque[Line] = deque(maxlen=MOST_UNKNOWN)
        self._batches: list[Batch] = []  # of the flush that runs, or that has failed
        self._taken: list[Line] = []  # of that flush
        self._due, self._pause = 0.0, PAUSE
        self._units = 0.0  # of the flush that runs
        self._last = (0, 0, 0.0)  # hour, number and time of the last flush
        self._problem: str | None = None

    def add(self, line: Mapping[str, Any], counted: tuple[UsageRow, Mapping[str, int]] | None) -> None:
        """Add a finished request, and start a flush if one is due. `counted`: what the usage totals got."""
        time = self.now()
        if line["level"] != "DEBUG" and not line["path"].startswith(CONSOLE):
            failed = line["error"] is not None
            if known := line["key"] is not None:
                self._lines.append((time, line))
            elif failed:
                self._unknown.append((time, line))
            if counted is not None or (failed and (known or line["level"] == "ERROR")):
                self._count(int(time // HOUR), line, counted)
        if time >= self._due:
            self.start_flush()

    def start_flush(self) -> None:
        """Write what there is to write in the background."""
        waiting = self._hours or self._lines or self._unknown or self._batches
        if waiting and not self._tasks.running("flush"):
            self._tasks.start(self._flush(), self._failed, name="flush")

    async def settle(self, seconds: float) -> None:
        await self._tasks.settle(seconds)

    def unwritten(self) -> Iterator[tuple[int, Cells]]:
        """Yield the hours and counters that the store may not have yet. An hour may come more than once."""
        yield from self._hours.items()
        yield from ((batch.hour, cells_of(dict(batch.counts))) for batch in self._batches)

    def unwritten_lines(self) -> list[Json]:
        from handler.store.activity.lines import short_line  # not at a cold start

        return [short_line(*line) for line in (*self._taken, *self._lines, *self._unknown)]

    def _count(
        self, hour: int, line: Mapping[str, Any], counted: tuple[UsageRow, Mapping[str, int]] | None
    ) -> None:
        if hour != self._hour:
            self._hour, self._names = hour, {kind: set() for kind in KINDS}
            for old in sorted(self._hours)[: 1 - MOST_HOURS]:
                del self._hours[old]
        cells = self._hours.setdefault(hour, {})
        row, counts = counted or (None, EMPTY)
        failed = 0 if line["error"] is None else 1
        numbers = (1, failed, counts.get("cost", 0), counts.get("input", 0), counts.get("output", 0))
        # A caller may invent names that no provider has.
        invented = row is not None and failed and not row.listed
        of_model = ("m", OTHER if invented else row.model if row else line["model"])
        for key in (TOTAL, ("p", line["project"]), ("k", line["key"]), of_model):
            if key[1] is not None:
                cell = cells.get(key) or self._new_cell(cells, key)
                cell[: len(numbers)] = map(add, cell, numbers)
                if line["first_token_ms"] is not None and (key is TOTAL or key is of_model):
                    add_first_token(cell, round(line["first_token_ms"]))

    def _new_cell(self, cells: Cells, key: tuple[str, str]) -> Cell:
        """Return the counters of a name that has none yet; those of OTHER if there are too many names."""
        kind, name = key
        if key != TOTAL:
            name, known = clean_name(name) or OTHER, self._names[kind]
            if name not in known and len(known) >= NAMES:
                name = OTHER
            known.add(name)
        return cells.setdefault((kind, name), new_cell())

    async def _flush(self) -> None:
        began = self.now()
        self._due = began + self._pause
        await self._write_batches(began)  # those of a flush that has failed
        await self._learn_names()
        self._take()
        await self._write_batches(began)
        self._problem = None

    async def _learn_names(self) -> None:
        """Learn the names of the hour before the first flush adds some: many instances begin at once."""
        hour = self._hour
        if hour == self._learned or hour not in self._hours:
            return
        stored = await self.items.get_many(counters_ids(hour), consistent=True)
        if hour != self._hour:
            return
        self._learned, own = hour, self._hours.pop(hour)
        self._names = {kind: set() for kind in KINDS}
        for item in stored.values():
            self._note_names(hour, item)
        cells = self._hours[hour] = {}
        for key, cell in own.items():
            into = cells.get(key) or self._new_cell(cells, key)
            into[:] = map(add, into, cell)

    def _take(self) -> None:
        """Make batches of everything that waits."""
        hours, self._hours = self._hours, {}
        self._taken = [*self._lines, *self._unknown]
        self._lines.clear()
        self._unknown.clear()
        for hour, cells in hours.items():
            for part in PARTS:
                own = {
                    key: cell for key, cell in cells.items() if part == (key[0] if key[0] in PARTS else "")
                }
                counts = [*attributes_of(own).items()]
                for first in range(0, len(counts), MOST_ATTRIBUTES):
                    some = dict(counts[first : first + MOST_ATTRIBUTES])
                    self._batches.append(Batch(hour, part, secrets.token_hex(8), some, flush=False))
        if self._batches:
            self._batches[-1] = self._batches[-1]._replace(flush=True)
        elif self._taken:  # there are only lines
            hour = int(self.now() // HOUR)
            self._batches.append(Batch(hour, "", secrets.token_hex(8), {}, flush=True))

    async def _write_batches(self, began: float) -> None:
        while self._batches:
            batch = self._batches[0]
            try:
                item = await self.items.update(_update(batch))
            except ConditionFailed as error:
                item = error.items[0] or {}  # an earlier try has arrived
            except StoreError as error:
                if error.code == "ValidationException":  # it would fail for ever
                    del self._batches[0]
                raise
            del self._batches[0]
            self._note_names(batch.hour, item)
            self._units += 1 + sum(len(name) + ATTRIBUTE for name in item) / 1024
            if batch.flush:
                self._note_others(batch.hour, item, began)
                lines, self._taken = self._taken, []
                await self._put_lines(batch.hour, item.get("flushes", 0), lines)

    def _note_names(self, hour: int, item: Item) -> None:
        """Learn the names that other instances count."""
        if hour == self._hour:
            for kind, name in cells_of(item):
                if kind in self._names:
                    self._names[kind].add(name)

    def _note_others(self, hour: int, item: Item, began: float) -> None:
        """Learn how often other instances write."""
        (last_hour, last_number, last_time), number = self._last, int(item.get("flushes", 0))
        self._last = (hour, number, began)
        flushes = number - last_number if hour == last_hour else 1
        share = self._pause / max(self._pause, began - last_time)
        apart, self._units = APART * max(1.0, self._units / UNITS), 0.0
        self._pause = min(LONGEST_PAUSE, max(PAUSE, apart * flushes * share))
        self._due = began + self._pause

    async def _put_lines(self, hour: int, number: int, lines: list[Line]) -> None:
        if lines:
            from handler.store.activity.lines import pack, short_line

            packed = pack(short_line(*line) for line in lines)
            expiry = hour * HOUR + LINES_LIVE
            await self.items.put({"id": lines_id(hour, number), "lines": packed, "expires_at": expiry})

    def _failed(self, error: BaseException) -> None:
        self._pause = min(LONGEST_PAUSE, 2 * self._pause)  # a store in trouble is asked less often
        self._due = self.now() + self._pause
        problem = safe_message(error, StoreError)
        if problem != self._problem:
            self._report(NOT_WRITTEN, {"problem": problem})
        self._problem = problem


@lru_cache(maxsize=256)
def hour_name(hour: int) -> str:
    """Return an hour since the epoch as in `2026-11-30T19`, in UTC."""
    return f"{datetime.fromtimestamp(hour * HOUR, UTC):%Y-%m-%dT%H}"


def counters_id(hour: int, part: str = "") -> str:
    return f"activity#{hour_name(hour)}{part and '#'}{part}"


def counters_ids(hour: int) -> list[str]:
    return [counters_id(hour, part) for part in PARTS]


def lines_id(hour: int, number: int) -> str:
    return f"requests#{hour_name(hour)}#{number % SLOTS}"


def _update(batch: Batch) -> Update:
    counts = {**batch.counts, "flushes": 1} if batch.flush else batch.counts
    names = {f"a{place}": name for place, name in enumerate(counts)}
    added = {f"a{place}": number for place, number in enumerate(counts.values())}
    return Update(
        counters_id(batch.hour, batch.part),
        f"SET #lane = :write, #expires = :expires ADD {', '.join(f'#{name} :{name}' for name in names)}",
        "attribute_not_exists(#lane) OR #lane <> :write",
        {"lane": f"w{batch.write[0]}", "expires": "expires_at", **names},
        {"write": batch.write, "expires": batch.hour * HOUR + COUNTERS_LIVE, **added},
    )

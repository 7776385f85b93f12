"""Adds up what requests used, in items of the State table: one for each day, project, key, model, tags, ...

An item's id is `usage/<day>/<project>/<key>/<hash>/<shard>`, its parts quoted; the hash is that of the other
dimensions. The index `usage_day` lists the items of a day. A total counts requests, tokens and nano-dollars.

A write that may or may not have arrived is sent again under the same name, and the item has the name of the
last write of each lane. So it counts once, unless another instance of the same lane wrote to the same item
in between; with 16 lanes that takes two instances of the same lane within the seconds of one call.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from typing import Any
from urllib.parse import quote

from handler.aws.errors import StoreError
from handler.store.attributes import Item
from handler.store.background import BackgroundTasks, safe_message
from handler.store.items import ConditionFailed, Items, StoreBusy, Update
from rules import EMPTY, Fields, Frozen, fresh

INDEX = "usage_day"  # the index, and its partition key
# What an item counts: tokens, nano-dollars of `cost`, and requests: `hits` are answers from the cache,
# `estimated` have estimated tokens, `unpriced` an unknown cost because a price is unknown.
TOKENS = ("input", "output", "cached", "cache_write", "reasoning")
COUNTS = ("requests", "errors", "hits", "estimated", "unpriced", *TOKENS, "cost")

OTHER = "(other)"  # stands for the names that callers choose, when there are too many
MAX_ROWS = 10_000  # of a project and day: more are counted as OTHER
MAX_PENDING = 1_000  # totals of a process that wait for the store: more are counted as OTHER
RETENTION = timedelta(days=400)
SHARDS = 8
LANES = 16
TOGETHER = 1.0  # seconds whose requests a server writes together; a write costs as much as a request
LONGEST_NAME = 128  # characters of a tag, a session or an agent
LONGEST_PART = 200  # of an id whose length an index limits to 1024 bytes; a longer part is hashed

NOT_WRITTEN = "usage totals not written"  # as the log names it


class UsageRow(Frozen):
    """The dimensions of a total. `listed`: whether the catalogue or a record lists the model."""

    project: str
    key: str
    model: str
    tags: Mapping[str, str] = EMPTY
    session: str | None = None
    agent: str | None = None
    listed: bool = True

    def dimensions(self) -> Item:
        """Return the attributes of the row's items."""
        named = {"session": self.session, "agent": self.agent}
        given = {name: text for name, text in named.items() if text is not None}
        tags = {"tags": dict(self.tags)} if self.tags else {}
        return {"project": self.project, "key": self.key, "model": self.model, **tags, **given}

    def without_names(self) -> UsageRow:
        """Return the row that counts this one when there are too many names that callers choose."""
        return self.replaced(
            model=self.model if self.listed else OTHER,
            tags={OTHER: OTHER} if self.tags else {},
            session=self.session and OTHER,
            agent=self.agent and OTHER,
        )


class _Total(Fields):
    """The counts of one item that are not written yet. `sending`: of a write whose outcome is unknown."""

    day: str
    row: UsageRow
    waiting: Counter[str] = fresh(factory=Counter)
    sending: Counter[str] | None = None
    write: str = ""  # the name of that write


class UsageTotals:
    """Writes totals in the background, one at a time. A write that fails is repeated at the next request.

    `pause`: seconds for which a write waits, to take the requests of that time together, or until `settle`.
    `now`: epoch seconds. `report` is called with a message and fields when writes begin to fail.
    """

    def __init__(
        self,
        items: Items,
        *,
        pause: float = 0.0,
        now: Callable[[], float],
        report: Callable[[str, dict[str, Any]], None],
    ) -> None:
        self.items = items
        self._pause = pause
        self._settling = asyncio.Event()
        self._now = now
        self._report = report
        self._tasks = BackgroundTasks()
        self._pending: dict[str, _Total] = {}  # by the id of the item
        self._day = ""
        self._known: set[str] = set()  # the items of the day that this process counts in
        self._full: set[str] = set()  # the projects that have MAX_ROWS items of the day
        self._shard = 0  # another one once writes are throttled, so that a busy row is many items
        self._process = ""  # drawn at the first request, since a snapshot is restored many times
        self._writes = 0
        self._problem: str | None = None

    def add(self, row: UsageRow, counts: Mapping[str, int]) -> None:
        """Count a request, today. The write starts, and with it those that failed before."""
        day = datetime.fromtimestamp(self._now(), UTC).date().isoformat()
        if day != self._day:
            self._day, self._known, self._full = day, set(), set()
        id = row_id(day, row, self._shard)
        if id not in self._known:
            if row.project in self._full or len(self._pending) >= MAX_PENDING:
                row = row.without_names()
                id = row_id(day, row, self._shard)
            else:
                self._known.add(id)
        total = self._pending.setdefault(id, _Total(day=day, row=row))
        total.waiting.update(counts)
        if self._tasks.running("write") is None:
            self._tasks.start(self._write_all(), self._failed, name="write")

    async def settle(self, seconds: float) -> None:
        self._settling.set()
        await self._tasks.settle(seconds)
        self._settling.clear()

    async def _write_all(self) -> None:
        while self._pending:
            if self._pause:
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._pause):
                        await self._settling.wait()
            for id in tuple(self._pending):
                await self._write(id)
        self._problem = None

    async def _write(self, id: str) -> None:
        total = self._pending[id]
        if total.sending is None:
            total.sending, total.waiting, total.write = total.waiting, Counter(), self._next_write()
        try:
            item = await self.items.update(_update(id, total, self._lane))
        except ConditionFailed:
            item = {}  # an earlier try has arrived
        except StoreError as error:
            if isinstance(error, StoreBusy):
                self._shard = secrets.randbelow(SHARDS)
            self._pending[id] = self._pending.pop(id)  # behind the others, which may be taken
            raise
        created, total.sending = item.get("requests") == total.sending["requests"], None
        if not total.waiting:
            del self._pending[id]
        if created:
            await self._count_row(total)

    async def _count_row(self, total: _Total) -> None:
        """Count a new item of its project and day."""
        day, project = total.day, total.row.project
        item = await self.items.update(
            Update(
                f"usage/{day}/{id_part(project)}/rows",
                "SET #expires_at = :expires_at ADD #rows :one",
                names={"expires_at": "expires_at", "rows": "rows"},
                values={"expires_at": _expiry(day), "one": 1},
            )
        )
        if item["rows"] >= MAX_ROWS and day == self._day:
            self._full.add(project)

    def _next_write(self) -> str:
        self._process = self._process or secrets.token_hex(8)
        self._writes += 1
        return f"{self._process}/{self._writes}"

    @property
    def _lane(self) -> int:
        return int(self._process, 16) % LANES

    def _failed(self, error: BaseException) -> None:
        problem = safe_message(error, StoreError)
        if problem != self._problem:
            self._report(NOT_WRITTEN, {"problem": problem})
        self._problem = problem


def clean_name(text: str) -> str:
    """Return the first LONGEST_NAME characters of a name, without those that cannot be printed."""
    cut = text[:LONGEST_NAME]
    return cut if cut.isprintable() else "".join(character for character in cut if character.isprintable())


def id_prefix(day: str, project: str, key: str) -> str:
    """Return the beginning of the ids of a key's items, and of no other's."""
    return f"usage/{day}/{id_part(project)}/{id_part(key)}/"


def row_id(day: str, row: UsageRow, shard: int) -> str:
    others = json.dumps([row.model, sorted(row.tags.items()), row.session, row.agent])
    return f"{id_prefix(day, row.project, row.key)}{sha256(others.encode()).hexdigest()[:32]}/{shard}"


@lru_cache(maxsize=256)
def id_part(name: str) -> str:
    """Return a name as a part of an id: no other name has the same one, and it holds no slash."""
    part = quote(name, safe="", errors="surrogatepass")
    long = len(part) > LONGEST_PART  # quote never yields "="
    return "=" + sha256(name.encode("utf-8", "surrogatepass")).hexdigest() if long else part


def _update(id: str, total: _Total, lane: int) -> Update:
    assert total.sending is not None
    fixed = {INDEX: total.day, **total.row.dimensions(), "expires_at": _expiry(total.day)}
    counts = {name: number for name, number in total.sending.items() if number}
    setting = ", ".join(f"#{name} = :{name}" for name in (*fixed, "write"))
    adding = ", ".join(f"#{name} :{name}" for name in counts)
    return Update(
        id,
        f"SET {setting} ADD {adding}",
        "attribute_not_exists(#write) OR #write <> :write",
        {**{name: name for name in (*fixed, *counts)}, "write": f"write{lane}"},
        {**fixed, **counts, "write": total.write},
    )


@lru_cache(maxsize=4)
def _expiry(day: str) -> int:
    """Return when the items of a day expire, in epoch seconds."""
    return int((datetime.fromisoformat(day).replace(tzinfo=UTC) + RETENTION).timestamp())

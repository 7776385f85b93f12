"""The items of counters in State: writes that meet a busy store, reads, and what each item teaches."""

from __future__ import annotations

import asyncio
import random
import secrets
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Protocol

from handler.access.counters import Counter
from handler.access.leases import KnownCounters
from handler.store import counts
from handler.store.attributes import Item
from handler.store.items import ConditionFailed, Items, StoreBusy, Update

PAUSES = (0.02, 0.04, 0.08, 0.16, 0.32)  # seconds before a busy store is asked again


class Watcher(Protocol):
    """Gets each counter and its item when it was read or written."""

    def observe(self, counter: Counter, item: Item) -> None: ...
    def exhausted(self, counter: Counter, item: Item) -> None: ...  # it refused a request
    async def settle(self, seconds: float) -> None: ...


class CounterItems:
    """Writes and reads counters."""

    def __init__(
        self,
        items: Items,
        *,
        now: Callable[[], float],
        watcher: Watcher,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.known = KnownCounters(now)
        self._items = items
        self._now = now
        self._watcher = watcher
        self._sleep = sleep
        self._jitter = jitter

    async def write(self, updates: Sequence[Update]) -> list[Item]:
        """Write all updates or none. Returns the new item; nothing for several, which are a transaction."""
        token = secrets.token_hex(16)
        for pause in PAUSES:
            try:
                return await self._write(updates, token)
            except StoreBusy:
                await self._sleep(pause * (0.5 + self._jitter()))
        return await self._write(updates, token)

    async def _write(self, updates: Sequence[Update], token: str | None = None) -> list[Item]:
        if len(updates) == 1:
            return [await self._items.update(updates[0])]
        await self._items.transact(updates, token=token)
        return []

    async def read(self, counters: Sequence[Counter]) -> list[tuple[Counter, Item]]:
        """Return the items of these counters that exist."""
        items = await self._items.get_many([counter.id for counter in counters], consistent=True)
        return [(counter, items[counter.id]) for counter in counters if counter.id in items]

    def note(self, counter: Counter, item: Item) -> None:
        """Learn from an item that was just read or written."""
        self.known.observe(counter, item)
        self._watcher.observe(counter, item)

    async def reclaim(self, counter: Counter, item: Item) -> bool:
        """Give back what is reserved in slots that have ended, by instances that died; False for nothing."""
        now = self._now()
        ended = {slot: n for slot, n in counts.reserved(item).items() if counts.has_ended(slot, now)}
        if ended:
            with suppress(ConditionFailed):  # another instance was faster
                await self.write([counts.reclaim(counter.id, ended)])
        return bool(ended)

"""Settles counters when a request has ended: adds what it used, and gives back the rest of its reservation.

What the store does not take is kept, and written after a later settlement that it takes.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from handler.access.counter_items import CounterItems
from handler.access.counters import Counter
from handler.access.reservation import Reservation, Use, used_of
from handler.aws.errors import PARSE_ERRORS, StoreError
from handler.store import counts
from handler.store.background import BackgroundTasks
from handler.store.items import ConditionFailed, StoreBusy
from rules import AppliedLimit

MAX_ROUNDS = 4  # of one settlement, which meets changes of other instances
MAX_UNWRITTEN = 1000
RETRIED = 20  # of them, after one settlement: a store that begins to work again is not flooded


class Settlement(NamedTuple):
    """A change of one counter. `released`: reserved amounts by slot; `write`: its id, so it counts once."""

    counter: Counter
    change: int
    released: Mapping[int, int]
    write: str


def new_write() -> str:
    """Return the id of a write: random hexadecimal digits."""
    return secrets.token_hex(8)


class Settlements:
    """The settlements of one instance. `failed`: called when the store does not take one."""

    def __init__(self, items: CounterItems, *, failed: Callable[[BaseException], None]) -> None:
        self._items = items
        self._failed = failed
        self._tasks = BackgroundTasks()
        self._unwritten: deque[Settlement] = deque(maxlen=MAX_UNWRITTEN)

    def start(self, reservation: Reservation, used: Sequence[Use]) -> None:
        """Start the settlement of a request. `used`: by each of its attempts."""
        self._tasks.start(self._settle(reservation, used), self._failed)

    def give_back(self, counter: Counter, slot: int, amount: int) -> None:
        """Start giving back what is left of a lease."""
        back = Settlement(counter, -amount, {slot: amount}, new_write())
        self._tasks.start(self._finish([back]), self._failed)

    async def finish(self, seconds: float) -> None:
        """Wait at most `seconds` for all settlements."""
        await self._tasks.settle(seconds)

    def invalidate(self) -> None:
        self._tasks.cancel()
        self._unwritten.clear()

    async def _settle(self, reservation: Reservation, used: Sequence[Use]) -> None:
        await asyncio.gather(*reservation.tasks, return_exceptions=True)
        new = (self._settlement(reservation, counter, limit, used) for counter, limit in reservation.counters)
        if await self._finish(settlement for settlement in new if settlement):
            count = min(RETRIED, len(self._unwritten))
            await self._finish([self._unwritten.popleft() for _ in range(count)])

    def _settlement(
        self, reservation: Reservation, counter: Counter, limit: AppliedLimit, used: Sequence[Use]
    ) -> Settlement | None:
        """Return the change of one counter; None for no change."""
        if not counter.reserves:
            missing = (counter in reservation.admitted) - reservation.amount(counter)
            write = reservation.uncounted.get(counter)
            if missing < 0:
                return Settlement(counter, missing, {}, new_write())
            return Settlement(counter, missing, {}, write) if missing and write else None
        actual = used_of(counter, limit, used)
        released = {slot: n for slot, n in reservation.taken.get(counter, {}).items() if slot is not None}
        change = actual - sum(released.values())
        known = self._items.known
        lease = known.of(counter).lease
        if lease is not None and lease.slot in released:  # what is left of the reservation stays in the lease
            left = min(max(0, -change), released[lease.slot], known.lease_room(counter, lease))
            lease.free += left
            released[lease.slot] -= left
            change += left
        return (
            Settlement(counter, change, released, new_write()) if change or any(released.values()) else None
        )

    async def _finish(self, settlements: Iterable[Settlement]) -> bool:
        """Write settlements, or keep them. Returns True if all are written."""
        return all(await asyncio.gather(*map(self._write_or_keep, settlements)))

    async def _write_or_keep(self, settlement: Settlement) -> bool:
        try:
            await self._write(settlement)
        except (StoreError, *PARSE_ERRORS) as error:
            self._unwritten.append(settlement)
            self._failed(error)
            return False
        return True

    async def _write(self, settlement: Settlement) -> None:
        counter, change, released, write = settlement
        for _ in range(MAX_ROUNDS):
            update = counts.settle(counter.id, change, released, write=write, expires_at=counter.expires_at)
            try:
                (item,) = await self._items.write([update])
            except ConditionFailed as error:
                item = error.items[0] or {}
                if counts.was_written(item, write):
                    return
                # Slots that ended were given back: their amounts are no longer in the counter.
                left = {slot: n for slot, n in released.items() if slot in counts.reserved(item)}
                change += sum(released.values()) - sum(left.values())
                released = left
            else:
                self._items.note(counter, item)
                self._tasks.start(self._items.reclaim(counter, item), self._failed)
                return
        raise StoreBusy("the counters change too often")

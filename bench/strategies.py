"""Other ways to take from several counters than the ledger's transactions, for comparison."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from handler.access.counter_items import CounterItems
from handler.access.counters import Counter
from handler.access.ledger import Ledger, Refused
from handler.access.reservation import Reservation
from handler.access.settlement import new_write
from handler.store import counts
from handler.store.attributes import Item
from handler.store.items import StoreBusy, Update
from tests.support.virtual_clock import now

RECENT = 10.0  # seconds since a counter was seen
FAR = 0.9  # of a limit: less than that is taken


class ParallelLedger(Ledger):
    """Takes from each counter by itself, and gives back what it took if another refuses."""

    async def _take(self, reservation: Reservation, needs: Mapping[Counter, int], write: str) -> None:
        before = {counter: dict(reservation.taken.get(counter, {})) for counter in needs}
        takes = (super(ParallelLedger, self)._take(reservation, {each: needs[each]}, write) for each in needs)
        results = await asyncio.gather(*takes, return_exceptions=True)
        errors = [result for result in results if isinstance(result, BaseException)]
        if not errors:
            return
        for counter in needs:
            for slot, amount in list(reservation.taken.get(counter, {}).items()):
                extra = amount - before[counter].get(slot, 0)
                reservation.taken[counter][slot] -= extra
                if extra:
                    self._give_back(counter, slot, extra)
        raise next((error for error in errors if isinstance(error, Refused)), errors[0])

    def _give_back(self, counter: Counter, slot: int | None, amount: int) -> None:
        released = {} if slot is None else {slot: amount}
        back = counts.settle(counter.id, -amount, released, write=new_write(), expires_at=counter.expires_at)
        self._tasks.start(self._items.write([back]), self._failed)


class Impatient(CounterItems):
    """Tries a write once."""

    async def write(self, updates: Sequence[Update]) -> list[Item]:
        return await self._write(updates)


class MixedLedger(ParallelLedger):
    """Takes in parallel while all counters are far from their limits, and in a transaction near one.

    A transaction that meets another one reads the counters, and decides again. One request at a time.
    """

    async def _take(self, reservation: Reservation, needs: Mapping[Counter, int], write: str) -> None:
        if not self._far(needs):
            patient, self._items = self._items, Impatient(self._store, now=now, watcher=self._watcher)
            self._items.known = patient.known
            try:
                return await Ledger._take(self, reservation, needs, write)
            except StoreBusy:
                self._learn(await patient.read(list(needs)))
            finally:
                self._items = patient
        take = ParallelLedger._take if self._far(needs) else Ledger._take
        return await take(self, reservation, needs, write)

    def _far(self, needs: Mapping[Counter, int]) -> bool:
        known = [(self._items.known.of(each), each.limit) for each in needs]
        recent = self._now() - RECENT
        return all(each.seen_at > recent and each.taken < limit * FAR for each, limit in known)

"""The ledger: takes from the counters of a request before it is sent, and settles them after its answer.

One counter takes one UpdateItem with a condition, several take one TransactWriteItems: all or none, so that a
refusal never rests on what another request takes and gives back. docs/performance.md compares both.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from handler.access.counter_items import CounterItems, Watcher
from handler.access.counters import Counter, counters_of
from handler.access.reservation import Reservation, Use
from handler.access.settlement import Settlements, new_write
from handler.aws.errors import PARSE_ERRORS, StoreError
from handler.errors import Unavailable
from handler.store import counts
from handler.store.attributes import Item
from handler.store.background import BackgroundTasks, safe_message
from handler.store.items import ConditionFailed, Items, StoreBusy, Update
from rules import BudgetRecord, Candidate, Decision

WAIT = 2.0  # seconds that a request waits for its counters
MAX_ROUNDS = 4  # of one take, which meets changes of other instances
MAX_COUNTERS = 10_000  # of one record and window, where callers choose the values of `each`
FULL = 1.0  # seconds in which a counter that refused a request refuses others of that size unasked
SPENT = 10.0  # seconds that a budget's `then` holds before the budget is asked again
RETRY_AFTER = 1.0  # seconds, where the store fails and a record refuses then
PROBLEM = "requests not counted"  # the log's message

Report = Callable[[str, dict[str, Any]], None]


class Refused(Exception):
    """A counter has not enough left for what the request needs. `item`: as it is stored, if it was read."""

    def __init__(self, counter: Counter, need: int, item: Item | None = None) -> None:
        super().__init__(counter.id)
        self.counter = counter
        self.need = need
        self.item = item


class Ledger:
    """The counting of one instance.

    now: epoch seconds. report: called with a message and fields when the store begins to fail.
    """

    def __init__(
        self,
        items: Items,
        *,
        now: Callable[[], float],
        watcher: Watcher,
        report: Report = lambda message, fields: None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._store = items
        self._now = now
        self._report = report
        self._items = CounterItems(items, now=now, watcher=watcher, sleep=sleep)
        self._watcher = watcher
        self._settlements = Settlements(self._items, failed=self._failed)
        self._tasks = BackgroundTasks()
        self._crowded: dict[str, float] = {}  # by the id of a census, the end of its window
        self._reported_at = -1e9

    def open(self, decision: Decision) -> Reservation:
        """Return an empty reservation with the counters of a decision."""
        counters = counters_of(decision, datetime.fromtimestamp(self._now(), UTC))
        return Reservation(
            tuple((self._uncrowded(counter), limit) for counter, limit in counters),
            self._items.known,
        )

    async def cover(
        self, reservation: Reservation, candidates: Sequence[Candidate], used: Sequence[Use] = ()
    ) -> None:
        """Take what the last of `candidates` can use, as far as the reservation does not cover it yet.

        candidates: all that are being asked. used: by attempts that have ended. Raises Refused, with nothing
        taken; and Unavailable if the store fails and a record refuses then.
        """
        needs, known = reservation.needs(candidates, used), self._items.known
        drawn = {counter: lease for counter in needs if (lease := known.draw(counter, needs[counter]))}
        rest = {counter: need for counter, need in needs.items() if counter not in drawn}
        try:
            for counter, need in rest.items():
                if need > counter.limit or known.lacks(counter, need):
                    raise Refused(counter, need)
            if rest:
                await self._wait_for(reservation, rest)
        except BaseException:
            for counter, lease in drawn.items():
                lease.free += needs[counter]
            raise
        for counter, lease in drawn.items():
            reservation.add(counter, lease.slot, needs[counter])
        reservation.admit(candidates[-1])

    def known_spent(self, reservation: Reservation) -> frozenset[str]:
        """Return the ids of budgets with a `then` that refused a request of this instance a moment ago."""
        now, known = self._now(), self._items.known
        return frozenset(
            counter.record.id
            for counter, limit in reservation.counters
            if not limit.spent and counter in known and known.of(counter).spent_until > now
        )

    def close(self, reservation: Reservation, used: Sequence[Use]) -> None:
        """Start counting what a request used, and giving back what it did not. `used`: by each attempt."""
        if reservation.counters:
            self._settlements.start(reservation, used)

    async def settle(self, seconds: float) -> None:
        """Wait at most `seconds` until everything is counted."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        for finish in (self._tasks.settle, self._settlements.finish, self._watcher.settle):
            await finish(max(0.0, until - loop.time()))

    def invalidate(self) -> None:
        """Forget everything, as after a restore. What was leased is given back when its slot ends."""
        self._tasks.cancel()
        self._settlements.invalidate()
        self._items.known.clear()
        self._crowded.clear()

    async def _wait_for(self, reservation: Reservation, needs: Mapping[Counter, int]) -> None:
        """Take from the store. If the caller stops waiting, the task goes on, and its settlement waits."""
        write = new_write()
        task = self._tasks.start(self._take(reservation, needs, write), lambda error: None)
        reservation.tasks.add(task)
        try:
            async with asyncio.timeout(WAIT):
                await asyncio.shield(task)
        except (StoreError, TimeoutError, *PARSE_ERRORS) as error:  # an item that a person edited, too
            self._failed(error)
            if any(counter.record.on_store_failure == "refuse" for counter in needs):
                raise Unavailable(
                    "The limits of this key cannot be counted at the moment.",
                    code="store_unavailable",
                    retry_after=RETRY_AFTER,
                ) from error
            reservation.uncounted |= dict.fromkeys(needs, write)

    async def _take(self, reservation: Reservation, needs: Mapping[Counter, int], write: str) -> None:
        known = self._items.known
        sizes = {counter: known.lease_size(counter, need) for counter, need in needs.items()}
        for _ in range(MAX_ROUNDS):
            slot = counts.slot_until(self._now())
            hits = {counter: sizes[counter] // need for counter, need in needs.items()}
            try:
                items = await self._items.write(
                    [_take(counter, size, hits[counter], slot, write) for counter, size in sizes.items()]
                )
            except ConditionFailed as error:
                if not counts.was_written(error.items[0], write):
                    await self._make_room(needs, error)
                    sizes = dict(needs)
                    continue
                items = [item or {} for item in error.items]
            self._accept(reservation, needs, sizes, slot, items)
            return
        raise StoreBusy("the counters change too often")

    def _accept(
        self,
        reservation: Reservation,
        needs: Mapping[Counter, int],
        sizes: Mapping[Counter, int],
        slot: int,
        items: Sequence[Item],
    ) -> None:
        """Add what was taken to the reservation, and the rest to leases."""
        for counter, need in needs.items():
            own = slot if counter.reserves else None
            reservation.add(counter, own, need)
            earlier = self._items.known.add_lease(counter, own, sizes[counter] - need)
            if earlier is not None and earlier.slot is not None and earlier.free:
                self._settlements.give_back(counter, earlier.slot, earlier.free)
        if items:
            self._learn(zip(needs, items, strict=True))
        else:
            for counter, size in sizes.items():
                self._items.known.of(counter).taken += size  # until it is read
            self._tasks.start(self._read(list(needs)), self._failed)

    async def _make_room(self, needs: Mapping[Counter, int], error: ConditionFailed) -> None:
        """Give back what instances that died had reserved. Raises Refused if a counter has nothing of it."""
        for (counter, need), item in zip(needs.items(), error.items, strict=True):
            if item is None:
                continue
            self._items.note(counter, item)
            fits = item.get("n", counter.limit) <= counter.limit - need  # only the lease was too large
            if not fits and not await self._items.reclaim(counter, item):
                self._note_refusal(counter, item)
                raise Refused(counter, need, item)

    def _note_refusal(self, counter: Counter, item: Item) -> None:
        known, now = self._items.known.of(counter), self._now()
        known.full_until = min(now + FULL, counter.ends)
        if isinstance(counter.record, BudgetRecord) and counter.record.then is not None:
            known.spent_until = now + SPENT
        self._watcher.exhausted(counter, item)

    async def _read(self, counters: Sequence[Counter]) -> None:
        """Read what a transaction changed, beside the request: for its headers, for leases and for alerts."""
        self._learn(await self._items.read(counters))

    def _learn(self, found: Any) -> None:
        for counter, item in found:
            self._items.note(counter, item)
            if counter.bounded and "counted" not in item:
                self._tasks.start(self._count_counter(counter), self._failed)

    # The number of counters, where callers choose it.

    async def _count_counter(self, counter: Counter) -> None:
        try:
            await self._store.update(counts.mark_counted(counter.id))
        except ConditionFailed:  # another request was faster
            return
        item = await self._store.update(counts.count_one(counter.census_id, counter.expires_at))
        if item["n"] >= MAX_COUNTERS:
            self._crowded[counter.census_id] = counter.ends

    def _uncrowded(self, counter: Counter) -> Counter:
        """Return the counter, or the shared one of values that came after MAX_COUNTERS others."""
        if not self._crowded or not counter.bounded or counter in self._items.known:
            return counter
        now = self._now()
        self._crowded = {id: ends for id, ends in self._crowded.items() if ends > now}
        return counter.shared() if counter.census_id in self._crowded else counter

    def _failed(self, error: BaseException) -> None:
        """Report that the store fails, at most once a minute."""
        if self._now() - self._reported_at >= 60:
            self._reported_at = self._now()
            self._report(PROBLEM, {"problem": safe_message(error, StoreError, TimeoutError)})


def _take(counter: Counter, amount: int, hits: int, slot: int, write: str) -> Update:
    return counts.take(
        counter.id,
        amount,
        room=counter.limit - amount,
        hits=hits,
        slot=slot if counter.reserves else None,
        write=write,
        expires_at=counter.expires_at,
    )

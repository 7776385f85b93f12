"""What this instance knows of the counters, and the leases that it holds of busy ones. No I/O.

A busy counter's item in State would get more writes than one item can take, so an instance takes for several
requests at once: a lease. Its size follows from how busy the counter is and from what is left, so that near
the limit each request is counted by itself. A limit is never exceeded; it may be missed by what the leases of
instances that got no more requests hold, each at most 1/SHARE of what was left when it was taken. A lease of
tokens or money shrinks with what is left: each settlement gives back what exceeds its share.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from handler.access.counters import Counter
from handler.store import counts
from handler.store.attributes import Item

TAKES = 10  # writes per second of one counter's item that leases aim at
SHARE = 1000  # a lease is at most this part of what is left
MAX_COUNTERS = 10_000  # that are remembered


@dataclass(slots=True)
class Lease:
    """An amount taken from a counter for requests to come. slot: None for what is never given back."""

    slot: int | None
    free: int
    size: int  # the most that may be free


@dataclass(slots=True)
class KnownCounter:
    """A counter as its item was last seen. Times are in epoch seconds."""

    ends: float
    taken: int = 0
    used: int = 0  # the settled part of `taken`
    hits: int = 0
    seen_at: float = 0.0
    rate: float = 0.0  # hits per second
    full_until: float = 0.0  # it refused a request: it is not asked before for more than is left
    spent_until: float = 0.0  # a budget that refused is not asked again before
    lease: Lease | None = None


@dataclass(slots=True)
class KnownCounters:
    """The counters that this instance has met, by id. The oldest are forgotten."""

    now: Callable[[], float]  # epoch seconds
    _known: dict[str, KnownCounter] = field(default_factory=dict)
    # The rates of busy counters, which the counters of the next window begin with.
    _rates: dict[tuple[str, ...], float] = field(default_factory=dict)

    def __contains__(self, counter: Counter) -> bool:
        return counter.id in self._known

    def of(self, counter: Counter) -> KnownCounter:
        known = self._known.get(counter.id)
        if known is None:
            if len(self._known) >= MAX_COUNTERS:
                self._forget()
            rate = self._rates.get(counter.series, 0.0)
            known = self._known[counter.id] = KnownCounter(counter.ends, rate=rate)
        return known

    def clear(self) -> None:
        self._known.clear()
        self._rates.clear()

    def _forget(self) -> None:
        now = self.now()
        self._known = {id: known for id, known in self._known.items() if known.ends > now}
        for id in list(self._known)[: max(0, len(self._known) - MAX_COUNTERS // 2)]:
            del self._known[id]

    def observe(self, counter: Counter, item: Item) -> None:
        """Record an item as it is stored now."""
        known, now, hits = self.of(counter), self.now(), int(item.get("hits", 0))
        passed = now - known.seen_at
        if passed >= 1:
            if known.seen_at:
                known.rate = (hits - known.hits) / passed
                self._note_rate(counter, known.rate)
            known.hits, known.seen_at = hits, now
        known.taken, known.used = int(item.get("n", 0)), counts.used(item)

    def _note_rate(self, counter: Counter, rate: float) -> None:
        if rate < 2 * TAKES or len(self._rates) >= MAX_COUNTERS:
            self._rates.pop(counter.series, None)
        else:
            self._rates[counter.series] = rate

    def draw(self, counter: Counter, need: int) -> Lease | None:
        """Take `need` from the lease of this counter, and return the lease; None if it has not enough."""
        lease = self.of(counter).lease
        if lease is None or lease.free < need:
            return None
        if lease.slot is not None and not counts.outlasts(lease.slot, self.now()):
            return None
        lease.free -= need
        return lease

    def lacks(self, counter: Counter, need: int) -> bool:
        """Return True if the counter refused a request a moment ago, and has not so much left since."""
        known = self.of(counter)
        return known.full_until > self.now() and need > counter.limit - known.taken

    def add_lease(self, counter: Counter, slot: int | None, free: int) -> Lease | None:
        """Add to the lease of this counter. Returns the lease of another slot, which is to be given back."""
        known = self.of(counter)
        lease = known.lease
        if lease is not None and lease.slot == slot:
            lease.free += free
            lease.size = lease.free
            return None
        known.lease = Lease(slot, free, free) if free else None
        return lease

    def lease_size(self, counter: Counter, need: int) -> int:
        """Return how much to take for a request that needs `need`."""
        known = self.of(counter)
        left = counter.limit - known.taken
        return max(need, min(need * int(known.rate / TAKES), left // SHARE))

    def lease_room(self, counter: Counter, lease: Lease) -> int:
        """Return how much a lease may get; negative if it has more than its share of what is left now."""
        left = max(0, counter.limit - self.of(counter).taken)
        return min(lease.size, left // SHARE) - lease.free

    def remaining(self, counter: Counter) -> int | None:
        """Return what this instance could still take, as far as it knows; None if that is unknown."""
        known = self._known.get(counter.id)
        if known is None or not known.seen_at:
            return None
        return max(0, counter.limit - known.taken + (known.lease.free if known.lease else 0))

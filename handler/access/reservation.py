"""What one request has taken from its counters, from its admission until it is settled."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from handler.access.counters import Counter
from handler.access.leases import KnownCounters
from rules import AppliedLimit, Candidate


class Use(NamedTuple):
    """What one attempt used."""

    candidate: str  # its id
    tokens: int
    nano_dollars: int


# By unit, what an attempt adds to a counter. Requests are counted when they are admitted.
_USED: Mapping[str, Any] = {
    "requests": lambda use: 0,
    "tokens": lambda use: use.tokens,
    "usd": lambda use: use.nano_dollars,
}


@dataclass(slots=True, eq=False)
class Reservation:
    """The counters of one request, and what it has taken from each."""

    counters: tuple[tuple[Counter, AppliedLimit], ...]
    known: KnownCounters
    taken: dict[Counter, dict[int | None, int]] = field(default_factory=dict)  # amounts by slot
    # What the store did not take, as far as is known, by the id of the write.
    uncounted: dict[Counter, str] = field(default_factory=dict)
    admitted: set[Counter] = field(default_factory=set)  # a candidate of them may have been asked
    tasks: set[asyncio.Task[None]] = field(default_factory=set)  # that may still add to `taken`

    def add(self, counter: Counter, slot: int | None, amount: int) -> None:
        amounts = self.taken.setdefault(counter, {})
        amounts[slot] = amounts.get(slot, 0) + amount

    def admit(self, candidate: Candidate) -> None:
        """Record that a candidate may be asked now."""
        self.admitted |= {counter for counter, limit in self.counters if candidate.id in limit.candidates}

    def amount(self, counter: Counter) -> int:
        return sum(self.taken.get(counter, {}).values())

    def needs(self, candidates: Sequence[Candidate], used: Sequence[Use] = ()) -> dict[Counter, int]:
        """Return what is to be taken before the last of `candidates` is asked.

        candidates: all that are being asked. used: by attempts that have ended.
        """
        needs = {}
        for counter, limit in self.counters:
            if limit.spent or candidates[-1].id not in limit.candidates:
                continue
            if counter.reserves:
                most = (counter.need(each) for each in candidates if each.id in limit.candidates)
                need = sum(most) + used_of(counter, limit, used) - self.amount(counter)
            else:
                need = 0 if counter in self.uncounted else 1 - self.amount(counter)
            if need > 0:
                needs[counter] = need
        return needs


def used_of(counter: Counter, limit: AppliedLimit, used: Iterable[Use]) -> int:
    """Return what these attempts add to a counter."""
    add = _USED[counter.record.unit]
    return sum(add(use) for use in used if use.candidate in limit.candidates)

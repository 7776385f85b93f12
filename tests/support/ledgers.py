"""Ledgers of several instances over one State table in memory, and the requests that they count."""

from __future__ import annotations

import asyncio
import random
from collections import Counter as Tally
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from handler.access.counters import Counter
from handler.access.ledger import Ledger, Refused
from handler.access.reservation import Reservation, Use
from handler.store import counts
from handler.store.attributes import Item
from handler.store.items import Items
from rules import (
    AppliedLimit,
    BudgetRecord,
    Candidate,
    Decision,
    Facts,
    LimitRecord,
    Model,
    Reason,
    read_record,
)
from tests.support.atomic_items import AtomicItems, Hook, Table, at_once
from tests.support.virtual_clock import now

Limit = LimitRecord | BudgetRecord


def limit(id: str = "burst", **fields: Any) -> LimitRecord:
    """A record; without a count, of three requests."""
    count = {} if "tokens" in fields else {"requests": 3}
    record = read_record({"kind": "limit", "id": id, "per": "day", **count, **fields})
    assert isinstance(record, LimitRecord)
    return record


def budget(nano: int, id: str = "money", **fields: Any) -> BudgetRecord:
    """A record of so many nano-dollars."""
    record = read_record({"kind": "budget", "id": id, "usd": f"{nano}e-9", "per": "month", **fields})
    assert isinstance(record, BudgetRecord)
    return record


def candidate(id: str = "up/main", *, tokens: int = 0, cost: int = 0) -> Candidate:
    """A candidate of which an attempt uses at most so many tokens and nano-dollars."""
    provider, _, name = id.partition("/")
    return Candidate(Model(provider=provider, name=name), cost_max=cost, tokens=tokens)


def decision(
    records: Iterable[Limit],
    *candidates: Candidate,
    of: Mapping[str, Sequence[str]] | None = None,
    **facts: Any,
) -> Decision:
    """A decision whose candidates the records count. `of`: by record id, the candidates that it counts."""
    candidates = candidates or (candidate(),)
    ids = [each.id for each in candidates]
    limits = tuple(AppliedLimit(record, frozenset((of or {}).get(record.id, ids))) for record in records)
    return Decision(facts=Facts(**facts), reason=Reason.REQUESTED, candidates=candidates, limits=limits)


@dataclass(slots=True)
class Watched:
    """The counters that a ledger observed, with their items."""

    observed: list[tuple[Counter, Item]] = field(default_factory=list)
    exhaustions: list[Counter] = field(default_factory=list)

    def observe(self, counter: Counter, item: Item) -> None:
        self.observed.append((counter, item))

    def exhausted(self, counter: Counter, item: Item) -> None:
        self.exhaustions.append(counter)

    async def settle(self, seconds: float) -> None:
        pass


def new_ledger(items: Items, *, now: Callable[[], float] = now, **more: Any) -> Ledger:
    return Ledger(items, now=now, watcher=more.pop("watcher", Watched()), **more)


def ledgers(table: Table, count: int, hook: Hook = at_once) -> list[Ledger]:
    """The ledgers of `count` instances that share one table."""
    return [new_ledger(AtomicItems(table, hook)) for _ in range(count)]


async def admit(ledger: Ledger, request: Decision) -> Reservation | None:
    """Take for the first candidate of a request. None: it is refused."""
    reservation = ledger.open(request)
    try:
        await ledger.cover(reservation, [request.candidates[0]])
    except Refused:
        assert reservation.taken == {}
        return None
    return reservation


def use(candidate: Candidate, *, tokens: int = 0, nano: int = 0) -> Use:
    return Use(candidate.id, tokens, nano)


async def settle(ledger: Ledger, reservation: Reservation, *used: Use) -> None:
    ledger.close(reservation, used)
    await ledger.settle(600)


def shuffled(seed: int, *, longest: float = 0.05) -> Hook:
    """A hook that makes every call wait before and after, so that calls overlap in an order of their own."""
    chance = random.Random(seed)

    async def wait(when: str, method: str) -> None:
        await asyncio.sleep(chance.random() * longest)

    return wait


def counted(table: Table) -> dict[str, int]:
    """By record id, what is taken from its counters together."""
    total: dict[str, int] = {}
    for id, item in table.items.items():
        if id.startswith("count/") and not id.endswith("/%28counters%29"):
            record = id.split("/")[4]
            total[record] = total.get(record, 0) + int(item["n"])
    return total


def reserved(table: Table) -> int:
    items = (item for id, item in table.items.items() if id.startswith("count/"))
    return sum(sum(counts.reserved(item).values()) for item in items)


class Round:
    """Requests of several users at once, under two limits and a budget: all follows from `seed`.

    requests: the most of them. single: under one of the limits only.
    """

    def __init__(self, seed: int, *, requests: int = 40, single: bool = False) -> None:
        chance = random.Random(seed)
        self.instances = chance.randint(1, 5)
        users = [f"u{n}" for n in range(chance.randint(1, 6))]
        self.users = [chance.choice(users) for _ in range(chance.randint(1, requests))]
        self.each = chance.choice(["user", "session", "tag.team"])
        self.most, self.most_each, self.affordable = (chance.randint(1, 30) for _ in range(3))
        self.tokens, self.cost = chance.randint(1, 900), chance.randint(1, 10**6)
        per_value = {"requests": self.most_each} if chance.random() < 0.5 else {
            "tokens": self.most_each * self.tokens + chance.randrange(self.tokens)
        }  # fmt: skip
        self.records: list[Limit] = [
            limit("all", requests=self.most),
            limit("each", each=self.each, **per_value),
            budget(self.affordable * self.cost + chance.randrange(self.cost)),
        ]
        if single:
            self.records = [limit("each", each=self.each, requests=self.most_each)]
            self.most = self.affordable = requests

    @property
    def admitted(self) -> int:
        """The number of requests that any order of them admits."""
        each = sum(min(number, self.most_each) for number in Tally(self.users).values())
        return min(self.most, self.affordable, each)

    def request(self, user: str) -> Decision:
        value = {"tags": {"team": user}} if self.each == "tag.team" else {self.each: user}
        return decision(self.records, candidate(tokens=self.tokens, cost=self.cost), **value)

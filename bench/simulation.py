"""Simulates the instances of a function that count by one ledger each, on virtual time."""

from __future__ import annotations

import asyncio
from bisect import bisect_left, bisect_right
from collections import defaultdict
from dataclasses import dataclass, field
from itertools import accumulate
from random import Random
from statistics import quantiles
from typing import Any

from bench.store_model import ModelItems
from handler.access import leases
from handler.access.counters import Counter
from handler.access.ledger import Ledger, Refused
from handler.access.reservation import Use
from handler.errors import Unavailable
from handler.store import counts
from rules import Decision
from tests.support.small_catalog import make_decision
from tests.support.virtual_clock import clock, now, run

MODEL, MOST = "openai/mini", 1000  # tokens of input and of output
KEYS = 20  # that requests come from
MANY = 10**9  # requests that a limit or budget admits


def limit(id: str, requests: int) -> dict[str, Any]:
    return {"kind": "limit", "id": id, "requests": requests, "per": "day", "on_store_failure": "refuse"}


def tokens(id: str, requests: int) -> dict[str, Any]:
    return {"kind": "limit", "id": id, "tokens": requests * 2000, "per": "day", "on_store_failure": "refuse"}


def budget(id: str, requests: int) -> dict[str, Any]:
    return {"kind": "budget", "id": id, "usd": requests * 12 / 10_000, "per": "month"}


def each_key(id: str, requests: int) -> dict[str, Any]:
    return {**budget(id, requests), "each": "key"}


CONFIGURATIONS = {
    "1 limit": lambda n: [limit("a", n)],
    "1 budget": lambda n: [budget("a", n)],
    "a budget of each key, 1 limit": lambda n: [each_key("a", 3), limit("b", n)],
    "2 limits, 1 budget": lambda n: [limit("a", n), tokens("b", n), budget("c", n)],
}


class Quiet:
    """Sends no alerts."""

    def observe(self, counter: Counter, item: Any) -> None: ...
    def exhausted(self, counter: Counter, item: Any) -> None: ...
    async def settle(self, seconds: float) -> None: ...


@dataclass(frozen=True)
class Scenario:
    """answers: seconds that a provider takes, on average. rate: requests per second of all instances.

    admits: requests, if each uses the most that it can. measured: seconds at the end that figures are of.
    """

    instances: int
    rate: float
    records: str
    admits: int = MANY
    answers: float = 3.0
    seconds: float = 40.0
    measured: float = 20.0
    takes: int = leases.TAKES
    share: int = leases.SHARE
    ledger: type[Ledger] = Ledger


@dataclass
class History:
    """What a perfect counter would know: amounts by the time from which they count."""

    changes: dict[str, list[tuple[float, int]]] = field(default_factory=lambda: defaultdict(list))
    refusals: list[tuple[float, float, Counter, int]] = field(default_factory=list)

    def wrong(self) -> int:
        """Return how many of the refused requests a perfect counter would have admitted."""
        wrong, more = 0, defaultdict[str, int](int)
        levels = {id: self._levels(id) for id in self.changes}
        for began, ended, counter, need in sorted(self.refusals, key=lambda refusal: refusal[1]):
            times, amounts = levels.get(counter.id, ([], []))
            first, last = bisect_left(times, began), bisect_right(times, ended)
            level = max(amounts[max(0, first - 1) : last], default=0) + more[counter.id]
            if level + need <= counter.limit:
                wrong += 1
                more[counter.id] += need if counter.record.unit == "requests" else need * 55 // 100
        return wrong

    def _levels(self, id: str) -> tuple[list[float], list[int]]:
        changes = sorted(self.changes[id])
        return [at for at, _ in changes], list(accumulate(amount for _, amount in changes))


class Simulation:
    """One run of a scenario. `run` fails if a counter is over its limit, or differs from what was used."""

    def __init__(self, scenario: Scenario, seed: int = 1) -> None:
        self.scenario = scenario
        self.random = Random(seed)
        self.items = ModelItems(self.random)
        records = CONFIGURATIONS[scenario.records](scenario.admits)
        self.decisions = [
            make_decision(MODEL, records, key=f"k{n}", input_tokens=MOST, max_tokens=MOST)
            for n in range(KEYS)
        ]
        self.ledgers: list[Ledger] = []
        self.history = History()
        self.used: dict[Counter, int] = defaultdict(int)
        self.waits: list[float] = []
        self.settling: list[float] = []
        self.outcomes: dict[str, int] = defaultdict(int)
        self.tally_before: Any = None

    async def run(self) -> None:
        scenario = self.scenario
        async with asyncio.TaskGroup() as group:
            for _ in range(scenario.instances):
                group.create_task(self._instance())
            await asyncio.sleep(scenario.seconds - scenario.measured)
            self.tally_before = self.items.tally.copy()
            self.waits.clear()
            self.settling.clear()
            self.outcomes.clear()
        self.check()

    async def _instance(self) -> None:
        scenario, random = self.scenario, self.random
        ledger = scenario.ledger(self.items, now=now, watcher=Quiet())
        self.ledgers.append(ledger)
        pause = max(0.0, scenario.instances / scenario.rate - scenario.answers)
        await asyncio.sleep(random.random() * (pause + scenario.answers))
        while clock() < scenario.seconds:
            await self._request(ledger, random.choice(self.decisions))
            if pause:
                await asyncio.sleep(random.expovariate(1 / pause))
        for _ in range(20):  # what the store did not take so far
            ledger.close(ledger.open(self.decisions[0]), ())
            await ledger.settle(10)

    async def _request(self, ledger: Ledger, decision: Decision) -> None:
        reservation, began = ledger.open(decision), clock()
        candidate, uses = decision.candidates[0], list[Use]()
        needs = {counter: counter.need(candidate) for counter, _ in reservation.counters}
        try:
            await ledger.cover(reservation, [candidate])
        except Refused as error:
            self.history.refusals.append((began, clock(), error.counter, needs[error.counter]))
            await asyncio.sleep(self.scenario.answers)  # the same rate of requests as before
        except Unavailable:
            self.outcomes["unavailable"] += 1
            await asyncio.sleep(self.scenario.answers)
        else:
            self.outcomes["admitted"] += 1
            self.waits.append(clock() - began)
            for counter, need in needs.items():
                self.history.changes[counter.id].append((began, need))
            await asyncio.sleep(self.scenario.answers * (0.5 + self.random.random()))
            part = 200 + self.random.randrange(700)  # thousandths of the most
            uses = [
                Use(candidate.id, candidate.tokens * part // 1000, (candidate.cost_max or 0) * part // 1000)
            ]
        ended = clock()
        ledger.close(reservation, uses)
        await ledger.settle(10)
        if uses:
            self.settling.append(clock() - ended)
            for counter, need in needs.items():
                amount = _used(counter, uses[0])
                self.used[counter] += amount
                self.history.changes[counter.id].append((clock(), amount - need))

    def check(self) -> None:
        """Fail if a counter is over its limit, or differs from what was used."""
        for counter, amount in self.used.items():
            item = self.items.items[counter.id]
            assert item["n"] <= counter.limit, (counter.id, item)
            if counter.reserves:
                assert counts.used(item) == amount, (counter.id, counts.used(item), amount)

    def unused(self) -> float:
        """Return the largest part of a counter that no request used, of the one that is used most."""
        return min((1 - amount / counter.limit for counter, amount in self.used.items()), default=1.0)

    def leased(self) -> float:
        """Return the part of what is left of the first counter that leases hold."""
        counter = next(iter(self.used))
        free = sum(lease.free for each in self.ledgers if (lease := each._items.known.of(counter).lease))
        return free / max(1, counter.limit - self.used[counter])

    def figures(self) -> dict[str, float]:
        tally = self.items.tally - self.tally_before
        admitted = max(1, self.outcomes["admitted"])
        waits = sorted(self.waits) or [0.0]
        return {
            "per s": admitted / self.scenario.measured,
            "p50 ms": _quantile(waits, 50) * 1000,
            "p99 ms": _quantile(waits, 99) * 1000,
            "settle p99": _quantile(sorted(self.settling), 99) * 1000,
            "calls": (tally["writes"] + tally["transactions"]) / admitted,
            "units": tally["units"] / admitted,
            "conflicts": tally["conflicts"] / admitted,
            "throttled": tally["throttled"] / admitted,
            "failed": self.outcomes["unavailable"],
            "refused": len(self.history.refusals),
            "wrong": self.history.wrong(),
            "unused %": 100 * self.unused(),
            "leased %": 100 * self.leased(),
        }


def _used(counter: Counter, use: Use) -> int:
    return {"requests": 1, "tokens": use.tokens, "usd": use.nano_dollars}[counter.record.unit]


def _quantile(values: list[float], percent: int) -> float:
    return quantiles(values, n=100)[percent - 1] if len(values) > 1 else sum(values)


def simulate(scenario: Scenario) -> Simulation:
    simulation, before = Simulation(scenario), (leases.TAKES, leases.SHARE)
    leases.TAKES, leases.SHARE = scenario.takes, scenario.share
    try:
        run(simulation.run())
    finally:
        leases.TAKES, leases.SHARE = before
    return simulation

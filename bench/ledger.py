"""Simulates what limits and budgets sustain: `python -m bench.ledger [TABLE ...]`.

Instances of Lambda, one request at a time each, count by the ledger that ships, against the model of DynamoDB
in bench/store_model.py. Time is virtual and the random numbers are seeded. Each run fails if a limit is
exceeded, or if a counter differs from what was used. Without names, all tables are printed.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

from bench.simulation import MANY, Scenario, simulate
from bench.strategies import MixedLedger, ParallelLedger
from handler.access import leases
from handler.access.ledger import Ledger

NEVER = 10**9  # TAKES that no counter reaches: no leases
STRATEGIES = {"transaction": Ledger, "parallel": ParallelLedger, "mixed": MixedLedger}
FLEETS = (
    (1, 0.33, 3.0),
    (10, 3.3, 3.0),
    (100, 33, 3.0),
    (1000, 330, 3.0),
    (1000, 900, 0.5),
    (1000, 1500, 0.5),
)


def sustained() -> Iterator[tuple[str, Scenario]]:
    """Yield runs far from every limit, with and without leases."""
    for records in ("1 limit", "1 budget", "2 limits, 1 budget"):
        for instances, rate, answers in FLEETS:
            for label, takes in (("leases", leases.TAKES), ("none", NEVER)):
                scenario = Scenario(instances, rate, records, answers=answers, takes=takes)
                yield f"{records} | {instances} | {rate:g} | {label}", scenario


def used_up() -> Iterator[tuple[str, Scenario]]:
    """Yield runs in which the limit is used up after some 45 of 90 seconds."""
    for records in ("1 limit", "1 budget"):
        for instances, rate, answers in FLEETS[1:4]:
            for share in (100, 1000, 10_000):
                admits = int(rate * 45 * (1 if records == "1 limit" else 0.55))
                scenario = Scenario(instances, rate, records, admits, answers, 90, 90, share=share)
                yield f"{records} | {instances} | {rate:g} | {share}", scenario


def lease_sizes() -> Iterator[tuple[str, Scenario]]:
    """Yield runs that aim at other numbers of writes."""
    for records in ("1 budget", "2 limits, 1 budget"):
        for instances, rate, answers in FLEETS[2:4]:
            for takes in (3, 10, 30, 100):
                scenario = Scenario(instances, rate, records, 200_000, answers, 30, 20, takes=takes)
                yield f"{records} | {instances} | {rate:g} | {takes}", scenario


def strategies() -> Iterator[tuple[str, Scenario]]:
    """Yield runs of each strategy: without leases, when all instances are new, and near a limit."""
    both, each = "2 limits, 1 budget", "a budget of each key, 1 limit"
    for label, ledger in STRATEGIES.items():
        for rate in (3, 30, 100):
            yield (
                f"{label} | no leases | {rate}",
                Scenario(100, rate, both, MANY, 0.8, 20, 20, takes=NEVER, ledger=ledger),
            )
        yield f"{label} | new instances | 333", Scenario(1000, 333, both, MANY, 3, 6, 6, ledger=ledger)
        yield f"{label} | used up | 60", Scenario(100, 60, each, 50, 0.8, 15, 15, takes=NEVER, ledger=ledger)


TABLES = {each.__name__: each for each in (sustained, used_up, lease_sizes, strategies)}


def main(names: Sequence[str]) -> None:
    for name in names or TABLES:
        print(f"\n{name}: {TABLES[name].__doc__}", flush=True)
        for label, scenario in TABLES[name]():
            figures = simulate(scenario).figures()
            print(f"{label:42}", *(f"| {name} {value:.4g}" for name, value in figures.items()), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])

"""`make faults`: every fault streaming and not, with a fallback and without; then failoverbench's sixteen.

Those are played as the benchmark does and scored by the default configuration: no rule, nothing known of the
models, one fallback in the request. Times are failoverbench's, and pass at once where nothing happens, unless
`--real-time` wants it to take its ten minutes. Names of faults or scenarios may be given:

    python -m tests.fault_injection.scorecard cut-after-text S08
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import sys
import time
from collections.abc import Awaitable, Iterable
from dataclasses import dataclass

from tests.fault_injection import expectations as judge
from tests.fault_injection import scenarios
from tests.fault_injection.faults import FAULTS
from tests.fault_injection.gateway import SPARE, Setup, front
from tests.fault_injection.provider import Wall
from tests.fault_injection.replies import FAST, FULL, Profile
from tests.support.virtual_clock import clock, run

LONGEST = 700.0  # seconds of one request: the default total and a little
CARDS = {False: "With the defaults", True: "With first_token 10, recovery resume and a fallback"}
SIXTEEN = "failoverbench's sixteen, scored by the defaults: no rule, one fallback in the request"
AT_ONCE = 64  # rows under way at the same time, where each mostly waits


@dataclass(frozen=True, slots=True)
class Row:
    name: str
    how: str
    saw: str  # the caller
    asked: str  # the provider
    wrong: list[str]

    def __str__(self) -> str:
        verdict = "pass" if not self.wrong else "FAIL  " + "; ".join(self.wrong)
        return f"  {self.name:<22}{self.how:<16}{self.saw:<62} {self.asked:<24}{verdict}"


async def faced(name: str, setup: Setup, *, stream: bool) -> Row:
    """One request under one fault."""
    how = f"{'stream' if stream else 'whole'} {'fallback' if setup.fallback else 'alone'}"
    user = f"{how} {setup.ruled}"
    async with Wall() as wall, front(wall, setup) as gateway:
        try:
            async with asyncio.timeout(LONGEST):
                seen = await gateway.ask(name, stream=stream, user=user)
        except TimeoutError:
            return Row(name, how, "nothing", "", [f"it hangs: no end within {LONGEST} s"])
    asked = wall.seen(name, user)
    left = sum(one in asked for one in wall.hung_up)
    times = ", ".join(f"{one.at - asked[0].at:.1f}" for one in asked)
    provider = f"{len(asked)} at {times} s" if asked else "nothing"
    told = f"{judge.shown(seen)}, {seen.seconds:.1f} s"
    return Row(
        name, how, told, provider + (", hung up" if left else ""), judge.wrong(seen, name, setup, asked)
    )


async def played(scenario: scenarios.Scenario, times: Profile, *, stream: bool) -> Row:
    began = clock()
    found = await scenarios.wrong(scenario, times, stream=stream)
    took = f"{clock() - began:.1f} s"
    how = f"{'stream' if stream else 'whole'} {times.name}"
    return Row(f"{scenario.id} {scenario.fault}", how, scenario.passing, took, found)


async def scored(names: Iterable[str], at_once: int) -> list[Row]:
    """Every row that is wanted, printed in order."""
    wanted, rows = set(names), list[Row]()
    turn = asyncio.Semaphore(at_once)

    async def each(row: Awaitable[Row]) -> Row:
        async with turn:
            return await row

    cards = {
        title: [asyncio.ensure_future(each(row)) for row in wished]
        for title, wished in _wished(wanted).items()
    }
    for title, begun in cards.items():
        say(f"\n{title}")
        for one in begun:
            rows.append(await one)
            say(str(rows[-1]))
    return rows


def _wished(wanted: set[str]) -> dict[str, list[Awaitable[Row]]]:
    """The rows of each card, not begun."""
    cells = list(itertools.product(FAULTS, (False, True), (None, SPARE)))
    cards: dict[str, list[Awaitable[Row]]] = {
        title: [
            faced(name, Setup(ruled=ruled, fallback=spare), stream=stream)
            for name, stream, spare in cells
            if not wanted or name in wanted
        ]
        for ruled, title in CARDS.items()
    }
    cards[SIXTEEN] = [
        played(one, times, stream=stream)
        for one, times, stream in itertools.product(scenarios.SCENARIOS, (FULL, FAST), (True, False))
        if not wanted or one.id in wanted
    ]
    return cards


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fault_injection.scorecard", description=__doc__)
    parser.add_argument("--real-time", action="store_true", help="wait for real")
    parser.add_argument("names", nargs="*", help="only these faults or scenarios")
    given = parser.parse_args()
    began = time.monotonic()
    rows = asyncio.run(scored(given.names, AT_ONCE)) if given.real_time else run(scored(given.names, 1))
    failed = [row for row in rows if row.wrong]
    say(f"\n{len(rows) - len(failed)} of {len(rows)} pass, {time.monotonic() - began:.0f} s")
    for row in failed:
        say(str(row))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

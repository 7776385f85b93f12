"""`make faults`: every fault, streamed and whole, with and without a fallback; then failoverbench's sixteen.

The sixteen run as in the benchmark, with the default configuration: no rule, no model records, one fallback
in the request. Times are failoverbench's, on a virtual clock; `--real-time` takes ten minutes. Names of
faults or scenarios select some:

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

from tests.fault_injection import expectations, scenarios
from tests.fault_injection.faults import FAULTS
from tests.fault_injection.gateway import SPARE, Setup, open_client
from tests.fault_injection.provider import FaultyProvider
from tests.fault_injection.replies import FAST, FULL, Profile
from tests.support.virtual_clock import clock, run

LONGEST = 700.0  # seconds of one request: more than the default total
CARDS = {  # with a rule, the dialect of the provider, the format of the client
    "With the defaults": (False, "openai", "chat"),
    "With first_token 10, recovery resume and a fallback": (True, "openai", "chat"),
    "A provider of OpenAI's Responses, with the defaults": (False, "responses", "chat"),
    "A client of Anthropic's Messages, with the defaults": (False, "openai", "messages"),
    "A client of Gemini's generateContent, with the defaults": (False, "openai", "gemini"),
    "A client of Bedrock's Converse, with the defaults": (False, "openai", "converse"),
    "A client of Responses, with the defaults": (False, "openai", "responses"),
    "A client of Responses at a provider of Responses": (False, "responses", "responses"),
}
SIXTEEN = "failoverbench's sixteen, with the defaults: no rule, one fallback in the request"
CONCURRENCY = 64  # rows; most of them wait


@dataclass(frozen=True, slots=True)
class Row:
    name: str
    mode: str
    caller: str  # what it received
    provider: str  # the requests that it received
    failures: list[str]

    def __str__(self) -> str:
        verdict = "pass" if not self.failures else "FAIL  " + "; ".join(self.failures)
        return f"  {self.name:<22}{self.mode:<16}{self.caller:<62} {self.provider:<24}{verdict}"


async def play_fault(name: str, setup: Setup, *, stream: bool) -> Row:
    """Sends one request under one fault."""
    mode = f"{'stream' if stream else 'whole'} {'fallback' if setup.fallback else 'alone'}"
    user = f"{mode} {setup.with_rule}"
    async with FaultyProvider() as faulty, open_client(faulty, setup) as gateway:
        try:
            async with asyncio.timeout(LONGEST):
                observed = await gateway.ask(name, stream=stream, user=user)
        except TimeoutError:
            return Row(name, mode, "nothing", "", [f"no end within {LONGEST} s"])
    requests = faulty.attempts(name)  # not of the user: a client of Gemini cannot name one
    gone = sum(one in requests for one in faulty.hung_up)
    times = ", ".join(f"{one.at - requests[0].at:.1f}" for one in requests)
    provider = f"{len(requests)} at {times} s" if requests else "nothing"
    caller = f"{expectations.summary(observed)}, {observed.seconds:.1f} s"
    return Row(
        name,
        mode,
        caller,
        provider + (", hung up" if gone else ""),
        expectations.mismatches(observed, name, setup, requests),
    )


async def play_scenario(scenario: scenarios.Scenario, times: Profile, *, stream: bool) -> Row:
    start = clock()
    found = await scenarios.mismatches(scenario, times, stream=stream)
    took = f"{clock() - start:.1f} s"
    mode = f"{'stream' if stream else 'whole'} {times.name}"
    return Row(f"{scenario.id} {scenario.fault}", mode, scenario.passing, took, found)


async def play(names: Iterable[str], concurrency: int) -> list[Row]:
    """Plays the rows of these names, or all, and prints them in order."""
    selected, rows = set(names), list[Row]()
    turn = asyncio.Semaphore(concurrency)

    async def each(row: Awaitable[Row]) -> Row:
        async with turn:
            return await row

    cards = {
        title: [asyncio.ensure_future(each(row)) for row in coroutines]
        for title, coroutines in _cards(selected).items()
    }
    for title, tasks in cards.items():
        print_line(f"\n{title}")
        for task in tasks:
            rows.append(await task)
            print_line(str(rows[-1]))
    return rows


def _cards(selected: set[str]) -> dict[str, list[Awaitable[Row]]]:
    """The coroutines of the rows of each card."""
    cells = list(itertools.product(FAULTS, (False, True), (None, SPARE)))
    cards: dict[str, list[Awaitable[Row]]] = {
        title: [
            play_fault(
                name,
                Setup(with_rule=with_rule, fallback=spare, dialect=dialect, client=client),
                stream=stream,
            )
            for name, stream, spare in cells
            if not selected or name in selected
        ]
        for title, (with_rule, dialect, client) in CARDS.items()
    }
    cards[SIXTEEN] = [
        play_scenario(one, times, stream=stream)
        for one, times, stream in itertools.product(scenarios.SCENARIOS, (FULL, FAST), (True, False))
        if not selected or one.id in selected
    ]
    return cards


def print_line(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fault_injection.scorecard", description=__doc__)
    parser.add_argument("--real-time", action="store_true", help="wait for real")
    parser.add_argument("names", nargs="*", help="only these faults or scenarios")
    given = parser.parse_args()
    began = time.monotonic()
    rows = asyncio.run(play(given.names, CONCURRENCY)) if given.real_time else run(play(given.names, 1))
    failed = [row for row in rows if row.failures]
    print_line(f"\n{len(rows) - len(failed)} of {len(rows)} pass, {time.monotonic() - began:.0f} s")
    for row in failed:
        print_line(str(row))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

"""The sixteen scenarios of failoverbench, and what passing each of them means.

https://github.com/failoverbench/failoverbench, scenarios/catalogue.yaml, methodology 0.1. The faults are the
wall's own; the numbers are theirs. The gateway knows nothing of the models and has no rule: the request names
one fallback, and all else is by default.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.fault_injection.expectations import shown
from tests.fault_injection.gateway import SPARE, Seen, Setup, front
from tests.fault_injection.provider import Wall
from tests.fault_injection.replies import ANSWER, Profile
from tests.support.upstream import Request
from tests.support.virtual_clock import clock

NO_PREFILL = "spare/spare-no-prefill"


@dataclass(frozen=True, slots=True)
class Outcome:
    seen: Seen
    attempts: list[Request]  # on the primary
    beside: list[Request]  # on the fallback
    alive: bool  # a healthy request succeeded right after

    @property
    def complete(self) -> bool:
        return self.seen.looks_whole and self.seen.text == ANSWER


Check = Callable[[Outcome], str | None]  # what is wrong


def complete(one: Outcome) -> str | None:
    return None if one.complete else f"no complete answer: {shown(one.seen)}"


def clean_error(one: Outcome) -> str | None:
    error = one.seen.error or {}
    if one.seen.looks_whole or error.get("code") != "content_policy_violation":
        return f"not the provider's own refusal: {shown(one.seen)}"
    return "the fallback was asked" if one.beside else None


def attempts(least: int, most: int) -> Check:
    def check(one: Outcome) -> str | None:
        found = len(one.attempts)
        return None if least <= found <= most else f"{found} attempts on the primary, not {least} to {most}"

    return check


def at_most(count: int, seconds: float) -> Check:
    def check(one: Outcome) -> str | None:
        began = one.attempts[0].at
        found = sum(attempt.at - began < seconds for attempt in one.attempts)
        return None if found <= count else f"{found} attempts in {seconds} s"

    return check


def gap(seconds: float) -> Check:
    def check(one: Outcome) -> str | None:
        if len(one.attempts) < 2:
            return "no second attempt"
        found = one.attempts[1].at - one.attempts[0].at
        return None if found >= seconds else f"asked again after {found:.2f} s"

    return check


def within(seconds: float) -> Check:
    def check(one: Outcome) -> str | None:
        return None if one.seen.seconds <= seconds else f"it took {one.seen.seconds:.1f} s"

    return check


def alive(one: Outcome) -> str | None:
    return None if one.alive else "a healthy request fails afterwards"


def by_fallback(one: Outcome) -> str | None:
    return None if one.seen.models[-1:] == [SPARE] else f"model names {one.seen.models}"


def usage(one: Outcome) -> str | None:
    return None if one.seen.usage else "no usage"


@dataclass(frozen=True, slots=True)
class Scenario:
    id: str
    fault: str
    passing: str  # what passing means
    checks: tuple[Check, ...]
    most: float = 45.0  # seconds
    fallback: str = SPARE


SCENARIOS = (
    Scenario(
        "S01",
        "429-first-2",
        "answered, asked again after at least 1.8 s, at most twice in 1.5 s",
        (complete, attempts(2, 6), gap(1.8), at_most(2, 1.5)),
        most=20,
    ),
    Scenario(
        "S02",
        "429-for-ever",
        "answered; at most 4 attempts in 3 s and 6 in all",
        (complete, at_most(4, 3), attempts(1, 6)),
        most=40,
    ),
    Scenario("S03", "500-once", "answered after asking the same again", (complete, attempts(2, 6)), most=20),
    Scenario("S04", "503-for-ever", "answered after at most 6 attempts", (complete, attempts(1, 6)), most=40),
    Scenario("S05", "reset-once", "answered", (complete,), most=20),
    Scenario(
        "S06",
        "silent-then-closes",
        "answered within 100 s, the silent route asked once",
        (complete, attempts(1, 1), within(100)),
        most=130,
    ),
    Scenario("S07", "first-token-slow", "answered within 15 s", (complete, within(15)), most=60),
    Scenario("S08", "cut-after-text", "the whole answer, not two thirds of it", (complete,), most=40),
    Scenario(
        "S09",
        "stall-then-closes",
        "the whole answer within 45 s, and well afterwards",
        (complete, within(45), alive),
        most=70,
    ),
    Scenario("S10", "malformed-event", "answered, and well afterwards", (complete, alive), most=30),
    Scenario("S11", "no-done", "ended within 8 s, with usage", (complete, within(8), usage), most=30),
    Scenario(
        "S12",
        "context-too-long",
        "answered by the larger window, the small one asked once",
        (complete, attempts(1, 1)),
        most=20,
    ),
    Scenario(
        "S13",
        "content-filter",
        "the provider's reason, asked once, no way round it",
        (clean_error, attempts(1, 1)),
        most=20,
    ),
    Scenario(
        "S14",
        "cut-after-text",
        "the whole answer though the fallback takes no prefill",
        (complete,),
        most=40,
        fallback=NO_PREFILL,
    ),
    Scenario(
        "S15",
        "flapping",
        "every request answered; the primary is used again within 30 s of its recovery",
        (),
        most=200,
    ),
    Scenario(
        "S16",
        "503-for-ever",
        "model names the fallback, usage is there, at most 6 attempts",
        (complete, by_fallback, usage, attempts(1, 6)),
        most=40,
    ),
)


# Those whose faults take their time; the others are the same in both profiles.
TIMED = frozenset({"S06", "S07", "S09", "S15"})


async def wrong(scenario: Scenario, times: Profile, *, stream: bool) -> list[str]:
    """Lists what differs from a pass; empty when nothing does."""
    if scenario.fault == "flapping":
        return await _flapping(times, stream=stream)
    async with Wall(times=times) as wall:
        return await _single(scenario, wall, stream=stream)


async def _single(scenario: Scenario, wall: Wall, *, stream: bool) -> list[str]:
    user = f"{scenario.id} {stream}"
    setup = Setup(ruled=False, listed=False, fallback=scenario.fallback)
    async with front(wall, setup) as gateway:
        try:
            async with asyncio.timeout(scenario.most):
                seen = await gateway.ask(scenario.fault, stream=stream, user=user)
        except TimeoutError:
            return [f"it hangs: no end within {scenario.most} s"]
        beside = scenario.fallback.partition("/")[2]
        asked, also = wall.seen(scenario.fault, user), wall.seen(beside, user)
        after = await gateway.ask("spare", stream=stream, user=user)
        outcome = Outcome(seen, asked, also, after.looks_whole)
    return [found for check in scenario.checks if (found := check(outcome)) is not None]


async def _flapping(times: Profile, *, stream: bool) -> list[str]:
    """S15: the primary is down, and requests come one after the other."""
    seen: list[tuple[float, Seen]] = []
    async with Wall(times=times) as wall, front(wall, Setup(ruled=False, listed=False)) as gateway:
        began = clock()
        for number in range(times.requests):
            await asyncio.sleep(began + number * times.interval - clock())
            seen.append((clock() - began, await gateway.ask("flapping", stream=stream)))
        return list(_flapped(seen, len(wall.seen("flapping")), times.outage))


def _flapped(seen: list[tuple[float, Seen]], asked: int, outage: float) -> Iterator[str]:
    """`asked`: attempts on the primary."""
    for at, one in seen:
        if not (one.looks_whole and one.text == ANSWER):
            yield f"at {at:.0f} s: {shown(one)}"
    back = [at for at, one in seen if one.models == ["wall/flapping"]]
    if not back or min(back) > outage + 30:
        yield f"the primary was used again at {back[:1]}, not within 30 s of its recovery"
    down = sum(at < outage for at, _ in seen)
    if asked - len(back) > down:
        yield f"{asked - len(back)} attempts on the primary for {down} requests during the outage"

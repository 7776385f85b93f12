"""The sixteen scenarios of failoverbench, and the conditions of passing each.

https://github.com/failoverbench/failoverbench, scenarios/catalogue.yaml, methodology 0.1. The faults are
ours, the numbers theirs. The gateway has no model records and no rule: the request names one fallback, and
everything else is default.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.fault_injection.expectations import summary
from tests.fault_injection.gateway import SPARE, Observation, Setup, open_client
from tests.fault_injection.provider import FaultyProvider
from tests.fault_injection.replies import ANSWER, Profile
from tests.support.upstream import Request
from tests.support.virtual_clock import clock

NO_PREFILL = "spare/spare-no-prefill"


@dataclass(frozen=True, slots=True)
class Outcome:
    observed: Observation
    attempts: list[Request]  # on the primary
    fallback_attempts: list[Request]
    alive: bool  # a healthy request succeeds afterwards

    @property
    def complete(self) -> bool:
        return self.observed.looks_complete and self.observed.text == ANSWER


Check = Callable[[Outcome], str | None]  # the problem, if there is one


def complete(one: Outcome) -> str | None:
    return None if one.complete else f"no complete answer: {summary(one.observed)}"


def clean_error(one: Outcome) -> str | None:
    error = one.observed.error or {}
    if one.observed.looks_complete or error.get("code") != "content_policy_violation":
        return f"not the provider's own refusal: {summary(one.observed)}"
    return "the fallback received a request" if one.fallback_attempts else None


def attempts(least: int, most: int) -> Check:
    def check(one: Outcome) -> str | None:
        found = len(one.attempts)
        return None if least <= found <= most else f"{found} attempts on the primary, not {least} to {most}"

    return check


def at_most(count: int, seconds: float) -> Check:
    def check(one: Outcome) -> str | None:
        start = one.attempts[0].at
        found = sum(attempt.at - start < seconds for attempt in one.attempts)
        return None if found <= count else f"{found} attempts in {seconds} s"

    return check


def gap(seconds: float) -> Check:
    def check(one: Outcome) -> str | None:
        if len(one.attempts) < 2:
            return "no second attempt"
        found = one.attempts[1].at - one.attempts[0].at
        return None if found >= seconds else f"a second attempt after {found:.2f} s"

    return check


def within(seconds: float) -> Check:
    def check(one: Outcome) -> str | None:
        return None if one.observed.seconds <= seconds else f"it took {one.observed.seconds:.1f} s"

    return check


def alive(one: Outcome) -> str | None:
    return None if one.alive else "a healthy request fails afterwards"


def by_fallback(one: Outcome) -> str | None:
    return None if one.observed.models[-1:] == [SPARE] else f"model names {one.observed.models}"


def usage(one: Outcome) -> str | None:
    return None if one.observed.usage else "no usage"


@dataclass(frozen=True, slots=True)
class Scenario:
    id: str
    fault: str
    passing: str  # the conditions in words
    checks: tuple[Check, ...]
    most: float = 45.0  # seconds
    fallback: str = SPARE


SCENARIOS = (
    Scenario(
        "S01",
        "429-first-2",
        "answered; second attempt after at least 1.8 s, at most two in 1.5 s",
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
    Scenario("S03", "500-once", "answered after a second attempt", (complete, attempts(2, 6)), most=20),
    Scenario("S04", "503-for-ever", "answered after at most 6 attempts", (complete, attempts(1, 6)), most=40),
    Scenario("S05", "reset-once", "answered", (complete,), most=20),
    Scenario(
        "S06",
        "silent-then-closes",
        "answered within 100 s, one attempt on the silent route",
        (complete, attempts(1, 1), within(100)),
        most=130,
    ),
    Scenario("S07", "first-token-slow", "answered within 15 s", (complete, within(15)), most=60),
    Scenario("S08", "cut-after-text", "the whole answer", (complete,), most=40),
    Scenario(
        "S09",
        "stall-then-closes",
        "the whole answer within 45 s, and healthy afterwards",
        (complete, within(45), alive),
        most=70,
    ),
    Scenario("S10", "malformed-event", "answered, and healthy afterwards", (complete, alive), most=30),
    Scenario("S11", "no-done", "ended within 8 s, with usage", (complete, within(8), usage), most=30),
    Scenario(
        "S12",
        "context-too-long",
        "answered by the larger window, one attempt on the small one",
        (complete, attempts(1, 1)),
        most=20,
    ),
    Scenario(
        "S13",
        "content-filter",
        "the provider's reason, one attempt, no fallback",
        (clean_error, attempts(1, 1)),
        most=20,
    ),
    Scenario(
        "S14",
        "cut-after-text",
        "the whole answer, although the fallback takes no prefill",
        (complete,),
        most=40,
        fallback=NO_PREFILL,
    ),
    Scenario(
        "S15",
        "flapping",
        "every request answered; the primary answers again within 30 s of its recovery",
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


# Scenarios whose faults depend on the times of the profile.
TIMED = frozenset({"S06", "S07", "S09", "S15"})


async def mismatches(scenario: Scenario, times: Profile, *, stream: bool) -> list[str]:
    """The reasons why the scenario fails, or [] if it passes."""
    if scenario.fault == "flapping":
        return await _flapping(times, stream=stream)
    async with FaultyProvider(times=times) as faulty:
        return await _single(scenario, faulty, stream=stream)


async def _single(scenario: Scenario, faulty: FaultyProvider, *, stream: bool) -> list[str]:
    user = f"{scenario.id} {stream}"
    setup = Setup(with_rule=False, models_known=False, fallback=scenario.fallback)
    async with open_client(faulty, setup) as gateway:
        try:
            async with asyncio.timeout(scenario.most):
                observed = await gateway.ask(scenario.fault, stream=stream, user=user)
        except TimeoutError:
            return [f"no end within {scenario.most} s"]
        fallback = scenario.fallback.partition("/")[2]
        primary, spare = faulty.attempts(scenario.fault, user), faulty.attempts(fallback, user)
        after = await gateway.ask("spare", stream=stream, user=user)
        outcome = Outcome(observed, primary, spare, after.looks_complete)
    return [found for check in scenario.checks if (found := check(outcome)) is not None]


async def _flapping(times: Profile, *, stream: bool) -> list[str]:
    """S15: the primary is down, and requests follow one another."""
    observed: list[tuple[float, Observation]] = []
    async with (
        FaultyProvider(times=times) as faulty,
        open_client(faulty, Setup(with_rule=False, models_known=False)) as gateway,
    ):
        start = clock()
        for number in range(times.requests):
            await asyncio.sleep(start + number * times.interval - clock())
            observed.append((clock() - start, await gateway.ask("flapping", stream=stream)))
        return list(_flapped(observed, len(faulty.attempts("flapping")), times.outage))


def _flapped(observed: list[tuple[float, Observation]], attempts: int, outage: float) -> Iterator[str]:
    """`attempts`: on the primary."""
    for at, one in observed:
        if not (one.looks_complete and one.text == ANSWER):
            yield f"at {at:.0f} s: {summary(one)}"
    back = [at for at, one in observed if one.models == ["faulty/flapping"]]
    if not back or min(back) > outage + 30:
        yield f"the primary was used again at {back[:1]}, not within 30 s of its recovery"
    down = sum(at < outage for at, _ in observed)
    if attempts - len(back) > down:
        yield f"{attempts - len(back)} attempts on the primary for {down} requests during the outage"

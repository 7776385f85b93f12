"""The fault wall (contract, section 6): whatever a provider does, what its caller sees is right or says so.

Every fault is met streaming and not, alone and with a fallback, by the defaults and by a rule; then by fifty
requests at once; then come failoverbench's sixteen. What must be seen is in
tests/fault_injection/expectations.py.
"""

from __future__ import annotations

import asyncio
import gc
import os
import tracemalloc
from collections.abc import Iterator

import pytest

from tests.fault_injection import expectations as judge
from tests.fault_injection import scenarios
from tests.fault_injection.faults import FAULTS
from tests.fault_injection.gateway import CANARY, SPARE, Front, Seen, Setup, front, text
from tests.fault_injection.provider import Wall
from tests.fault_injection.replies import ANSWER, FAST, FULL, Profile
from tests.support.asgi import Response
from tests.support.gateways import MANAGE

HANGS = 700.0  # seconds: the default total and a little
CROWD = 50
MEGABYTE = 1_000_000

SETUPS = [
    pytest.param(Setup(ruled=False, fallback=None), id="by the defaults"),
    pytest.param(Setup(ruled=False), id="by the defaults, with a fallback"),
    pytest.param(Setup(ruled=True, fallback=None), id="by a rule that resumes"),
    pytest.param(Setup(ruled=True), id="by a rule that resumes, with a fallback"),
]


async def asked(gateway: Front, name: str, *, stream: bool, user: str = "one") -> Seen:
    async with asyncio.timeout(HANGS):
        return await gateway.ask(name, stream=stream, user=user)


def leaks(gateway: Front, *response: Response) -> Iterator[str]:
    """Where a credential shows."""
    for one in response:
        if CANARY in one.body.decode() + text(one.headers):
            yield one.body.decode()
    yield from (text(line) for line in gateway.running.lines if CANARY in text(line))


@pytest.mark.parametrize("stream", [pytest.param(False, id="whole"), pytest.param(True, id="streamed")])
@pytest.mark.parametrize("setup", SETUPS)
@pytest.mark.parametrize("name", FAULTS)
async def test_a_caller_gets_the_whole_answer_or_is_told(name: str, setup: Setup, stream: bool) -> None:
    async with Wall() as wall, front(wall, setup) as gateway:
        seen = await asked(gateway, name, stream=stream)
        assert judge.wrong(seen, name, setup, wall.seen(name)) == [], judge.shown(seen)
        assert list(leaks(gateway, seen.response)) == []
        await wall.until("busy", 0)


@pytest.mark.parametrize("name", FAULTS)
async def test_a_crowd_leaves_nothing_behind(name: str) -> None:
    """Fifty at once, half of them streaming: none hangs, none is cut short in silence, all is let go of."""
    before = descriptors()
    async with Wall() as wall:
        async with front(wall, Setup(ruled=True)) as gateway:
            await asked(gateway, "spare", stream=True)
            crowd = await asyncio.gather(
                *(asked(gateway, name, stream=bool(at % 2), user=str(at)) for at in range(CROWD))
            )
            after = await asked(gateway, "spare", stream=False, user="after")
            assert (after.looks_whole, after.text) == (True, ANSWER)
            await wall.until("busy", 0)
        for seen in crowd:
            assert seen.response.ended
            assert seen.error is not None or (seen.looks_whole and seen.text == ANSWER), judge.shown(seen)
        assert list(leaks(gateway, *(seen.response for seen in crowd))) == []
        await wall.until("open", 0)
    assert await comes_down(to=before), (asyncio.all_tasks(), descriptors())


async def comes_down(*, to: int) -> bool:
    """Whether no task and no descriptor is left."""
    for _ in range(10):
        if len(asyncio.all_tasks()) == 1 and descriptors() <= to:
            return True
        await asyncio.sleep(1)
    return False


def descriptors() -> int:
    """Open files and sockets of this process, those of the event loop included."""
    gc.collect()
    return len(os.listdir("/proc/self/fd"))


async def test_a_handshake_that_is_given_up_is_hung_up_on() -> None:
    hasty = Setup(ruled=True, fallback=None)
    async with Wall() as wall, front(wall, hasty) as gateway:
        gc.collect()
        gc.disable()  # it would close the connection, sooner or later
        try:
            seen = await asked(gateway, "handshake-silent", stream=True)
            assert seen.response.status == 504
            await wall.until("muted", 0)
        finally:
            gc.enable()


async def test_memory_returns_after_large_answers() -> None:
    async with Wall() as wall, front(wall, Setup(ruled=True)) as gateway:
        await asked(gateway, "10mb-event", stream=True)
        tracemalloc.start()
        try:
            await asyncio.gather(
                *(asked(gateway, "10mb-event", stream=True, user=str(at)) for at in range(5))
            )
            await wall.until("busy", 0)
            gc.collect()
            assert tracemalloc.get_traced_memory()[0] < 5 * MEGABYTE
        finally:
            tracemalloc.stop()


async def test_neither_health_nor_explain_knows_a_credential() -> None:
    async with Wall() as wall, front(wall, Setup(ruled=True)) as gateway:
        for name in ("401", "bad-request", "tls-failure", "cut-after-text"):
            await asked(gateway, name, stream=True)
        body = {"model": "wall/401", "messages": [{"role": "user", "content": "hi"}]}
        explained = await gateway.running.post("/v1/explain", body, key=MANAGE)
        health = await gateway.running.get("/v1/health", key=MANAGE)
        assert (explained.status, health.status) == (200, 200)
        assert list(leaks(gateway, explained, health)) == []
        sent = {request.header("authorization") for request in wall.requests}
        assert f"Bearer {CANARY}-wall" in sent, "the wall was given one"


SIXTEEN = [
    pytest.param(one, times, id=f"{one.id} {times.name}: {one.passing}")
    for one in scenarios.SCENARIOS
    for times in (FULL, FAST)
    if times is FULL or one.id in scenarios.TIMED
]


@pytest.mark.parametrize("stream", [pytest.param(True, id="streamed"), pytest.param(False, id="whole")])
@pytest.mark.parametrize(("scenario", "times"), SIXTEEN)
async def test_failoverbench_passes_with_nothing_but_a_fallback(
    scenario: scenarios.Scenario, times: Profile, stream: bool
) -> None:
    assert await scenarios.wrong(scenario, times, stream=stream) == []


BROKEN = [name for name, fault in FAULTS.items() if fault.stream.committed and name != "endless-stream"]


@pytest.mark.parametrize("name", BROKEN)
async def test_what_is_held_back_may_still_fail_over(name: str) -> None:
    async with Wall() as wall, front(wall, Setup(ruled=True, recovery="buffer")) as gateway:
        seen = await asked(gateway, name, stream=True)
        assert (seen.looks_whole, seen.text, seen.models) == (True, ANSWER, [SPARE]), judge.shown(seen)


LYING = "spare/spare-lies"  # the catalogue says that it takes a prefill, and it refuses one


@pytest.mark.parametrize("fallback", [LYING, scenarios.NO_PREFILL])
async def test_a_refused_prefill_is_never_what_the_caller_is_told(fallback: str) -> None:
    async with Wall() as wall, front(wall, Setup(ruled=True, fallback=fallback)) as gateway:
        seen = await asked(gateway, "cut-after-text", stream=True)
        assert "assistant message" not in text(seen.error)
        assert not seen.looks_whole or seen.text == ANSWER

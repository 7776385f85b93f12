"""Whatever a provider does, its caller receives a complete answer or an error that says what happened.

Every fault runs streamed and whole, alone and with a fallback, with the defaults and with a rule; then with
fifty requests at once. The sixteen of failoverbench follow. tests/fault_injection/expectations.py has what a
caller must see.
"""

from __future__ import annotations

import asyncio
import gc
import os
import tracemalloc
from collections.abc import Iterator

import pytest

from tests.fault_injection import expectations, scenarios
from tests.fault_injection.faults import FAULTS
from tests.fault_injection.gateway import CANARY, SPARE, GatewayClient, Observation, Setup, open_client, text
from tests.fault_injection.provider import FaultyProvider
from tests.fault_injection.replies import ANSWER, FAST, FULL, Profile
from tests.support.asgi import Response
from tests.support.gateways import MANAGE

HANGS = 700.0  # seconds; more than the default total
CROWD = 50
MEGABYTE = 1_000_000

SETUPS = [
    pytest.param(Setup(with_rule=False, fallback=None), id="by the defaults"),
    pytest.param(Setup(with_rule=False), id="by the defaults, with a fallback"),
    pytest.param(Setup(with_rule=True, fallback=None), id="by a rule that resumes"),
    pytest.param(Setup(with_rule=True), id="by a rule that resumes, with a fallback"),
]


# A provider of another wire format fails in the same ways: alone, and with a fallback that speaks chat.
OTHER = [
    pytest.param(Setup(with_rule=False, fallback=None, dialect="responses"), False, id="whole, alone"),
    pytest.param(Setup(with_rule=False, fallback=None, dialect="responses"), True, id="streamed, alone"),
    pytest.param(Setup(with_rule=True, dialect="responses"), True, id="streamed, with a fallback"),
]


# The dialect of the provider in the fast tests: that of Responses gets a client's own body.
DIALECTS = {"messages": "openai", "gemini": "openai", "converse": "openai", "responses": "responses"}


async def ask(gateway: GatewayClient, name: str, *, stream: bool, user: str = "one") -> Observation:
    async with asyncio.timeout(HANGS):
        return await gateway.ask(name, stream=stream, user=user)


def leaks(gateway: GatewayClient, *response: Response) -> Iterator[str]:
    """The responses and log lines that contain a credential."""
    for one in response:
        body = one.body.decode(errors="replace")  # Converse's streams are binary
        if CANARY in body + text(one.headers):
            yield body
    yield from (text(line) for line in gateway.running.lines if CANARY in text(line))


@pytest.mark.parametrize("stream", [pytest.param(False, id="whole"), pytest.param(True, id="streamed")])
@pytest.mark.parametrize("setup", SETUPS)
@pytest.mark.parametrize("name", FAULTS)
async def test_a_caller_gets_the_whole_answer_or_an_error(name: str, setup: Setup, stream: bool) -> None:
    async with FaultyProvider() as faulty, open_client(faulty, setup) as gateway:
        observed = await ask(gateway, name, stream=stream)
        assert expectations.mismatches(observed, name, setup, faulty.attempts(name)) == [], (
            expectations.summary(observed)
        )
        assert list(leaks(gateway, observed.response)) == []
        await faulty.until("busy", 0)


@pytest.mark.parametrize(("setup", "stream"), OTHER)
@pytest.mark.parametrize("name", FAULTS)
async def test_it_is_the_same_for_a_provider_of_responses(name: str, setup: Setup, stream: bool) -> None:
    await test_a_caller_gets_the_whole_answer_or_an_error(name, setup, stream)


# Clients of other formats: a fault of each class. `make faults` plays all of them.
FEW = (
    *(
        "ok",
        "429-for-ever",
        "503-for-ever",
        "reset-for-ever",
        "never-answers",
        "cut-after-text",
        "401",
        "404",
    ),
    *("cut-in-tool-call", "cut-in-character", "stall-mid-answer", "malformed-event", "malformed-events"),
    *("error-before-content", "error-after-content", "html-page", "truncated-json", "first-token-slow"),
    *("usage-after-done", "context-too-long", "content-filter", "bad-request"),
)
CLIENTS = [
    pytest.param(
        name,
        Setup(with_rule=False, fallback=fallback, dialect=dialect, client=client),
        stream,
        id=f"{name}: {client} from {dialect}, {'streamed' if stream else 'whole'}"
        + (", with a fallback" if fallback else ""),
        marks=() if dialect == DIALECTS[client] else pytest.mark.slow,
    )
    for name in FEW
    for client in DIALECTS
    for dialect in ("openai", "responses")
    for fallback in (None, SPARE)
    for stream in (False, True)
    if fallback is None or dialect == DIALECTS[client]
]


@pytest.mark.parametrize(("name", "setup", "stream"), CLIENTS)
async def test_it_is_the_same_for_clients_of_other_formats(name: str, setup: Setup, stream: bool) -> None:
    await test_a_caller_gets_the_whole_answer_or_an_error(name, setup, stream)


@pytest.mark.parametrize("name", FAULTS)
async def test_fifty_requests_release_every_resource(name: str) -> None:
    """Of fifty requests at once none hangs, none is truncated silently, and every resource is released."""
    before = descriptors()
    async with FaultyProvider() as faulty:
        async with open_client(faulty, Setup(with_rule=True)) as gateway:
            await ask(gateway, "spare", stream=True)
            crowd = await asyncio.gather(
                *(ask(gateway, name, stream=bool(at % 2), user=str(at)) for at in range(CROWD))
            )
            after = await ask(gateway, "spare", stream=False, user="after")
            assert (after.looks_complete, after.text) == (True, ANSWER)
            await faulty.until("busy", 0)
        for observed in crowd:
            assert observed.response.ended
            assert observed.error is not None or (observed.looks_complete and observed.text == ANSWER), (
                expectations.summary(observed)
            )
        assert list(leaks(gateway, *(observed.response for observed in crowd))) == []
        await faulty.until("open", 0)
    assert await is_released(before), (asyncio.all_tasks(), descriptors())


async def is_released(before: int) -> bool:
    """True once no other task and no more than `before` descriptors are left."""
    for _ in range(10):
        if len(asyncio.all_tasks()) == 1 and descriptors() <= before:
            return True
        await asyncio.sleep(1)
    return False


def descriptors() -> int:
    """The number of open files and sockets of this process, with those of the event loop."""
    gc.collect()
    return len(os.listdir("/proc/self/fd"))


async def test_an_abandoned_handshake_is_closed() -> None:
    hasty = Setup(with_rule=True, fallback=None)
    async with FaultyProvider() as faulty, open_client(faulty, hasty) as gateway:
        gc.collect()
        gc.disable()  # it would close the connection
        try:
            observed = await ask(gateway, "handshake-silent", stream=True)
            assert observed.response.status == 504
            await faulty.until("pending_handshakes", 0)
        finally:
            gc.enable()


async def test_memory_returns_after_large_answers() -> None:
    async with FaultyProvider() as faulty, open_client(faulty, Setup(with_rule=True)) as gateway:
        await ask(gateway, "10mb-event", stream=True)
        tracemalloc.start()
        try:
            await asyncio.gather(*(ask(gateway, "10mb-event", stream=True, user=str(at)) for at in range(5)))
            await faulty.until("busy", 0)
            gc.collect()
            assert tracemalloc.get_traced_memory()[0] < 5 * MEGABYTE
        finally:
            tracemalloc.stop()


async def test_health_and_explain_contain_no_credential() -> None:
    async with FaultyProvider() as faulty, open_client(faulty, Setup(with_rule=True)) as gateway:
        for name in ("401", "bad-request", "tls-failure", "cut-after-text"):
            await ask(gateway, name, stream=True)
        body = {"model": "faulty/401", "messages": [{"role": "user", "content": "hi"}]}
        explained = await gateway.running.post("/v1/explain", body, key=MANAGE)
        health = await gateway.running.get("/v1/health", key=MANAGE)
        assert (explained.status, health.status) == (200, 200)
        assert list(leaks(gateway, explained, health)) == []
        sent = {request.header("authorization") for request in faulty.requests}
        assert f"Bearer {CANARY}-faulty" in sent, "the provider received one"


SIXTEEN = [
    pytest.param(one, times, id=f"{one.id} {times.name}: {one.passing}")
    for one in scenarios.SCENARIOS
    for times in (FULL, FAST)
    if times is FULL or one.id in scenarios.TIMED
]


@pytest.mark.parametrize("stream", [pytest.param(True, id="streamed"), pytest.param(False, id="whole")])
@pytest.mark.parametrize(("scenario", "times"), SIXTEEN)
async def test_failoverbench_passes_with_the_defaults_and_a_fallback(
    scenario: scenarios.Scenario, times: Profile, stream: bool
) -> None:
    assert await scenarios.mismatches(scenario, times, stream=stream) == []


COMMITTED = [name for name, fault in FAULTS.items() if fault.stream.committed and name != "endless-stream"]


@pytest.mark.parametrize("name", COMMITTED)
async def test_a_buffered_stream_may_still_fail_over(name: str) -> None:
    async with (
        FaultyProvider() as faulty,
        open_client(faulty, Setup(with_rule=True, recovery="buffer")) as gateway,
    ):
        observed = await ask(gateway, name, stream=True)
        assert (observed.looks_complete, observed.text, observed.models) == (True, ANSWER, [SPARE]), (
            expectations.summary(observed)
        )


LYING = "spare/spare-lies"  # it refuses a prefill although its record allows one


@pytest.mark.parametrize("fallback", [LYING, scenarios.NO_PREFILL])
async def test_a_caller_never_sees_the_refusal_of_a_prefill(fallback: str) -> None:
    async with (
        FaultyProvider() as faulty,
        open_client(faulty, Setup(with_rule=True, fallback=fallback)) as gateway,
    ):
        observed = await ask(gateway, "cut-after-text", stream=True)
        assert "assistant message" not in text(observed.error)
        assert not observed.looks_complete or observed.text == ANSWER

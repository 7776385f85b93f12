"""No caller gets another caller's answer, however wrongly a provider frames its answers."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from handler.settings import Settings
from handler.upstream.pool import create_pool
from tests.fault_injection.provider import self_signed
from tests.support.asgi import Response
from tests.support.gateways import KEY, MANAGE, RunningGateway, provider, start_gateway
from tests.support.misframing import CORRECT, FAULTS, MisframingProvider
from tests.support.plain_request import plain_request

CALLERS = {"alice": KEY, "bob": MANAGE}
QUICK = {"kind": "route", "id": "quick", "timeouts": {"total": 3, "first_token": 3, "idle": 3}, "retries": 0}
LATER = "it answers a second time a little later"
SETTLED = 0.3  # seconds, in which everything that a provider sends arrives

TLS = pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tls") / "provider.pem"


@asynccontextmanager
async def start(pem: Path, *, tls: bool) -> AsyncIterator[tuple[MisframingProvider, RunningGateway]]:
    context = self_signed(pem) if tls else None
    async with MisframingProvider(context) as server:
        gateway = start_gateway([provider(server.url), QUICK], SSL_CERT_FILE=str(pem) if tls else "")
        yield server, gateway
        await gateway.gateway.aclose()


async def ask(gateway: RunningGateway, who: str, text: str, *, stream: bool) -> Response:
    messages = [{"role": "user", "content": f"{who}'s {text}"}]
    return await gateway.chat(key=CALLERS[who], model="up/m", messages=messages, stream=stream)


def is_foreign(response: Response, who: str, text: str) -> bool:
    """True if the response contains an answer to another question."""
    return b"answer to" in response.body.replace(f"an answer to {who}'s {text}".encode(), b"")


def is_answered(response: Response) -> bool:
    return response.status == 200 and b"an answer to" in response.body and b'"error"' not in response.body


@TLS
@pytest.mark.parametrize("fault", FAULTS)
async def test_after_a_wrong_answer_the_next_caller_gets_their_own(fault: str, tls: bool, pem: Path) -> None:
    async with start(pem, tls=tls) as (server, gateway):
        for stream in (False, True):
            server.fault = FAULTS[fault]
            assert not is_foreign(await ask(gateway, "alice", "first", stream=stream), "alice", "first")
            server.fault = CORRECT["a length"]
            await asyncio.sleep(SETTLED)
            response = await ask(gateway, "bob", "second", stream=stream)
            assert is_answered(response), response.body
            assert not is_foreign(response, "bob", "second")
            await asyncio.sleep(SETTLED)
        assert server.connections == 3, "each wrong answer closes its connection"


@TLS
@pytest.mark.parametrize("framing", CORRECT)
async def test_after_a_correct_answer_the_connection_is_reused(framing: str, tls: bool, pem: Path) -> None:
    async with start(pem, tls=tls) as (server, gateway):
        server.fault = CORRECT[framing]
        for who, stream in (("alice", False), ("bob", True), ("alice", False)):
            assert is_answered(await ask(gateway, who, "question", stream=stream))
            await asyncio.sleep(SETTLED)
        assert server.connections == 1


@pytest.mark.parametrize("who", CALLERS)
async def test_a_connection_is_reused_only_after_a_silence(who: str, pem: Path) -> None:
    """For the same caller, too: several people may share a key."""
    async with start(pem, tls=False) as (server, gateway):
        server.fault = FAULTS[LATER]
        await ask(gateway, "alice", "question", stream=False)
        server.fault = CORRECT["a length"]
        assert not is_foreign(await ask(gateway, who, "second", stream=False), who, "second")
        assert server.connections == 2


async def test_bytes_after_an_answer_that_is_still_read_close_the_connection(pem: Path) -> None:
    """TLS holds them back from a slow reader until the answer has ended."""
    errors: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, error: errors.append(error))
    context, body = self_signed(pem), b'{"messages":[{"content":"question"}]}'
    async with (
        MisframingProvider(context) as server,
        aclosing(create_pool(Settings(environment={"SSL_CERT_FILE": str(pem)}))) as http,
    ):
        server.fault = lambda reply: [reply.http[:99], 0.01, reply.http[99:], 0.01, b"x"]
        for _ in range(2):
            received = await http.send(plain_request(server.url, body))
            async for _ in received.body:
                await asyncio.sleep(0.1)
            await received.body.aclose()
            await asyncio.sleep(SETTLED)
        assert server.connections == 2
    assert not errors


@pytest.mark.parametrize(
    ("requests", "tls"),
    [
        pytest.param(100, False, id="100 requests"),
        pytest.param(10_000, False, id="10,000 requests", marks=pytest.mark.slow),
        pytest.param(2_000, True, id="2,000 requests over TLS", marks=pytest.mark.slow),
    ],
)
async def test_many_requests_of_two_callers_at_once_never_mix(requests: int, tls: bool, pem: Path) -> None:
    dice = random.Random(requests)
    faults = [
        *FAULTS.values(),
        *[CORRECT["a length"], CORRECT["chunks"], CORRECT["chunks and trailers"]] * 20,
    ]
    found: Counter[str] = Counter()

    async def caller(who: str, gateway: RunningGateway, questions: range) -> None:
        for number in questions:
            response = await ask(gateway, who, f"question {number}.", stream=bool(number % 3))
            found["foreign"] += is_foreign(response, who, f"question {number}.")
            found["answered"] += is_answered(response)

    async with start(pem, tls=tls) as (server, gateway):
        server.choose = lambda: dice.choice(faults)
        shares = [range(first, requests, 8) for first in range(8)]
        await asyncio.gather(
            *(caller(("alice", "bob")[at % 2], gateway, share) for at, share in enumerate(shares))
        )
    assert found["foreign"] == 0
    assert found["answered"] > requests / 2

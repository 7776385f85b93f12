"""Tests of handler/upstream/dialing.py: names with several addresses; nothing stays open after a failure."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from handler.errors import UpstreamError
from handler.upstream.connection import Connection, Origin
from handler.upstream.dialing import ATTEMPT_DELAY, MAX_ADDRESSES, connect
from tests.support.upstream import Upstream

TLS = ssl.create_default_context()
HOST = "many.test"


@pytest.fixture
def silent() -> Iterator[int]:
    """The port of a listener that accepts nothing, because its queue is full."""
    with socket.socket() as listener, socket.socket() as queued:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        queued.connect(listener.getsockname())
        yield listener.getsockname()[1]


@pytest.fixture
def closed() -> Iterator[int]:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # but not listening
        yield bound.getsockname()[1]


def resolve(monkeypatch: pytest.MonkeyPatch, ports: Sequence[int]) -> None:
    """Gives every name an address for each of these ports."""

    async def getaddrinfo(*_: Any, **__: Any) -> Any:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)) for port in ports]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)


async def connect_to(host: str = HOST) -> Connection:
    return await connect(Origin(False, host, 80), proxy=None, tls=TLS, public_only=False, seconds=5)


@pytest.mark.parametrize(
    "before",
    [
        pytest.param([], id="it is the only one"),
        pytest.param(["closed"], id="one refuses"),
        pytest.param(["silent"], id="one is silent"),
        pytest.param(["silent", "closed", "silent"], id="several are silent or refuse"),
    ],
)
async def test_the_first_address_that_accepts_is_used(
    before: Sequence[str], monkeypatch: pytest.MonkeyPatch, silent: int, closed: int
) -> None:
    tasks = len(asyncio.all_tasks())
    async with Upstream() as upstream:
        resolve(monkeypatch, [*({"silent": silent, "closed": closed}[one] for one in before), upstream.port])
        connection = await connect_to()
        await upstream.until("open", 1)
        connection.abort()
        await upstream.until("open", 0)
    assert len(asyncio.all_tasks()) == tasks


@pytest.mark.parametrize(
    ("ports", "failure"),
    [
        pytest.param(["closed"] * MAX_ADDRESSES, ("network", "refused"), id="all refuse"),
        pytest.param(["silent", "closed"], ("timeout_connect", None), id="one may still accept"),
    ],
)
async def test_no_address_accepts(
    ports: Sequence[str],
    failure: tuple[str, str | None],
    monkeypatch: pytest.MonkeyPatch,
    silent: int,
    closed: int,
) -> None:
    resolve(monkeypatch, [{"silent": silent, "closed": closed}[one] for one in ports])
    with pytest.raises(UpstreamError) as caught:
        await connect_to()
    assert (caught.value.failure_class, caught.value.cause) == failure


@pytest.mark.parametrize("host", ["a..test", f"{'a' * 64}.test"], ids=["an empty label", "a long label"])
async def test_a_name_that_cannot_exist_is_not_resolved(host: str) -> None:
    with pytest.raises(UpstreamError) as caught:
        await connect_to(host)
    assert (caught.value.failure_class, caught.value.cause) == ("network", "dns")


@pytest.mark.parametrize("cancellations", [1, 2])
async def test_a_cancellation_leaves_nothing_open(
    cancellations: int, monkeypatch: pytest.MonkeyPatch, silent: int
) -> None:
    connected = 0
    async with Upstream() as upstream:
        for rounds in range(25):
            resolve(monkeypatch, [silent, upstream.port, upstream.port])
            task = asyncio.ensure_future(connect_to())
            await asyncio.sleep(ATTEMPT_DELAY)
            for _ in range(rounds):
                await asyncio.sleep(0)
            for _ in range(cancellations):
                task.cancel()
                await asyncio.sleep(0)
            (result,) = await asyncio.gather(task, return_exceptions=True)
            if isinstance(result, Connection):
                result.abort()
                connected += 1
            await asyncio.sleep(0.1)
            assert upstream.open == 0, f"after {rounds} rounds"
    assert 0 < connected < 25

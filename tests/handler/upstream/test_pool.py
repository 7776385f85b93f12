"""Tests of handler/upstream/pool.py: which connection a request gets, and which ones are kept."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable
from contextlib import aclosing

import pytest

from handler.settings import Settings
from handler.upstream.connection import Connection, Origin
from handler.upstream.pool import MAX_CONNECTIONS, MAX_IDLE, MIN_IDLE, Pool, create_pool
from tests.support.canned_answers import whole
from tests.support.plain_request import ask
from tests.support.upstream import Upstream

BODY = b'{"model": "m"}'
A_MOMENT = 2 * MIN_IDLE
ANSWER = whole({"ok": True})


async def ask_at_once(pool: Pool, upstreams: Iterable[Upstream]) -> None:
    await asyncio.gather(*(ask(pool, one.url, BODY) for one in upstreams))


@pytest.mark.parametrize(
    ("pauses", "connections"),
    [
        pytest.param([0.0], 2, id="at once: a surplus may still come"),
        pytest.param([A_MOMENT], 1, id="after a moment"),
        pytest.param([MAX_IDLE - 1, MAX_IDLE - 1], 1, id="again and again"),
        pytest.param([MAX_IDLE + 1], 2, id="after a long time"),
    ],
)
async def test_a_connection_is_used_again(pauses: list[float], connections: int) -> None:
    async with aclosing(create_pool(Settings())) as pool, Upstream() as upstream:
        upstream.script("m", ANSWER)
        await ask(pool, upstream.url, BODY)
        for pause in pauses:
            await asyncio.sleep(pause)
            await ask(pool, upstream.url, BODY)
        assert upstream.connections == connections


async def test_the_connections_of_an_origin_serve_that_origin_only() -> None:
    async with aclosing(create_pool(Settings())) as pool, Upstream() as one, Upstream() as other:
        for upstream in (one, other):
            upstream.script("m", ANSWER)
        for _ in range(3):
            await ask_at_once(pool, [one, other, one])
            await asyncio.sleep(A_MOMENT)
        assert (one.connections, other.connections) == (2, 1)
        assert (len(one.requests), len(other.requests)) == (6, 3)


async def test_the_connection_that_was_used_last_is_used_first() -> None:
    async with aclosing(create_pool(Settings())) as pool, Upstream() as upstream:
        upstream.script("m", ANSWER)
        await ask_at_once(pool, [upstream] * 3)
        for _ in range(3):  # the other two become too old meanwhile
            await asyncio.sleep(MAX_IDLE / 2)
            await ask(pool, upstream.url, BODY)
        await upstream.until("open", 1)
        assert upstream.connections == 3


async def test_the_longest_idle_connections_are_closed_when_there_are_too_many() -> None:
    async with aclosing(create_pool(Settings())) as pool, Upstream() as old, Upstream() as new:
        for upstream in (old, new):
            upstream.script("m", ANSWER)
        await ask_at_once(pool, [old] * 10)
        await asyncio.sleep(A_MOMENT)
        await ask_at_once(pool, [new] * (MAX_CONNECTIONS - 4))
        await old.until("open", 4)
        await new.until("open", MAX_CONNECTIONS - 4)
        await asyncio.sleep(A_MOMENT)
        await ask_at_once(pool, [old] * 5)
        assert old.connections == 10 + 1
    assert (old.open, new.open) == (0, 0)


async def test_a_request_waits_for_no_acknowledgement() -> None:
    async with aclosing(create_pool(Settings())) as pool, Upstream() as upstream:
        upstream.script("m", ANSWER)
        await ask(pool, upstream.url, BODY)
        (connection,) = pool._idle
        used = connection.transport.get_extra_info("socket")
        assert used.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


class Writes:
    """The transport of a connection, which keeps what is written."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    def writelines(self, pieces: Iterable[bytes]) -> None:
        self.pieces += pieces


async def test_a_request_without_a_body_writes_no_empty_piece() -> None:
    """The loop would be busy with it until the connection ends, on Python 3.12 and 3.13."""
    connection, writes = Connection(Origin(True, "provider", 443)), Writes()
    connection.connection_made(writes)
    request = asyncio.ensure_future(connection.request("GET", b"/", [(b"host", b"provider")], b""))
    await asyncio.sleep(0)
    assert [piece[:3] for piece in writes.pieces] == [b"GET"]
    request.cancel()

"""Tests of handler/runtime/runtime_api.py: each poll gets the event of its own response."""

from __future__ import annotations

import asyncio

import pytest

from handler.runtime.runtime_api import RuntimeApi
from tests.support.runtime_api import listening


def event(number: int) -> bytes:
    id = b"lambda-runtime-aws-request-id: %d\r\n" % number
    return b"HTTP/1.1 200 OK\r\n" + id + b"lambda-runtime-deadline-ms: 1\r\ncontent-length: 2\r\n\r\n{}"


@pytest.mark.parametrize(
    "surplus",
    [
        pytest.param(event(-1), id="another event"),
        pytest.param(event(-1)[:30], id="the beginning of another"),
        pytest.param(b"\n", id="one byte"),
        pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n", id="an interim response"),
    ],
)
@pytest.mark.parametrize("later", [False, True], ids=["at once", "a little later"])
async def test_surplus_bytes_after_an_event_are_not_the_next_one(surplus: bytes, later: bool) -> None:
    polls = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal polls
        while await reader.readuntil(b"\r\n\r\n"):
            polls += 1
            writer.write(event(polls))
            await asyncio.sleep(0.01 if later else 0)
            writer.write(surplus)

    async with listening(serve) as address:
        api = RuntimeApi(address)
        for number in (1, 2, 3):
            assert (await api.next()).aws_request_id == str(number)
            await asyncio.sleep(0.05)
        api.close()

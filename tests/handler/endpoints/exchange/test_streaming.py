"""Tests of exchange/streaming.py: the head and the keep-alives of a stream whose content is late."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from handler.endpoints.exchange.http import ClientDisconnected
from handler.endpoints.exchange.streaming import StreamingAnswer
from handler.errors import GatewayError, InternalError, InvalidRequest
from handler.wire.sse import KEEP_ALIVE
from tests.support.asgi import Json
from tests.support.virtual_clock import clock

WAIT = 10.0  # seconds until the head is sent, and between keep-alives


class Answer:
    """An answer of one frame. `breaks`: raised behind it."""

    closed = False
    breaks: Exception | None = None

    async def frames(self) -> AsyncIterator[bytes]:
        yield b"content"
        if self.breaks is not None:
            raise self.breaks

    async def aclose(self) -> None:
        self.closed = True


class Client:
    """Takes `slow` seconds to receive a message, and records the messages with their times."""

    def __init__(self, slow: float = 0.0) -> None:
        self.slow = slow
        self.messages: list[tuple[float, float, Any]] = []  # each with its start and its end
        self.failures: list[Exception] = []
        self.disconnected = asyncio.Event()
        self.closed_at = float("inf")  # seconds after which every send fails
        self.answer = Answer()

    async def send(self, message: Any) -> None:
        start = clock()
        await asyncio.sleep(self.slow)
        if clock() >= self.closed_at:
            raise OSError("closed")
        self.messages.append((start, clock(), message.get("body", message["type"])))

    async def receive(self) -> Json:
        await self.disconnected.wait()
        return {"type": "http.disconnect"}

    def failed(self, error: Exception) -> GatewayError:
        self.failures.append(error)
        return error if isinstance(error, GatewayError) else InternalError("Internal.")

    async def request(self, after: float, error: Exception | None = None) -> None:
        async def complete() -> Any:
            await asyncio.sleep(after)
            if error is not None:
                raise error
            return self.answer

        response = StreamingAnswer(complete(), lambda answer: {}, self.failed, head_after=WAIT)
        await response({}, self.receive, self.send)

    @property
    def received(self) -> list[Any]:
        return [message for _, _, message in self.messages]


HEAD = "http.response.start"


@pytest.mark.parametrize(
    ("after", "received"),
    [
        pytest.param(9, [HEAD, b"content", b""], id="content in time: the head is sent with it"),
        pytest.param(
            19,
            [HEAD, KEEP_ALIVE, b"content", b""],
            id="late content: the head and a keep-alive are sent first",
        ),
        pytest.param(
            31,
            [HEAD, *[KEEP_ALIVE] * 3, b"content", b""],
            id="later content: a keep-alive is sent every ten seconds",
        ),
    ],
)
async def test_the_head_and_keep_alives_are_sent_while_content_is_late(
    after: float, received: list[Any]
) -> None:
    client = Client()
    await client.request(after)
    assert client.received == received
    assert client.answer.closed
    assert len(asyncio.all_tasks()) == 1


@pytest.mark.parametrize("after", [10.0, 10.5, 11.5, 12.5], ids=lambda after: f"content after {after} s")
async def test_only_one_message_is_sent_at_a_time(after: float) -> None:
    client = Client(slow=1.0)
    await client.request(after)
    assert client.received in ([HEAD, b"content", b""], [HEAD, KEEP_ALIVE, b"content", b""])
    ends = [end for _, end, _ in client.messages]
    assert all(start >= end for (start, _, _), end in zip(client.messages[1:], ends, strict=False))


ERRORS = [
    pytest.param(InvalidRequest("No."), b'"message":"No."', id="a failure"),
    pytest.param(KeyError("x"), b'"message":"Internal."', id="an unexpected exception"),
]


@pytest.mark.parametrize(("error", "message"), ERRORS)
async def test_an_error_before_the_head_is_raised(error: Exception, message: bytes) -> None:
    client = Client()
    with pytest.raises(type(error)):
        await client.request(9, error)
    assert client.received == []


@pytest.mark.parametrize(("error", "message"), ERRORS)
async def test_an_error_after_the_head_is_an_event_of_the_stream(error: Exception, message: bytes) -> None:
    client = Client()
    await client.request(11, error)
    assert client.received[:2] == [HEAD, KEEP_ALIVE]
    assert message in client.received[2]
    assert client.received[3:] == [b""]
    assert client.failures == [error]


@pytest.mark.parametrize("after", [1, 11], ids=["the head came with the content", "the head came before"])
@pytest.mark.parametrize(("error", "message"), ERRORS)
async def test_an_error_behind_content_is_the_last_event_of_the_stream(
    error: Exception, message: bytes, after: float
) -> None:
    client = Client()
    client.answer.breaks = error
    await client.request(after, None)
    *_, content, event, end = client.received
    assert (content, end) == (b"content", b"")
    assert message in event
    assert client.failures == [error]
    assert client.answer.closed


@pytest.mark.parametrize("at", [5.0, 10.5, 15.0], ids=lambda at: f"the client disconnects after {at} s")
async def test_no_task_is_left_when_the_client_disconnects(at: float) -> None:
    client = Client(slow=1.0)
    asyncio.get_running_loop().call_later(at, client.disconnected.set)
    with pytest.raises(ClientDisconnected):
        await client.request(60)
    assert clock() == at
    assert len(asyncio.all_tasks()) == 1


@pytest.mark.parametrize("slow", [0.0, 1.0], ids=["before content", "while content is sent"])
@pytest.mark.parametrize(
    ("closed_at", "ends"),
    [
        pytest.param(9, 10, id="the head cannot be sent"),
        pytest.param(25, 30, id="a later keep-alive cannot be sent"),
    ],
)
@pytest.mark.parametrize("error", [None, InvalidRequest("No.")], ids=["an answer", "a failure"])
async def test_a_send_that_fails_ends_the_work(
    closed_at: float, ends: float, slow: float, error: Exception | None
) -> None:
    client = Client(slow)
    client.closed_at = closed_at
    with pytest.raises(OSError, match="closed"):
        await client.request(ends + slow / 2 if slow else 600, error)
    assert ends <= clock() <= ends + 2 * slow
    assert client.answer.closed or error is not None or not slow
    await asyncio.sleep(0)  # the task that waits for a disconnect is cancelled, and ends
    assert len(asyncio.all_tasks()) == 1

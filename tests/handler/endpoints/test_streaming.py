"""A stream whose content is long in coming: its head, its keep-alives, and who sends at which time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from handler.endpoints.http import ClientDisconnected
from handler.endpoints.streaming import StreamingAnswer
from handler.errors import GatewayError, InvalidRequest
from handler.wire.sse import KEEP_ALIVE
from tests.support.asgi import Json
from tests.support.virtual_clock import clock

WAIT = 10.0  # seconds until the head leaves, and between keep-alives


class Said:
    """An answer that says one thing."""

    closed = False

    async def frames(self) -> AsyncIterator[bytes]:
        yield b"content"

    async def aclose(self) -> None:
        self.closed = True


class Client:
    """Takes `slow` seconds for each message, and notes when it began to take which, and when it had."""

    def __init__(self, slow: float = 0.0) -> None:
        self.slow = slow
        self.took: list[tuple[float, float, Any]] = []
        self.failures: list[GatewayError] = []
        self.left = asyncio.Event()
        self.gone_at = float("inf")  # seconds after which nothing can be sent
        self.answer = Said()

    async def send(self, message: Any) -> None:
        began = clock()
        await asyncio.sleep(self.slow)
        if clock() >= self.gone_at:
            raise OSError("gone")
        self.took.append((began, clock(), message.get("body", message["type"])))

    async def receive(self) -> Json:
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def given(self, after: float, error: GatewayError | None = None) -> None:
        async def relaying() -> Any:
            await asyncio.sleep(after)
            if error is not None:
                raise error
            return self.answer

        streamed = StreamingAnswer(relaying(), lambda answer: {}, self.failures.append, head_after=WAIT)
        await streamed({}, self.receive, self.send)

    @property
    def heard(self) -> list[Any]:
        return [what for _, _, what in self.took]


HEAD = "http.response.start"


@pytest.mark.parametrize(
    ("after", "heard"),
    [
        pytest.param(9, [HEAD, b"content", b""], id="content in time: the head comes with it"),
        pytest.param(19, [HEAD, KEEP_ALIVE, b"content", b""], id="late content: the head and a sign of life"),
        pytest.param(31, [HEAD, *[KEEP_ALIVE] * 3, b"content", b""], id="a sign of life every ten seconds"),
    ],
)
async def test_what_leaves_before_content(after: float, heard: list[Any]) -> None:
    client = Client()
    await client.given(after)
    assert client.heard == heard
    assert client.answer.closed
    assert len(asyncio.all_tasks()) == 1


@pytest.mark.parametrize("after", [10.0, 10.5, 11.5, 12.5], ids=lambda after: f"content after {after} s")
async def test_no_message_is_sent_while_another_is_under_way(after: float) -> None:
    client = Client(slow=1.0)
    await client.given(after)
    assert client.heard in ([HEAD, b"content", b""], [HEAD, KEEP_ALIVE, b"content", b""])
    ends = [end for _, end, _ in client.took]
    assert all(began >= end for (began, _, _), end in zip(client.took[1:], ends, strict=False))


async def test_a_failure_has_its_status_until_the_head_leaves() -> None:
    client = Client()
    with pytest.raises(InvalidRequest):
        await client.given(9, InvalidRequest("No."))
    assert client.heard == []


async def test_a_failure_behind_the_head_goes_in_band() -> None:
    client, error = Client(), InvalidRequest("No.")
    await client.given(11, error)
    assert client.heard[:2] == [HEAD, KEEP_ALIVE]
    assert b'"message":"No."' in client.heard[2]
    assert client.failures == [error]


@pytest.mark.parametrize("at", [5.0, 10.5, 15.0], ids=lambda at: f"the client leaves after {at} s")
async def test_nothing_is_left_of_a_client_that_leaves(at: float) -> None:
    client = Client(slow=1.0)
    asyncio.get_running_loop().call_later(at, client.left.set)
    with pytest.raises(ClientDisconnected):
        await client.given(60)
    assert clock() == at
    assert len(asyncio.all_tasks()) == 1


@pytest.mark.parametrize("slow", [0.0, 1.0], ids=["at once", "while content comes"])
@pytest.mark.parametrize(
    ("gone_at", "ends"),
    [
        pytest.param(9, 10, id="the head cannot be sent"),
        pytest.param(25, 30, id="a later keep-alive cannot be sent"),
    ],
)
@pytest.mark.parametrize("error", [None, InvalidRequest("No.")], ids=["an answer", "a failure"])
async def test_what_cannot_be_sent_ends_the_work(
    gone_at: float, ends: float, slow: float, error: GatewayError | None
) -> None:
    client = Client(slow)
    client.gone_at = gone_at
    with pytest.raises(OSError, match="gone"):
        await client.given(ends + slow / 2 if slow else 600, error)
    assert ends <= clock() <= ends + 2 * slow
    assert client.answer.closed or error is not None or not slow
    await asyncio.sleep(0)  # the watch for the client was cancelled, and ends
    assert len(asyncio.all_tasks()) == 1

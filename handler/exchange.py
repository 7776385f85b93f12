"""One request and its answer over ASGI: a bounded body, a well-timed head, a client that may leave.

A stream's head leaves with the first content or after HEAD_AFTER seconds, whichever is first: until then
a failure still has a true status. Pure ASGI, because that timing is ours to decide.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Mapping, MutableMapping
from contextlib import aclosing
from typing import Any, TypeVar

from handler.errors import GatewayError, TooLarge
from handler.relay import Answer
from handler.sse import KEEP_ALIVE, encode

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
T = TypeVar("T")

HEAD_AFTER = 15.0  # seconds without content after which the head leaves, and between keep-alives
DEADLINE_MARGIN = 1.0  # seconds kept back of what Lambda leaves us, to end the answer properly


class ClientLeft(Exception):
    """The client went away; nobody is there to be answered."""


async def read_body(receive: Receive, headers: Mapping[str, str], limit: int) -> bytes:
    """The whole body. Raises TooLarge by its declared length or while reading, ClientLeft."""
    declared = headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit:
        raise _too_large(limit)
    body, more = bytearray(), True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientLeft
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > limit:
            raise _too_large(limit)
    return bytes(body)


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"The request body is larger than {limit} bytes.")


def deadline_of(scope: Scope, now: float) -> float:
    """When the request must be answered, on the clock that says `now`; infinity outside Lambda."""
    context = scope.get("aws.context")
    if context is None:
        return float("inf")
    return now + float(context.get_remaining_time_in_millis()) / 1000 - DEADLINE_MARGIN


async def unless_left(work: Coroutine[Any, Any, T], receive: Receive) -> T:
    """What `work` gives; cancelled at once, with ClientLeft, when the client goes first."""
    working, left = asyncio.current_task(), False
    assert working is not None

    async def watch() -> None:
        nonlocal left
        while (await receive())["type"] != "http.disconnect":
            pass
        left = True
        working.cancel()

    watching = asyncio.create_task(watch())
    try:
        return await work
    except asyncio.CancelledError:
        if left and working.uncancel() == 0:
            raise ClientLeft from None
        raise
    finally:
        watching.cancel()


async def _cancelled(task: asyncio.Future[Any]) -> None:
    """Cancels it if it still runs and waits for its end; a failure on the way out has nobody to go to."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


class Streamed:
    """A streamed answer as an ASGI response.

    `relaying` gives the Answer at its first content; `headers` makes the head's of it (None: no content yet);
    `failed` is told of an error that had to go in band.
    """

    def __init__(
        self,
        relaying: Coroutine[Any, Any, Answer],
        headers: Callable[[Answer | None], Mapping[str, str]],
        failed: Callable[[GatewayError], None],
        *,
        head_after: float,
    ) -> None:
        self._relaying = relaying
        self._headers = headers
        self._failed = failed
        self._head_after = head_after

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await unless_left(self._run(send), receive)
        # Behind the watch: a server says "disconnect" as well once it has the last piece.
        await send(_body(b"", more=False))

    async def _run(self, send: Send) -> None:
        relaying = asyncio.ensure_future(self._relaying)
        try:
            await asyncio.wait({relaying}, timeout=self._head_after)
            if relaying.done():
                answer = relaying.result()  # before the head: its failure still has a status
                await self._head(send, answer)
                await _pump(answer.frames(), send)
            else:
                await self._head(send, None)
                await self._late(relaying, send)
        finally:
            await _cancelled(relaying)
            if not relaying.cancelled() and relaying.exception() is None:
                await relaying.result().aclose()

    async def _late(self, relaying: asyncio.Future[Answer], send: Send) -> None:
        """The stream of an answer whose head has left: keep-alives until its content, a failure in band."""
        while not relaying.done():
            await send(_body(KEEP_ALIVE))
            await asyncio.wait({relaying}, timeout=self._head_after)
        try:
            answer = relaying.result()
        except GatewayError as error:
            self._failed(error)
            await send(_body(encode(json.dumps(error.body(), separators=(",", ":")))))
        else:
            await _pump(answer.frames(), send)

    async def _head(self, send: Send, answer: Answer | None) -> None:
        headers = {"content-type": "text/event-stream; charset=utf-8", **self._headers(answer)}
        raw = [(name.encode("ascii"), value.encode("latin-1")) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": 200, "headers": raw})


async def _pump(frames: AsyncGenerator[bytes, None], send: Send) -> None:
    async with aclosing(frames):
        async for frame in frames:
            await send(_body(frame))


def _body(data: bytes, *, more: bool = True) -> Message:
    return {"type": "http.response.body", "body": data, "more_body": more}

"""One request and its answer over ASGI: a bounded body, a well-timed head, a client that may leave.

A stream's head leaves with the first content or after HEAD_AFTER seconds, whichever is first: until then
a failure still has a true status. Pure ASGI, because that timing is ours to decide.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Mapping, MutableMapping
from contextlib import aclosing, suppress
from functools import partial
from typing import Any, TypeVar

from handler.endpoints.http import encode_headers
from handler.errors import GatewayError
from handler.relay.relay import Answer
from handler.wire.content_encoding import body_too_large, decode_body
from handler.wire.sse import KEEP_ALIVE, encode

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
T = TypeVar("T")

HEAD_AFTER = 15.0  # seconds without content after which the head leaves, and between keep-alives
LONGEST_LENGTH = 18  # digits of a declared length that are read at all
DEADLINE_MARGIN = 1.0  # seconds kept back of what Lambda leaves us, to end the answer properly


class ClientDisconnected(Exception):
    """The client went away; nobody is there to be answered."""


async def read_body(receive: Receive, headers: Mapping[str, str], limit: int) -> bytes:
    """Reads and decodes the whole body. Raises GatewayError (too large, malformed), ClientDisconnected."""
    declared = headers.get("content-length", "").lstrip("0")
    if declared.isdecimal() and (len(declared) > LONGEST_LENGTH or int(declared) > limit):
        raise body_too_large(limit)
    body, more = bytearray(), True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnected
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > limit:
            raise body_too_large(limit)
    return decode_body(bytes(body), headers.get("content-encoding", ""), limit)


def deadline_of(scope: Scope, now: float) -> float:
    """When the request must be answered, on the clock that says `now`; infinity outside Lambda."""
    context = scope.get("aws.context")
    if context is None:
        return float("inf")
    return now + float(context.get_remaining_time_in_millis()) / 1000 - DEADLINE_MARGIN


async def cancel_on_disconnect(work: Coroutine[Any, Any, T], receive: Receive) -> T:
    """What `work` gives; cancelled at once, with ClientDisconnected, when the client goes first."""
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
            raise ClientDisconnected from None
        raise
    finally:
        watching.cancel()


class StreamingAnswer:
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
        await cancel_on_disconnect(self._run(send), receive)
        # Behind the watch: a server says "disconnect" as well once it has the last piece.
        await send(_body(b"", more=False))

    async def _run(self, send: Send) -> None:
        early = KeepAlive(partial(self._head, send, None), send, self._head_after)
        try:
            await self._answered(send, early)
        except asyncio.CancelledError:
            if early.failure is not None and early.working.uncancel() == 0:
                raise early.failure from None
            raise
        finally:
            await early.aclose()

    async def _answered(self, send: Send, early: KeepAlive) -> None:
        try:
            answer = await self._relaying
            try:
                if not await early.left():
                    await self._head(send, answer)
                await _pump(answer.frames(), send)
            finally:
                await answer.aclose()
        except GatewayError as error:
            if not await early.left():
                raise  # a failure still has a status
            self._failed(error)
            await send(_body(encode(json.dumps(error.body(), separators=(",", ":")))))

    async def _head(self, send: Send, answer: Answer | None) -> None:
        headers = {"content-type": "text/event-stream; charset=utf-8", **self._headers(answer)}
        await send({"type": "http.response.start", "status": 200, "headers": encode_headers(headers)})


class KeepAlive:
    """The head of a stream whose content is long in coming, and the keep-alives behind it.

    When they cannot be sent, the task that answers is cancelled: on Lambda nothing else tells that nobody
    listens any more.
    """

    def __init__(self, head: Callable[[], Awaitable[None]], send: Send, after: float) -> None:
        working = asyncio.current_task()
        assert working is not None
        self.working = working  # the task that answers
        self.failure: Exception | None = None  # why it was cancelled from here
        self._head = head
        self._send = send
        self._after = after
        self._left = False
        self._over = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._timer = asyncio.get_running_loop().call_later(after, self._begin)

    def _begin(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        try:
            await self._keep_alive()
        except Exception as error:
            self.failure = error
            self.working.cancel()

    async def _keep_alive(self) -> None:
        while not self._over.is_set():
            if not self._left:
                self._left = True
                await self._head()
            await self._send(_body(KEEP_ALIVE))
            with suppress(TimeoutError):
                async with asyncio.timeout(self._after):
                    await self._over.wait()

    async def left(self) -> bool:
        """Whether the head has left; no more keep-alives do, and none of them is under way."""
        self._timer.cancel()
        self._over.set()
        if self._task is not None:
            await self._task
        return self._left

    async def aclose(self) -> None:
        """At once, whatever is under way."""
        self._timer.cancel()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)


async def _pump(frames: AsyncGenerator[bytes, None], send: Send) -> None:
    async with aclosing(frames):
        async for frame in frames:
            await send(_body(frame))


def _body(data: bytes, *, more: bool = True) -> Message:
    return {"type": "http.response.body", "body": data, "more_body": more}

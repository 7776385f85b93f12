"""Streams an answer over ASGI: a well-timed head, keep-alives, and an end when the client disconnects.

The head is sent with the first content or after HEAD_AFTER seconds, whichever is first. Until then a failure
can still have a status of its own. The module is pure ASGI, because it has to control this timing.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Mapping
from contextlib import aclosing, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from handler.answers.answer import Answer
from handler.answers.encoded import encoded
from handler.endpoints.exchange.http import cancel_on_disconnect, encode_headers
from handler.errors import GatewayError
from handler.formats.client_format import StreamEncoder
from handler.wire.sse import KEEP_ALIVE, encode

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope, Send

HEAD_AFTER = 15.0  # seconds without content after which the head leaves, and between keep-alives


class StreamingAnswer:
    """A streamed answer as an ASGI response.

    relaying: returns the Answer at its first content. headers: returns the response headers for it, or for
    None if there is no content yet. failed: called with an exception that comes after the head was sent;
    returns the error for the client. encoder: of the client's format; None: chat.
    """

    def __init__(
        self,
        relaying: Coroutine[Any, Any, Answer],
        headers: Callable[[Answer | None], Mapping[str, str]],
        failed: Callable[[Exception], GatewayError],
        encoder: StreamEncoder | None = None,
        *,
        head_after: float = HEAD_AFTER,
    ) -> None:
        self._relaying = relaying
        self._headers = headers
        self._failed = failed
        self._encoder = encoder
        self._head_after = head_after
        self._head_sent = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await cancel_on_disconnect(self._run(send), receive)
        # Sent after the watch for a disconnect, because a server reports one once it has the last piece.
        await send(_body(b"", more=False))

    async def _run(self, send: Send) -> None:
        alive = self._encoder.keep_alive if self._encoder else KEEP_ALIVE
        keep_alive = KeepAlive(partial(self._head, send, None), send, self._head_after, alive)
        try:
            await self._send_answer(send, keep_alive)
        except asyncio.CancelledError:
            if keep_alive.failure is not None and keep_alive.working.uncancel() == 0:
                raise keep_alive.failure from None
            raise
        finally:
            await keep_alive.aclose()

    async def _send_answer(self, send: Send, keep_alive: KeepAlive) -> None:
        try:
            answer = await self._relaying
            try:
                await keep_alive.stop()
                if not self._head_sent:
                    await self._head(send, answer)
                encoder = self._encoder
                await _send_frames(encoded(answer, encoder) if encoder else answer.frames(), send)
            finally:
                await answer.aclose()
        except OSError:  # of `send`: the client gets nothing any more
            raise
        except Exception as error:
            await keep_alive.stop()
            if not self._head_sent:
                raise  # the error gets its own status
            failure = self._failed(error)
            await send(_body(self._encoder.fail(failure) if self._encoder else _chat_error(failure)))

    async def _head(self, send: Send, answer: Answer | None) -> None:
        self._head_sent = True
        media_type = self._encoder.media_type if self._encoder else "text/event-stream; charset=utf-8"
        headers = {"content-type": media_type, **self._headers(answer)}
        await send({"type": "http.response.start", "status": 200, "headers": encode_headers(headers)})


class KeepAlive:
    """Sends the head of a stream whose content is slow to come, and then keep-alives.

    When they cannot be sent, it cancels the task that answers, because on Lambda nothing else shows that the
    client has disconnected.
    """

    def __init__(
        self, head: Callable[[], Awaitable[None]], send: Send, after: float, alive: bytes = KEEP_ALIVE
    ) -> None:
        working = asyncio.current_task()
        assert working is not None
        self.working = working  # the task that answers
        self.failure: Exception | None = None  # why it was cancelled from here
        self._head = head
        self._send = send
        self._after = after
        self._alive = alive
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
        if not self._over.is_set():
            await self._head()
        while not self._over.is_set():
            if self._alive:
                await self._send(_body(self._alive))
            with suppress(TimeoutError):
                async with asyncio.timeout(self._after):
                    await self._over.wait()

    async def stop(self) -> None:
        """Stop the keep-alives, and wait for a head or a keep-alive that is being sent."""
        self._timer.cancel()
        self._over.set()
        if self._task is not None:
            await self._task

    async def aclose(self) -> None:
        """Stop at once, even while a keep-alive is being sent."""
        self._timer.cancel()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)


def _chat_error(error: GatewayError) -> bytes:
    return encode(json.dumps(error.body(), separators=(",", ":")))


async def _send_frames(frames: AsyncGenerator[bytes, None], send: Send) -> None:
    async with aclosing(frames):
        async for frame in frames:
            await send(_body(frame))


def _body(data: bytes, *, more: bool = True) -> Message:
    return {"type": "http.response.body", "body": data, "more_body": more}

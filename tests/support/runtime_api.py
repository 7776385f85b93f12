"""A fake of Lambda's Runtime API: it serves events, and records each chunk of an answer with its time.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

from __future__ import annotations

import asyncio
import base64
import json
import time
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import h11

Json = dict[str, Any]

NULS = b"\0" * 8  # between the head and the body of a streamed answer
RUNTIME = "/2018-06-01/runtime"
CHUNKED_OVER = 2048  # bytes
PATIENCE = 40  # seconds; longer than any test
ARN = "arn:aws:lambda:us-east-1:123456789012:function:sluice"


class Wire:
    """A connection as h11 events, which share no code with the client under test."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.http = h11.Connection(h11.SERVER)

    async def event(self) -> Any:
        while (event := self.http.next_event()) is h11.NEED_DATA:
            self.http.receive_data(await self.reader.read(65536))
        return event

    async def body(self) -> bytes:
        body = bytearray()
        while not isinstance(event := await self.event(), h11.EndOfMessage):
            body += event.data
        return bytes(body)

    async def send(self, *events: Any) -> None:
        for event in events:
            self.writer.write(self.http.send(event) or b"")
        await self.writer.drain()

    async def reply(self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> None:
        # Like the real API: connections are kept alive, and longer bodies are chunked.
        length = [("content-length", str(len(body)))] if len(body) <= CHUNKED_OVER else []
        fields = [*(headers or {}).items(), *length]
        await self.send(
            h11.Response(status_code=status, headers=fields), h11.Data(data=body), h11.EndOfMessage()
        )


def fields_of(message: Any) -> dict[str, str]:
    return {name.decode(): value.decode("latin-1") for name, value in message.headers}


@asynccontextmanager
async def listening(
    connected: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]],
    *,
    port: int = 0,
) -> AsyncIterator[str]:
    """Yields the address of a server on loopback, and closes its connections at the end."""
    connections: list[tuple[asyncio.Task[None], asyncio.StreamWriter]] = []

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append((asyncio.ensure_future(connected(reader, writer)), writer))

    server = await asyncio.start_server(accept, "127.0.0.1", port)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for _ in range(5):  # pending connections reach `accept`
            await asyncio.sleep(0)
        for task, writer in connections:
            task.cancel()
            writer.close()
        await asyncio.gather(*(task for task, _ in connections), return_exceptions=True)
        await asyncio.sleep(0)


@dataclass(slots=True)
class Invocation:
    """An event and the runtime's response to it."""

    event: bytes
    deadline_ms: int
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    headers: dict[str, str] = field(default_factory=dict)  # of the runtime's POST
    chunks: list[tuple[float, bytes]] = field(default_factory=list)  # monotonic seconds
    trailers: dict[str, str] = field(default_factory=dict)
    ended: float | None = None  # monotonic seconds; None: truncated, or not ended yet
    failed: Json | None = None  # what was posted to .../error
    news: asyncio.Condition = field(default_factory=asyncio.Condition)
    over: bool = False

    async def notify(self) -> None:
        async with self.news:
            self.news.notify_all()

    async def wait(self, *, chunks: int | None = None) -> Invocation:
        """Waits until it is over or has so many chunks. Raises TimeoutError if neither happens."""
        async with asyncio.timeout(PATIENCE), self.news:
            await self.news.wait_for(lambda: self.over or (chunks is not None and len(self.chunks) >= chunks))
        return self

    @property
    def trace(self) -> str:
        return f"Root=1-5bef4de7-{self.id[:8]}"

    @property
    def raw(self) -> bytes:
        return b"".join(data for _, data in self.chunks)

    @property
    def prelude(self) -> Json:
        return dict(json.loads(self.raw.partition(NULS)[0]))

    @property
    def body(self) -> bytes:
        return self.raw.partition(NULS)[2]

    @property
    def error(self) -> Json:
        """The error in the trailers."""
        return dict(json.loads(base64.b64decode(self.trailers["lambda-runtime-function-error-body"])))


@dataclass(slots=True)
class FakeRuntimeApi:
    """The Runtime API. Any number of runtimes may poll it."""

    answer_status: int = 202  # the status of the reply to an answer
    guard: str | None = None  # the Lambda-Runtime-Invocation-Id that events carry
    reports: list[tuple[str, str, Json]] = field(default_factory=list)  # path, error type, body
    polls: list[float] = field(default_factory=list)  # monotonic seconds of each GET .../next
    drop_after: int | None = None  # chunks after which the connection of an answer is cut
    restore_status: int = 200
    restores: int = 0
    connections: int = 0
    address: str = ""
    idle: asyncio.Event = field(default_factory=asyncio.Event)  # set while a runtime waits for an event
    _queue: asyncio.Queue[Invocation] = field(default_factory=asyncio.Queue)
    _taken: dict[str, Invocation] = field(default_factory=dict)

    async def submit(self, event: Json | bytes, *, seconds: float = 30.0) -> Invocation:
        raw = event if isinstance(event, bytes) else json.dumps(event).encode()
        invocation = Invocation(raw, int((time.time() + seconds) * 1000))
        await self._queue.put(invocation)
        return invocation

    async def invoke(self, event: Json) -> AsyncIterator[bytes]:
        """Yields the answer as the runtime sends it. Raises ConnectionError if it breaks off."""
        invocation, sent = await self.submit(event), 0
        while not invocation.over or sent < len(invocation.chunks):
            await invocation.wait(chunks=sent + 1)
            for _, data in invocation.chunks[sent:]:
                sent += 1
                yield data
        if invocation.ended is None:
            raise ConnectionError("the runtime broke off")

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[FakeRuntimeApi]:
        async with listening(self._connected) as self.address:
            yield self

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        wire = Wire(reader, writer)
        try:
            while isinstance(request := await wire.event(), h11.Request):
                await self._route(wire, request)
                if h11.MUST_CLOSE in wire.http.states.values():
                    break
                wire.http.start_next_cycle()
        except (ConnectionError, h11.RemoteProtocolError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _route(self, wire: Wire, request: Any) -> None:
        path = request.target.decode().removeprefix(RUNTIME)
        if path == "/invocation/next":
            await wire.body()
            await self._next(wire)
        elif path == "/restore/next":
            await wire.body()
            self.restores += 1
            await wire.reply(self.restore_status)
        elif path.endswith("/response"):
            await self._response(wire, request, self._taken.pop(path.split("/")[2]))
        else:
            await self._report(wire, request, path)

    async def _next(self, wire: Wire) -> None:
        self.polls.append(time.monotonic())
        self.idle.set()
        waiting = asyncio.ensure_future(self._queue.get())
        gone = asyncio.ensure_future(wire.reader.read(1))
        await asyncio.wait({waiting, gone}, return_when=asyncio.FIRST_COMPLETED)
        gone.cancel()
        await asyncio.wait({gone})  # the next request comes on the same connection
        if not waiting.done():
            waiting.cancel()
            raise ConnectionError("the runtime went away")
        self.idle.clear()
        invocation = waiting.result()
        self._taken[invocation.id] = invocation
        guard = {"Lambda-Runtime-Invocation-Id": self.guard} if self.guard else {}
        await wire.reply(
            200,
            invocation.event,
            {
                "Lambda-Runtime-Aws-Request-Id": invocation.id,
                "Lambda-Runtime-Deadline-Ms": str(invocation.deadline_ms),
                "Lambda-Runtime-Invoked-Function-Arn": ARN,
                "Lambda-Runtime-Trace-Id": invocation.trace,
                "Content-Type": "application/json",
                **guard,
            },
        )

    async def _response(self, wire: Wire, request: Any, invocation: Invocation) -> None:
        invocation.headers = fields_of(request)
        try:
            while not isinstance(event := await wire.event(), h11.EndOfMessage):
                if event.chunk_start or not invocation.chunks:
                    invocation.chunks.append((time.monotonic(), b""))
                at, data = invocation.chunks[-1]
                invocation.chunks[-1] = (at, data + event.data)
                await invocation.notify()
                if self.drop_after is not None and len(invocation.chunks) > self.drop_after:
                    raise ConnectionError("dropped")
            invocation.trailers, invocation.ended = fields_of(event), time.monotonic()
        finally:
            invocation.over = True
            await invocation.notify()
        await wire.reply(self.answer_status, b'{"status":"OK"}')

    async def _report(self, wire: Wire, request: Any, path: str) -> None:
        body = json.loads(await wire.body())
        kind = fields_of(request).get("lambda-runtime-function-error-type", "")
        self.reports.append((path, kind, body))
        if invocation := self._taken.pop(path.split("/")[2], None):
            invocation.failed, invocation.over = body, True
            await invocation.notify()
        await wire.reply(202, b"{}")

"""A provider that frames its answers wrongly: too many, too early, too late, of two lengths.

async with Wild() as wild:
    wild.fault = FAULTS["it answers twice"]
    ...  # ask wild.url/chat/completions; every answer names what was asked
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, NamedTuple, Self

from tests.support.upstream import chunk, completion, finish, sse

Piece = bytes | float  # sent at once, or seconds of silence


class Reply(NamedTuple):
    """The right answer in its parts."""

    body: bytes
    kind: bytes  # its content type

    @property
    def head(self) -> bytes:
        return b"HTTP/1.1 200 OK\r\ncontent-type: %b\r\n" % self.kind

    @property
    def http(self) -> bytes:
        """A correct HTTP response."""
        return self.head + b"content-length: %d\r\n\r\n%b" % (len(self.body), self.body)

    def chunked(self, trailers: bytes = b"") -> bytes:
        chunks = b"%x\r\n%b\r\n0\r\n%b\r\n" % (len(self.body), self.body, trailers)
        return self.head + b"transfer-encoding: chunked\r\n\r\n" + chunks

    def lengths(self, *lengths: int) -> bytes:
        fields = b"".join(b"content-length: %d\r\n" % length for length in lengths)
        return self.head + fields + b"\r\n" + self.body


Fault = Callable[[Reply], Sequence[Piece]]

_HINTS = b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n"
_SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n"
_NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"
_NOT_MODIFIED = b"HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n"


def _cut(data: bytes, at: int) -> Sequence[Piece]:
    return data[:at], 0.2, data[at:]


def _with(data: bytes, field: bytes) -> bytes:
    """A response with one more header field."""
    return data.replace(b"\r\n", b"\r\n%b\r\n" % field, 1)


# After each of these another request may follow on the same connection.
EXACT: Mapping[str, Fault] = {
    "a length": lambda reply: [reply.http],
    "the same length twice": lambda reply: [reply.lengths(len(reply.body), len(reply.body))],
    "chunks": lambda reply: [reply.chunked()],
    "chunks and trailers": lambda reply: [reply.chunked(b"x-cost: 1\r\nx-end: yes\r\n")],
    "an interim response first": lambda reply: [_HINTS, reply.http],
    "a byte at a time": lambda reply: [part for byte in reply.http for part in (bytes([byte]), 0.0)],
}

# After none of these.
FAULTS: Mapping[str, Fault] = {
    "it answers twice": lambda reply: [reply.http * 2],
    "it answers three times, in chunks": lambda reply: [reply.chunked() * 3],
    "it answers a second time a little later": lambda reply: [reply.http, 0.04, reply.http],
    "its second answer is cut in the head": lambda reply: _cut(reply.http * 2, len(reply.http) + 20),
    "its second answer is cut in the body": lambda reply: _cut(reply.http * 2, -5),
    "it answers late, after a timeout": lambda reply: [7.0, reply.http],
    "it falls silent in the middle of its answer": lambda reply: [reply.http[:-9], 7.0, reply.http[-9:]],
    "one byte stands behind its answer": lambda reply: [reply.http + b"{"],
    "a line end stands behind its answer": lambda reply: [reply.http + b"\r\n"],
    "an answer stands behind trailers": lambda reply: [reply.chunked(b"x-cost: 1\r\n") + reply.http],
    "a 204 has a body": lambda reply: [_NO_CONTENT + reply.http],
    "a 304 has a body": lambda reply: [_NOT_MODIFIED + reply.http],
    "it tells two lengths": lambda reply: [reply.lengths(len(reply.body), 5) + reply.http],
    "it tells a length that is too short": lambda reply: [reply.lengths(len(reply.body) - 9) + reply.http],
    "it tells a length and sends chunks": lambda reply: [_with(reply.chunked(), b"content-length: 7")],
    "an interim response is left over": lambda reply: [reply.http + b"HTTP/1.1 100 Continue\r\n\r\n"],
    "it changes the protocol": lambda reply: [_SWITCH + reply.http],
    "it changes the protocol behind its answer": lambda reply: [reply.http + _SWITCH],
    "it says that it closes, and goes on": lambda reply: [
        _with(reply.http, b"connection: close") + reply.http
    ],
    "it speaks HTTP/1.0, and goes on": lambda reply: [reply.http.replace(b"/1.1", b"/1.0", 1) + reply.http],
    "interim responses never end": lambda _: [b"HTTP/1.1 102 Processing\r\n\r\n" * 500],
}


class Wild:
    """The server. `fault`: what it does about the next requests; `connections`: ever."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self.fault: Fault = EXACT["a length"]
        self.choose: Callable[[], Fault] = lambda: self.fault
        self.connections = 0
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int:
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def url(self) -> str:
        return f"http{'s' if self._tls else ''}://127.0.0.1:{self.port}/v1"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0, ssl=self._tls)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                fields = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if line)
                asked = json.loads(await reader.readexactly(int(fields["content-length"])))
                for piece in self.choose()(_reply(asked)):
                    if isinstance(piece, float):
                        await asyncio.sleep(piece)
                    else:
                        writer.write(piece)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.transport.abort()


def _reply(asked: Any) -> Reply:
    text = f"an answer to {asked['messages'][0]['content']}"
    if not asked.get("stream"):
        return Reply(json.dumps(completion(text)).encode(), b"application/json")
    events = (sse(chunk(text)), sse(finish()), b"data: [DONE]\n\n")
    return Reply(b"".join(events), b"text/event-stream")

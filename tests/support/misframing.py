"""A provider that frames its answers wrongly: two for one, late ones, wrong lengths.

async with MisframingProvider() as provider:
    provider.fault = FAULTS["it answers twice"]
    ...  # POST to provider.url + "/chat/completions"; every answer quotes its question
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from tests.support.canned_answers import chunk, completion, finish, sse
from tests.support.loopback_server import LoopbackServer

Piece = bytes | float  # sent at once, or seconds of silence


class Answer(NamedTuple):
    """A correct answer, in several framings."""

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


Fault = Callable[[Answer], Sequence[Piece]]

_HINTS = b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n"
_SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n"
_NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"
_NOT_MODIFIED = b"HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n"


def _cut(data: bytes, at: int) -> Sequence[Piece]:
    return data[:at], 0.2, data[at:]


def _with(data: bytes, field: bytes) -> bytes:
    """The response with one more header field."""
    return data.replace(b"\r\n", b"\r\n%b\r\n" % field, 1)


# The connection serves another request after each of these ...
CORRECT: Mapping[str, Fault] = {
    "a length": lambda answer: [answer.http],
    "the same length twice": lambda answer: [answer.lengths(len(answer.body), len(answer.body))],
    "chunks": lambda answer: [answer.chunked()],
    "chunks and trailers": lambda answer: [answer.chunked(b"x-cost: 1\r\nx-end: yes\r\n")],
    "an interim response first": lambda answer: [_HINTS, answer.http],
    "a byte at a time": lambda answer: [part for byte in answer.http for part in (bytes([byte]), 0.0)],
}

# ... and after none of these.
FAULTS: Mapping[str, Fault] = {
    "it answers twice": lambda answer: [answer.http * 2],
    "it answers three times, in chunks": lambda answer: [answer.chunked() * 3],
    "it answers a second time a little later": lambda answer: [answer.http, 0.04, answer.http],
    "its second answer is cut in the head": lambda answer: _cut(answer.http * 2, len(answer.http) + 20),
    "its second answer is cut in the body": lambda answer: _cut(answer.http * 2, -5),
    "it answers late, after a timeout": lambda answer: [7.0, answer.http],
    "it falls silent in the middle of its answer": lambda answer: [answer.http[:-9], 7.0, answer.http[-9:]],
    "one byte follows its answer": lambda answer: [answer.http + b"{"],
    "a line end follows its answer": lambda answer: [answer.http + b"\r\n"],
    "an answer follows the trailers": lambda answer: [answer.chunked(b"x-cost: 1\r\n") + answer.http],
    "a 204 has a body": lambda answer: [_NO_CONTENT + answer.http],
    "a 304 has a body": lambda answer: [_NOT_MODIFIED + answer.http],
    "it sends two lengths": lambda answer: [answer.lengths(len(answer.body), 5) + answer.http],
    "it sends a length that is too short": lambda answer: [
        answer.lengths(len(answer.body) - 9) + answer.http
    ],
    "it sends a length and chunks": lambda answer: [_with(answer.chunked(), b"content-length: 7")],
    "an interim response follows its answer": lambda answer: [answer.http + b"HTTP/1.1 100 Continue\r\n\r\n"],
    "it changes the protocol": lambda answer: [_SWITCH + answer.http],
    "it changes the protocol after its answer": lambda answer: [answer.http + _SWITCH],
    "it announces the end of the connection and sends more": lambda answer: [
        _with(answer.http, b"connection: close") + answer.http
    ],
    "it speaks HTTP/1.0 and sends more": lambda answer: [
        answer.http.replace(b"/1.1", b"/1.0", 1) + answer.http
    ],
    "interim responses never end": lambda _: [b"HTTP/1.1 102 Processing\r\n\r\n" * 500],
}


class MisframingProvider(LoopbackServer):
    """The server. `fault`: how it answers the next requests; `connections`: how many it has accepted."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(tls=tls)
        self.fault: Fault = CORRECT["a length"]
        self.choose: Callable[[], Fault] = lambda: self.fault
        self.connections = 0

    @property
    def url(self) -> str:
        return f"http{'s' if self._tls else ''}://{self.address}/v1"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                fields = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if line)
                chat = json.loads(await reader.readexactly(int(fields["content-length"])))
                for piece in self.choose()(_answer_to(chat)):
                    if isinstance(piece, float):
                        await asyncio.sleep(piece)
                    else:
                        writer.write(piece)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.transport.abort()


def _answer_to(chat: Any) -> Answer:
    text = f"an answer to {chat['messages'][0]['content']}"
    if not chat.get("stream"):
        return Answer(json.dumps(completion(text)).encode(), b"application/json")
    events = (sse(chunk(text)), sse(finish()), b"data: [DONE]\n\n")
    return Answer(b"".join(events), b"text/event-stream")

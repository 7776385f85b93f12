"""What becomes of the bytes of a response: in the parser, in a connection without a socket, and in h11.

assert by_parser([b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi"]) == Outcome("complete", 200, b"hi", True)
data = mutated(Random(7))
assert by_parser(split(data, Random(1))) == by_parser([data])
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any, NamedTuple

import h11

from handler.errors import UpstreamError
from handler.upstream.connection import MAX_INTERIM, Connection, Origin
from handler.upstream.http1 import MAX_DIGITS, MAX_FIELDS, MAX_HEAD, MalformedHTTP, ResponseParser

REQUEST = [(b"host", b"provider"), (b"content-length", b"2")]
BODY = b"{}"
_FORMER = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n6\r\nbefore\r\n0\r\n\r\n"


class Outcome(NamedTuple):
    """How a response ended: `complete`, `http` (malformed), or `closed` (cut)."""

    end: str
    status: int | None = None
    body: bytes = b""  # that came before the end
    reusable: bool = False  # another request may follow


def by_parser(pieces: Sequence[bytes], method: str = "POST", *, used: bool = False) -> Outcome:
    """Return what the parser makes of these reads, after which the connection ends.

    used: it has parsed another response before.
    """
    parser, status, body, heads = ResponseParser(), None, bytearray(), 0
    if used:
        parser.start("POST")
        parser.feed(_FORMER)
        assert parser.read_head()
        assert (parser.read_body(3), parser.is_reusable) == ([b"before"], True)
    parser.start(method)
    try:
        for piece in pieces:
            parser.feed(piece)
            while (status or 0) < 200 and (head := parser.read_head()):
                status, heads = head[0], heads + 1
                if heads == MAX_INTERIM and status < 200:
                    return Outcome("http")
            while (status or 0) >= 200 and (found := parser.read_body(3)):
                body += b"".join(found)
    except MalformedHTTP:
        return Outcome("http", status if (status or 0) >= 200 else None, bytes(body))
    reusable = parser.is_reusable
    final = status if (status or 0) >= 200 else None
    return Outcome("complete" if parser.close() else "closed", final, bytes(body), reusable)


def by_h11(data: bytes, method: str = "POST") -> Outcome:
    """Return what h11 makes of the bytes."""
    client = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD)
    client.send(h11.Request(method=method, target=b"/", headers=REQUEST))
    client.send(h11.Data(data=BODY))
    client.send(h11.EndOfMessage())
    client.receive_data(data)
    status, body, heads, eof, lengths = None, b"", 0, False, set()
    while True:
        try:
            event = client.next_event()
        except h11.RemoteProtocolError:
            return Outcome("closed" if eof else "http", status, body)
        if event is h11.NEED_DATA:
            client.receive_data(b"")
            eof = True
        elif isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.InformationalResponse | h11.Response):
            heads += 1
            if isinstance(event, h11.Response):
                status, lengths = event.status_code, {name for name, _ in event.headers}
            elif heads == MAX_INTERIM:
                return Outcome("http")
        else:
            exact = client.their_state is h11.DONE and client.trailing_data == (b"", False)
            both = {b"content-length", b"transfer-encoding"} <= lengths
            return Outcome("complete", status, body, exact and not eof and not both)


class _Transport:
    """The transport of a connection that receives these reads, each when it is ready for one."""

    def __init__(self) -> None:
        self.reading = asyncio.Event()
        self.reading.set()
        self.is_aborted = False

    def pause_reading(self) -> None:
        self.reading.clear()

    def resume_reading(self) -> None:
        self.reading.set()

    def abort(self) -> None:
        self.is_aborted = True

    def writelines(self, _: Any) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return 0


async def by_connection(pieces: Sequence[bytes], method: str = "POST", *, linger: float = 1.0) -> Outcome:
    """Return what a connection makes of these reads, after which it ends. Raises all but UpstreamError.

    linger: seconds from the last read to the end; without them, it never counts as reusable.
    """
    transport, connection = _Transport(), Connection(Origin(True, "provider", 443))  # no socket to look at
    connection.connection_made(transport)
    reader = asyncio.ensure_future(_read(connection, method))
    reader.add_done_callback(lambda _: transport.reading.set())
    for piece in pieces:
        await asyncio.sleep(0)
        await transport.reading.wait()
        if transport.is_aborted:
            break
        connection.data_received(piece)
    await asyncio.sleep(linger)  # on the virtual clock
    reusable = reader.done() and connection.is_reusable()
    if not transport.is_aborted:
        connection.eof_received()
    end, status, body = await reader
    return Outcome(end, status, body, reusable)


async def _read(connection: Connection, method: str) -> tuple[str, int | None, bytes]:
    status, body = None, b""
    try:
        status, _ = await connection.request(method, b"/", REQUEST, BODY)
        while data := await connection.read():
            body += data
    except UpstreamError as error:
        return str(error.cause), status, body
    return "complete", status, body


# What h11 takes and the parser refuses.
_REFUSED = re.compile(
    rb"(?<!\r)\n|\r(?!\n)|[\0-\x08\x0b\x0c\x0e-\x1f\x7f]|HTTP/(?!1\.[01] )|[0-9A-Fa-f]{%d,}"
    % (MAX_DIGITS + 1)
)


def is_refused_on_purpose(data: bytes) -> bool:
    """True if the bytes hold what the parser refuses although h11 takes it."""
    return bool(_REFUSED.search(data)) or data.count(b"\r\n") > MAX_FIELDS or len(data) > MAX_HEAD


_HEADS = (
    *(b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200\r\n", b"HTTP/1.0 200 OK\r\n", b"HTTP/1.1 429 Slow down\r\n"),
    *(b"HTTP/1.1 204 No Content\r\n", b"HTTP/1.1 304 Not Modified\r\n", b"HTTP/1.1 101 Switch\r\n"),
    *(b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 200 OK\r\n", b"HTTP/2.0 200 OK\r\n"),
)
_FIELDS = (
    *(
        b"content-length: 5\r\n",
        b"Content-Length: 5, 5\r\n",
        b"content-length: 05\r\n",
        b"content-length:+5\r\n",
    ),
    *(
        b"transfer-encoding: chunked\r\n",
        b"Transfer-Encoding: Chunked\r\n",
        b"transfer-encoding: gzip, chunked\r\n",
    ),
    *(b"connection: close\r\n", b"Connection: keep-alive, Close\r\n", b"x-folded: a\r\n\tb\r\n", b"x:\r\n"),
    *(
        b"x-text: caf\xe9 \t\r\n",
        b"space : 1\r\n",
        b"content-length: 0\r\n",
        b"no colon\r\n",
        b": no name\r\n",
    ),
)
_BODIES = (
    *(
        b"hello",
        b"",
        b"5\r\nhello\r\n0\r\n\r\n",
        b"5;a=b\r\nhello\r\n000\r\nx-cost: 1\r\n\r\n",
        b"A\r\n0123456789\r\n",
    ),
    *(
        b"0\r\n\r\n",
        b"5\r\nhello0\r\n\r\n",
        b"-5\r\nhello\r\n0\r\n\r\n",
        b"5 \r\nhello\r\n0\r\ncontent-length: 1\r\n\r\n",
    ),
)
_INSERTED = (
    *(
        b"\r\n",
        b"\n",
        b"\r",
        b"\0",
        b" ",
        b"\t",
        b":",
        b";",
        b",",
        b"0",
        b"5",
        b"g",
        b"\x7f",
        b"\xff",
        b"0x5",
    ),
    *(
        b"_",
        b"\r\n ",
        b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n",
        b"F" * 15,
        b"F" * 17,
        b"1" * 21,
        *_FIELDS,
        *_BODIES,
    ),
)


def mutated(random: Random) -> bytes:
    """Return the bytes of a response, of which some are changed."""
    data = bytearray(random.choice(_HEADS))
    data += b"".join(random.choices(_FIELDS, weights=(4, 1, 1, 1, 4, *[1] * 11), k=random.randrange(4)))
    data += b"\r\n" + b"".join(random.choices(_BODIES, k=random.choice((1, 1, 1, 2))))
    for _ in range(random.choice((0, 0, 1, 1, 2, 4))):
        at = random.randrange(len(data) + 1)
        end = at + random.choice((0, 0, 1, 2, 8))
        data[at:end] = random.choice((b"", random.choice(_INSERTED), data[at:end] * 2, random.randbytes(1)))
    return bytes(data) or b" "


def split(data: bytes, random: Random) -> list[bytes]:
    """Return the bytes in pieces of random lengths: of one byte, of a few, or of many."""
    most = random.choice((1, 3, 20, 200))

    def pieces() -> Iterator[bytes]:
        at = 0
        while at < len(data):
            yield data[at : (at := at + random.randint(1, most))]

    return list(pieces())


def disagreements(random: Random) -> Iterator[str]:
    """Compare the parser with itself and with h11 on one response. Yields what differs."""
    data, method = mutated(random), random.choice(("POST", "POST", "POST", "GET", "HEAD", "CONNECT"))
    whole, reference = by_parser([data], method), by_h11(data, method)
    for used in (False, True):
        if (other := by_parser(split(data, random), method, used=used)) != whole:
            yield f"{method} {data!r}: {whole}; in pieces {other}{', after another' * used}"
    if whole.end == "http" and reference.end == "closed":  # the parser notices earlier
        whole = whole._replace(end="closed")
    if whole != reference and not (whole.end != "complete" and is_refused_on_purpose(data)):
        yield f"{method} {data!r}: {whole}; h11 {reference}"

"""One HTTP/1.1 connection to a provider: sends requests, reads responses, and decides if it can be reused.

asyncio reads the bytes and http1.py parses them. All received bytes are in the parser's buffer, so at the end
of a response it is known whether anything follows. Bytes that follow no request close the connection: a
surplus response would answer the next caller.
"""

from __future__ import annotations

import asyncio
import select
import ssl
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

from handler.errors import UpstreamError
from handler.upstream.http1 import Fields, Head, MalformedHTTP, ResponseParser, write_request

T = TypeVar("T")

MAX_INTERIM = 100  # 1xx responses before the final one; some providers send one every few seconds
UNPACED_READS, READ_PAUSE = 64, 0.005  # reads for one event; seconds to wait before each further one
MAX_PIECES = 500  # chunks that one read returns, because the event loop serves others too
# Chunks that a response may have, and the bytes that allow one more: a chunk costs as much as a KB.
FREE_CHUNKS, BYTES_A_CHUNK = 20_000, 64

NETWORK_FAILURES: Mapping[str, str] = {
    "dns": "The provider's host name could not be resolved",
    "refused": "The provider refused the connection",
    "unreachable": "The provider could not be reached",
    "tls": "TLS with the provider failed",
    "reset": "The provider reset the connection",
    "closed": "The provider closed the connection before its answer had ended",
    "http": "The provider's answer is not HTTP",
    "proxy": "The proxy did not open a connection to the provider",
}


def network_failure(cause: str, detail: str | None = None) -> UpstreamError:
    """Return a failure of class `network`. cause: a name in NETWORK_FAILURES. detail: names no address."""
    message = NETWORK_FAILURES[cause] + (f": {detail}" if detail else "") + "."
    return UpstreamError(message, failure_class="network", cause=cause)


def connection_failure(error: Exception | None) -> UpstreamError:
    """Return the failure for an exception of a socket or TLS; None: the other side closed the connection."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return network_failure("tls", error.verify_message.partition(",")[0])  # host names follow
    if isinstance(error, ssl.SSLError):
        return network_failure("tls", (error.reason or "").replace("_", " ").lower())
    if isinstance(error, ConnectionRefusedError):
        return network_failure("refused")
    if isinstance(error, ConnectionError):
        return network_failure("reset")
    return network_failure("closed" if error is None else "unreachable")


class Origin(NamedTuple):
    """The scheme, host and port of a connection."""

    tls: bool
    host: str
    port: int


class Connection(asyncio.Protocol):
    """Sends one request at a time. Its owner calls `abort`, or `is_reusable` after it has read a response."""

    def __init__(self, origin: Origin) -> None:
        self.origin = origin
        self.transport: asyncio.Transport
        self.idle_since = 0.0  # on the loop's clock
        self.closed = False
        self._parser = ResponseParser()
        self._waiter: asyncio.Future[None] | None = None  # while a reader waits for bytes
        self._has_news = False  # bytes, or the end, since the reader last looked
        self._paused = False
        self._ended = False  # the other side has sent all that it will
        self._failure: Exception | None = None
        self._bytes = 0  # of the response's body

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if self._parser.ended:
            self.abort()
            return
        self._parser.feed(data)
        if self._waiter is None and not self._paused:
            self.transport.pause_reading()
            self._paused = True
        self._wake()

    def eof_received(self) -> None:
        """asyncio closes the transport after this."""
        self._finish(None)

    def connection_lost(self, error: Exception | None) -> None:
        self._finish(error)

    def abort(self) -> None:
        """Close the connection at once."""
        self.closed = True
        self.transport.abort()

    async def request(self, method: str, target: bytes, headers: Fields, body: bytes) -> Head:
        """Send a request and return the status and the headers of its response. Raises UpstreamError.

        Nothing is awaited between the check of the socket and the request, so no byte can arrive in between.
        """
        if self.closed or self._has_surplus():
            raise connection_failure(self._failure)
        try:
            head = write_request(method, target, headers, body)
        except MalformedHTTP as error:
            raise network_failure("http", "the request cannot be sent as HTTP") from error
        self._bytes = 0
        self._parser.start(method)
        # asyncio's transport since Python 3.12 tries to write an empty piece again without end.
        self.transport.writelines((head, body) if body else (head,))
        for _ in range(MAX_INTERIM):
            response = await self._next(self._parser.read_head)
            if response is not None and response[0] >= 200:
                return response
        raise network_failure("http", f"more than {MAX_INTERIM} interim responses")

    async def read(self) -> bytes:
        """Return the next bytes of the body, all that have come; none at its end. Raises UpstreamError."""
        if self._parser.ended:
            return b""
        pieces = await self._next(self._read_pieces) or ()
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        self._bytes += len(data)
        if self._parser.chunks > FREE_CHUNKS + self._bytes // BYTES_A_CHUNK:
            raise network_failure("http", "its chunks are too small")
        return data

    def is_reusable(self) -> bool:
        """True if the response ended exactly where the bytes did, so that another request may follow."""
        return not self.closed and self._parser.is_reusable and not self.transport.get_write_buffer_size()

    def resume(self) -> bool:
        """Resume reading. Returns True if it was paused: TLS may then have bytes in a buffer."""
        paused, self._paused = self._paused, False
        if paused:
            self.transport.resume_reading()
        return paused

    def is_quiet(self) -> bool:
        """True if nothing has come since the last response, not even the end of the connection."""
        return not self.closed and not _is_readable(self.transport)

    def is_clean_tunnel(self) -> bool:
        """True if nothing has come after the response to a CONNECT."""
        return not self.closed and not self._parser.surplus

    def _read_pieces(self) -> list[bytes]:
        return self._parser.read_body(MAX_PIECES)

    async def _next(self, parse: Callable[[], T]) -> T | None:
        """Return what the bytes are once enough have come, or None at the end of the response."""
        waits = 0
        while not (found := self._parsed(parse)) and not self._parser.ended:
            if self.closed:
                if self._ended and self._parser.close():
                    return None
                raise connection_failure(self._failure)
            waits, self._has_news = waits + 1, False
            if waits > UNPACED_READS:
                await asyncio.sleep(READ_PAUSE)
            if not self._has_news:  # nothing came during the pause
                await self._wait_for_bytes()
        return found

    def _parsed(self, parse: Callable[[], T]) -> T:
        try:
            return parse()
        except MalformedHTTP as error:
            raise network_failure("http") from error

    async def _wait_for_bytes(self) -> None:
        self.resume()
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        self._has_news = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _finish(self, error: Exception | None) -> None:
        self._ended = self._ended or (not self.closed and error is None)
        self.closed, self._failure = True, self._failure or error
        self._wake()

    def _has_surplus(self) -> bool:
        """True if bytes came before the request. TLS sends some of its own on a new connection."""
        return not self.origin.tls and _is_readable(self.transport)


def _is_readable(transport: asyncio.Transport) -> bool:
    poll = select.poll()
    poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)
    return bool(poll.poll(0))

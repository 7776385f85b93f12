"""One HTTP/1.1 connection to a provider: sends requests, reads responses, and decides if it can be reused.

asyncio reads the bytes and h11 (https://h11.readthedocs.io) parses them. All received bytes are in h11's
buffer, so at the end of a response it is known whether anything follows. Bytes that follow no request close
the connection: a surplus response would answer the next caller.
"""

from __future__ import annotations

import asyncio
import select
import ssl
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import h11

from handler.errors import UpstreamError

MAX_HEAD = 65_536  # bytes of a response's head, or of the line before a chunk
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


PORTS: Mapping[str, int] = {"http": 80, "https": 443}  # if an address has none


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
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD)
        self._busy = False  # a request was sent, and its response has not ended
        self._ambiguous = False  # two headers say where the response ends
        self._waiter: asyncio.Future[None] | None = None  # while a reader waits for bytes
        self._paused = False
        self._failure: Exception | None = None
        self._chunks = self._bytes = 0  # of the response's body

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if not self._busy:
            self.abort()
            return
        self._http.receive_data(data)
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

    async def request(
        self, method: str, target: bytes, headers: Sequence[tuple[bytes, bytes]], body: bytes
    ) -> h11.Response:
        """Send a request and return the head of its response. Raises UpstreamError.

        Nothing is awaited between the check of the socket and the request, so no byte can arrive in between.
        """
        if self.closed or self._has_surplus():
            raise connection_failure(self._failure)
        self._busy, self._ambiguous, self._chunks, self._bytes = True, False, 0, 0
        send = self._http.send
        try:
            head = send(h11.Request(method=method, target=target, headers=list(headers)))
            self.transport.writelines((head, send(h11.Data(data=body)), send(h11.EndOfMessage())))
        except h11.LocalProtocolError as error:
            raise network_failure("http", "the request cannot be sent as HTTP") from error
        for _ in range(MAX_INTERIM):
            event = await self._next_event()
            if type(event) is h11.Response:
                names = [name for name, _ in event.headers]
                self._ambiguous = b"content-length" in names and b"transfer-encoding" in names
                return event
        raise network_failure("http", f"more than {MAX_INTERIM} interim responses")

    async def read(self) -> bytes:
        """Return the next bytes of the body, all that have come; none at its end. Raises UpstreamError."""
        pieces: list[bytes] = []
        while self._busy and len(pieces) < MAX_PIECES:
            try:
                event = self._http.next_event() if pieces else await self._next_event()
            except h11.RemoteProtocolError:
                break  # the next read raises it again
            if type(event) is h11.Data:
                pieces.append(event.data)
            elif type(event) is h11.EndOfMessage:
                self._busy = False
            else:
                break
        self._chunks += len(pieces)
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        self._bytes += len(data)
        if self._chunks > FREE_CHUNKS + self._bytes // BYTES_A_CHUNK:
            raise network_failure("http", "its chunks are too small")
        return bytes(data)

    def is_reusable(self) -> bool:
        """True if the response ended exactly where the bytes did, so that another request may follow."""
        http = self._http
        done = http.our_state is h11.DONE and http.their_state is h11.DONE
        exact = done and http.trailing_data == (b"", False) and not self._ambiguous
        if self.closed or self._busy or not exact or self.transport.get_write_buffer_size():
            return False
        http.start_next_cycle()
        return True

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
        return not self.closed and self._http.trailing_data == (b"", False)

    async def _next_event(self) -> Any:
        waits = 0
        try:
            while (event := self._http.next_event()) is h11.NEED_DATA:
                if self.closed:
                    raise connection_failure(self._failure)
                waits += 1
                if waits > UNPACED_READS:
                    await asyncio.sleep(READ_PAUSE)
                await self._wait_for_bytes()
        except h11.RemoteProtocolError as error:
            raise (network_failure("closed" if self.closed else "http")) from error
        return event

    async def _wait_for_bytes(self) -> None:
        self.resume()
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _finish(self, error: Exception | None) -> None:
        if not self.closed and error is None and self._busy:
            self._http.receive_data(b"")
        self.closed, self._failure = True, self._failure or error
        self._wake()

    def _has_surplus(self) -> bool:
        """True if bytes came before the request. TLS sends some of its own on a new connection."""
        return not self.origin.tls and _is_readable(self.transport)


def _is_readable(transport: asyncio.Transport) -> bool:
    poll = select.poll()
    poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)
    return bool(poll.poll(0))

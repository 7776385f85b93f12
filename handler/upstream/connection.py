"""One HTTP/1.1 connection to an upstream: sends requests, reads responses, and tells when it can be reused.

asyncio reads the bytes and h11 (https://h11.readthedocs.io) parses them. All received bytes are in h11's
buffer and nowhere else, so at the end of a response it is known whether anything follows it. Bytes that no
request asked for close the connection: a surplus response would answer the next caller.
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
MAX_INTERIM = 100  # 1xx heads before a response: one every few seconds is a heartbeat, a flood is not
UNPACED_READS, READ_PAUSE = 64, 0.005  # free reads for one event; each further one waits so many seconds
MAX_PIECES = 500  # chunks that one read returns together: the loop serves others too
# Chunks that a response may have, and bytes for each further one: a chunk costs as much as a KB.
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
    """A failure of class `network`. `cause` is a name of NETWORK_FAILURES; `detail` names no address."""
    message = NETWORK_FAILURES[cause] + (f": {detail}" if detail else "") + "."
    return UpstreamError(message, failure_class="network", cause=cause)


def connection_failure(error: Exception | None) -> UpstreamError:
    """The failure for an exception of a socket or of TLS; None means that the other side closed."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return network_failure("tls", error.verify_message.partition(",")[0])  # behind it are host names
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
    """Sends one request at a time. Its owner calls `abort`, or `is_reusable` once a response was read."""

    def __init__(self, origin: Origin) -> None:
        self.origin = origin
        self.transport: asyncio.Transport
        self.rested = 0.0  # since when it is idle, on the loop's clock
        self.closed = False
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD)
        self._asked = False  # a request was sent whose response has not ended
        self._ambiguous = False  # two headers say where the response ends
        self._received: asyncio.Future[None] | None = None  # while somebody waits for bytes
        self._paused = False
        self._failure: Exception | None = None
        self._chunks = self._bytes = 0  # of the response's body

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if not self._asked:
            self.abort()
            return
        self._http.receive_data(data)
        if self._received is None and not self._paused:  # no reader waits
            self.transport.pause_reading()
            self._paused = True
        self._wake()

    def eof_received(self) -> None:
        """asyncio closes the transport after this."""
        self._end(None)

    def connection_lost(self, error: Exception | None) -> None:
        self._end(error)

    def abort(self) -> None:
        """Closes the connection at once."""
        self.closed = True
        self.transport.abort()

    async def request(
        self, method: str, target: bytes, headers: Sequence[tuple[bytes, bytes]], body: bytes
    ) -> h11.Response:
        """Sends a request and returns the head of its response. Raises UpstreamError.

        Nothing is awaited between the check of the socket and the request, so no byte comes in unseen.
        """
        if self.closed or self._is_answered_unasked():
            raise connection_failure(self._failure)
        self._asked, self._ambiguous, self._chunks, self._bytes = True, False, 0, 0
        send = self._http.send
        try:
            head = send(h11.Request(method=method, target=target, headers=list(headers)))
            self.transport.writelines((head, send(h11.Data(data=body)), send(h11.EndOfMessage())))
        except h11.LocalProtocolError as error:
            raise network_failure("http", "the request cannot be sent as HTTP") from error
        for _ in range(MAX_INTERIM):
            event = await self._event()
            if type(event) is h11.Response:
                names = [name for name, _ in event.headers]
                self._ambiguous = b"content-length" in names and b"transfer-encoding" in names
                return event
        raise network_failure("http", f"more than {MAX_INTERIM} interim responses")

    async def read(self) -> bytes:
        """The body's next bytes, as many as have come; empty at its end. Raises UpstreamError."""
        pieces: list[bytes] = []
        while self._asked and len(pieces) < MAX_PIECES:
            try:
                event = self._http.next_event() if pieces else await self._event()
            except h11.RemoteProtocolError:
                break  # is raised again when what came before it has been handed on
            if type(event) is h11.Data:
                pieces.append(event.data)
            elif type(event) is h11.EndOfMessage:
                self._asked = False
            else:
                break
        self._chunks += len(pieces)
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        self._bytes += len(data)
        if self._chunks > FREE_CHUNKS + self._bytes // BYTES_A_CHUNK:
            raise network_failure("http", "its chunks are too small")
        return bytes(data)

    def is_reusable(self) -> bool:
        """True when the response ended exactly where the bytes did, so another request may follow."""
        http = self._http
        done = http.our_state is h11.DONE and http.their_state is h11.DONE
        exact = done and http.trailing_data == (b"", False) and not self._ambiguous
        if self.closed or self._asked or not exact or self.transport.get_write_buffer_size():
            return False
        http.start_next_cycle()
        return True

    def resume(self) -> bool:
        """Resumes reading. True where bytes may follow soon: TLS may still deliver what it had buffered."""
        paused, self._paused = self._paused, False
        if paused:
            self.transport.resume_reading()
        return paused

    def is_quiet(self) -> bool:
        """True when nothing has come since the last response ended, not even the end of the connection."""
        return not self.closed and not _is_readable(self.transport)

    def is_clean_tunnel(self) -> bool:
        """True when nothing has come after the head that answered a CONNECT."""
        return not self.closed and self._http.trailing_data == (b"", False)

    async def _event(self) -> Any:
        waits = 0
        try:
            while (event := self._http.next_event()) is h11.NEED_DATA:
                if self.closed:
                    raise connection_failure(self._failure)
                waits += 1
                if waits > UNPACED_READS:
                    await asyncio.sleep(READ_PAUSE)
                await self._more()
        except h11.RemoteProtocolError as error:
            raise (network_failure("closed" if self.closed else "http")) from error
        return event

    async def _more(self) -> None:
        self.resume()
        self._received = asyncio.get_running_loop().create_future()
        try:
            await self._received
        finally:
            self._received = None

    def _wake(self) -> None:
        if self._received is not None and not self._received.done():
            self._received.set_result(None)

    def _end(self, error: Exception | None) -> None:
        if not self.closed and error is None and self._asked:
            self._http.receive_data(b"")
        self.closed, self._failure = True, self._failure or error
        self._wake()

    def _is_answered_unasked(self) -> bool:
        """TLS sends bytes of its own to a new connection, plain TCP does not."""
        return not self.origin.tls and _is_readable(self.transport)


def _is_readable(transport: asyncio.Transport) -> bool:
    poll = select.poll()
    poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)
    return bool(poll.poll(0))

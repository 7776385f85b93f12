"""Sends HTTP requests to providers, under time limits.

Which provider is asked, and what follows a failure, is decided in handler/relay.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import NamedTuple, TypeVar

from handler.errors import UpstreamError
from handler.upstream.connection import READ_PAUSE, UNPACED_READS, network_failure
from handler.upstream.request import UpstreamRequest
from handler.upstream.signing import Sign, refuse_to_sign
from handler.wire.http import Request, Response, Transport, parse_url
from handler.wire.sse import MAX_EVENT

T = TypeVar("T")

# Seconds and bytes that a response may take to end after its stream, so that its connection can be reused.
DRAIN, MAX_DRAINED = 0.1, 100_000
# The most bytes of a stream without content: one event, and heartbeats around it.
MAX_WITHOUT_CONTENT = MAX_EVENT + 1_000_000
SMALL = 1_000  # bytes; a read of fewer counts towards a flood
SILENT = 10.0  # seconds of silence after which a closed connection counts as a timeout

Limit = tuple[float, str]  # a moment on the client's clock, and the failure class of passing it


class Limits(NamedTuple):
    """The time limits of one attempt."""

    began: float  # when the attempt began
    connect: float  # seconds
    first: Limit  # a stream's first content, or all of a whole answer
    idle: float  # seconds between the bytes of a stream
    total: Limit


class Stopwatch:
    """Measures how much of one call was spent waiting on providers, in seconds of `clock`.

    Waits that overlap, as those of a hedge do, count once.
    """

    __slots__ = ("_since", "_waited", "_waits", "clock")

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self._waited = 0.0
        self._waits = 0  # under way now
        self._since = 0.0

    def begin(self) -> float:
        """Begin a wait, and return the time."""
        now = self.clock()
        if not self._waits:
            self._since = now
        self._waits += 1
        return now

    def end(self) -> None:
        self._waits -= 1
        if not self._waits:
            self._waited += self.clock() - self._since

    @property
    def waited(self) -> float:
        """Seconds so far."""
        return self._waited + (self.clock() - self._since if self._waits else 0.0)

    async def pause(self, sleeping: Awaitable[None]) -> None:
        self.begin()
        try:
            await sleeping
        finally:
            self.end()

    def ms_since(self, began: float) -> int:
        return round((self.clock() - began) * 1000)

    async def within(self, awaitable: Awaitable[T], limit: Limit) -> T:
        """Await `awaitable`. Raises UpstreamError, also when the limit passes."""
        (at, failure_class), began = limit, self.begin()
        try:
            async with asyncio.timeout(at - began):
                return await awaitable
        except TimeoutError as error:
            raise UpstreamError("The provider took too long.", failure_class=failure_class) from error
        except UpstreamError as error:
            raise closed(failure_class, error, silent=self.clock() - began) from error.__cause__
        finally:
            self.end()


def closed(failure_class: str, error: UpstreamError | None = None, *, silent: float) -> UpstreamError:
    """Return the failure of a connection that closed after `silent` seconds, within a limit of that class.

    After a long silence it is a timeout, because a provider that is asked again would be silent as long.
    """
    failure = error or UpstreamError("The connection failed.", failure_class="network")
    if silent < SILENT or failure.failure_class != "network":
        return failure
    if failure_class == "timeout_total":  # the total time was not over yet
        failure_class = "timeout_idle"
    message = "The provider was silent for a long time, then closed the connection."
    return UpstreamError(message, failure_class=failure_class)


class Client:
    """Sends requests. There is one per process. It keeps connections, but no state of a call."""

    def __init__(self, transport: Transport, *, private_ok: bool, sign: Sign = refuse_to_sign) -> None:
        self.private_ok = private_ok  # upstreams may have private addresses, and no TLS
        self._transport = transport
        self._sign = sign

    async def send(
        self,
        request: UpstreamRequest,
        limits: Limits,
        stopwatch: Stopwatch,
        on_sent: Callable[[], None] = lambda: None,
    ) -> UpstreamResponse:
        """Send a request and return the open response. Raises UpstreamError.

        on_sent: called when the request goes out; the provider may charge for it from then on.
        """
        response = await stopwatch.within(self._send(request, limits, on_sent), limits.first)
        return UpstreamResponse(response, stopwatch, limits)

    async def signed(self, request: UpstreamRequest, limits: Limits, stopwatch: Stopwatch) -> UpstreamRequest:
        """Sign a request with the AWS credentials of the process. Raises UpstreamError."""
        return await stopwatch.within(self._sign(request), limits.first)

    async def aclose(self) -> None:
        """Close the connections that were kept."""
        await self._transport.aclose()

    async def _send(self, request: UpstreamRequest, limits: Limits, on_sent: Callable[[], None]) -> Response:
        try:
            url = parse_url(request.url)
        except ValueError as error:
            raise network_failure("dns") from error
        length = str(len(request.body)).encode()
        headers = [(b"host", url.authority), *request.headers, (b"content-length", length)]
        return await self._transport.send(
            Request(
                request.method,
                url,
                headers,
                request.body,
                connect_timeout=limits.connect,
                public_only=not self.private_ok,
                on_sent=on_sent,
            )
        )


class UpstreamResponse:
    """An open response, which is read under time limits. `aclose` closes it at any time."""

    def __init__(self, response: Response, stopwatch: Stopwatch, limits: Limits) -> None:
        self._body, self.status, self.headers = response.body, response.status, response.headers
        self._bytes = aiter(response.body)
        self._stopwatch, self._limits = stopwatch, limits
        self._ends = float("inf")  # when the rest is given up
        # Bytes of content so far; reads and bytes since content last came.
        self._content_bytes = self._reads = self._idle_bytes = 0

    @property
    def waited(self) -> float:
        """Seconds of the whole call that were spent waiting on providers."""
        return self._stopwatch.waited

    @property
    def ms(self) -> int:
        """Milliseconds since this attempt began."""
        return self._stopwatch.ms_since(self._limits.began)

    async def read(self, *, started: bool, content_bytes: int, patience: float | None) -> bytes:
        """Return the next bytes, empty at the end. Raises UpstreamError, also when a limit passes.

        started: True once content has come, `content_bytes` of it. patience: seconds to wait for the rest, or
        None for no such bound.
        """
        limits, limit, since = self._limits, self._limits.first, self._limits.began
        if started:
            since = self._stopwatch.clock()
            limit = min((since + limits.idle, "timeout_idle"), limits.total)
        if patience is None:
            self._ends = float("inf")
        else:
            self._ends = min(self._ends, self._stopwatch.clock() + patience)
            limit = min(limit, (self._ends, "timeout_idle"))
        if content_bytes != self._content_bytes:
            self._content_bytes, self._reads, self._idle_bytes = content_bytes, 0, 0
        self._reads += 1
        coming = anext(self._bytes, b"") if self._reads <= UNPACED_READS else self._paced()
        self._idle_bytes += len(data := await self._stopwatch.within(coming, limit))
        if self._idle_bytes > MAX_WITHOUT_CONTENT:
            raise UpstreamError("The provider's stream holds no content.", failure_class="protocol")
        if not data and (silent := self._stopwatch.clock() - since) >= SILENT:
            raise closed(limit[1], silent=silent)
        return data

    async def whole(self, most: int) -> bytes:
        """Read the whole body, or of a body over `most` bytes the beginning, which is longer than `most`."""
        return await self._stopwatch.within(self._gathered(most), self._limits.first)

    async def drain(self) -> None:
        """Read the few bytes that are left, so that the connection can be reused."""
        with suppress(UpstreamError):  # the answer is complete: only the connection is lost
            until = self._stopwatch.clock() + DRAIN, "timeout_idle"
            await self._stopwatch.within(self._gathered(MAX_DRAINED), until)

    async def aclose(self) -> None:
        await self._body.aclose()

    async def _paced(self) -> bytes:
        """Read the next bytes after a pause, so that a flood without content costs few reads."""
        await asyncio.sleep(READ_PAUSE)
        return await anext(self._bytes, b"")

    async def _gathered(self, most: int) -> bytes:
        body, reads = bytearray(), 0
        async for data in self._bytes:
            body += data
            reads += 1
            if len(body) > most:
                break
            if reads > UNPACED_READS and len(body) < reads * SMALL:
                await asyncio.sleep(READ_PAUSE)
        return bytes(body)

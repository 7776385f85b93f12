"""The HTTP of the `mcp` library: Sluice's own client carries its requests, under limits of time and size.

A server that breaks a limit gets its request answered here, with an error as JSON-RPC has it, so that only
this request fails and not the session.
https://modelcontextprotocol.io/specification/2025-11-25/basic/transports
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import httpx2

from handler.errors import UpstreamError
from handler.upstream.client import Client, Limits, Stopwatch, UpstreamResponse
from handler.upstream.request import USER_AGENT, UpstreamRequest

CONNECT, CALL, ANSWER, NOTIFICATION = 5.0, 60.0, 10.0, 2.0  # seconds
MAX_BYTES = 2_000_000  # of one response
MAX_LINES = 10_000  # of one stream of events
MAX_REQUESTS = 300  # of one session; a server can ask for more than Sluice sends by itself
# The library's headers that are sent, and the server's that the library gets.
_SENT = (b"accept", b"content-type", b"last-event-id", b"mcp-")
_RECEIVED = ("content-type", "mcp-session-id")
_EVENTS = "text/event-stream"


class ServerTransport(httpx2.AsyncBaseTransport):
    """Sends the requests of one session. deadline: of all of them, on the clock of the stopwatch."""

    def __init__(
        self, client: Client, *, credential: str | None, stopwatch: Stopwatch, deadline: float
    ) -> None:
        self._client = client
        self._credential = credential
        self._stopwatch = stopwatch
        self._deadline = deadline
        self._requests = 0

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self._requests += 1
        if self._requests > MAX_REQUESTS:
            return _failure(f"more than {MAX_REQUESTS} requests in one session")
        if request.method == "GET" and "last-event-id" not in request.headers:
            return httpx2.Response(405)  # a stream for what a server asks of its client, which gets nothing
        try:
            return await self._send(request)
        except UpstreamError as error:
            return _failure(error.message)

    async def _send(self, request: httpx2.Request) -> httpx2.Response:
        body = await request.aread()
        limits = self._limits(_seconds(request.method, body))
        response = await self._client.send(self._request(request, body), limits, self._stopwatch)
        headers = {name: value for name in _RECEIVED if (value := response.headers.get(name))}
        streams = headers.get("content-type", "").lower().startswith(_EVENTS)
        problem = _problem(response)
        if streams and problem is None:
            return httpx2.Response(response.status, headers=headers, stream=_Events(response))
        try:
            content = b"" if problem else await response.whole(MAX_BYTES)
        finally:
            await response.aclose()
        if len(content) > MAX_BYTES:
            problem = f"more than {MAX_BYTES} bytes"
        return (
            _failure(problem)
            if problem
            else httpx2.Response(response.status, headers=headers, content=content)
        )

    def _request(self, request: httpx2.Request, body: bytes) -> UpstreamRequest:
        headers = [pair for pair in request.headers.raw if pair[0].lower().startswith(_SENT)]
        headers += [(b"user-agent", USER_AGENT.encode()), (b"accept-encoding", b"identity")]
        if self._credential is not None:
            headers.append((b"authorization", f"Bearer {self._credential}".encode()))
        return UpstreamRequest(
            url=str(request.url), headers=headers, body=body, dropped=(), secrets=(), method=request.method
        )

    def _limits(self, seconds: float) -> Limits:
        now = self._stopwatch.clock()
        end = (min(now + seconds, self._deadline), "timeout_total")
        return Limits(began=now, connect=CONNECT, first=end, idle=seconds, total=end)


class _Events(httpx2.AsyncByteStream):
    """A stream of events, which ends with an error at a limit."""

    def __init__(self, response: UpstreamResponse) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = lines = 0
        try:
            while data := await self._response.read(started=True, content_bytes=0, patience=None):
                size, lines = size + len(data), lines + data.count(b"\n")
                if size > MAX_BYTES or lines > MAX_LINES:
                    raise httpx2.SSEError(f"more than {MAX_BYTES} bytes or {MAX_LINES} lines")
                yield data
        except UpstreamError as error:
            raise httpx2.SSEError(error.message) from error

    async def aclose(self) -> None:
        await self._response.aclose()


def _problem(response: UpstreamResponse) -> str | None:
    """Return why a response is not given to the library."""
    if 300 <= response.status < 400:
        return f"it answered {response.status}, and redirects are not followed"
    if response.status in (401, 403):
        return f"it answered {response.status}: the record's credential is missing or refused"
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        return "its answer is compressed"
    return None


def _seconds(method: str, body: bytes) -> float:
    """Return how long a request may take: less where nobody waits for its answer."""
    if method == "GET":
        return CALL
    message = json.loads(body) if body else {}
    if "id" not in message or "method" not in message:
        return NOTIFICATION
    return CALL if message["method"] == "tools/call" else ANSWER


def _failure(problem: str) -> httpx2.Response:
    error = {"code": -32000, "message": problem}
    return httpx2.Response(502, json={"jsonrpc": "2.0", "id": None, "error": error})

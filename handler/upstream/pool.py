"""The pool of connections to providers: opens, reuses and closes them.

Requests and responses are those of httpx. Its own pool is not used: before it reuses a connection it checks
the socket only, so bytes that it has already read would become the answer of the next caller.
"""

from __future__ import annotations

import asyncio
import ssl
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import AsyncIterator
from typing import Any

import httpx

from handler.settings import Settings
from handler.upstream.connection import PORTS, Connection, Origin
from handler.upstream.dialing import connect
from handler.upstream.proxies import Proxies, Proxy, read_proxies
from handler.upstream.trust import create_tls_context

MAX_IDLE = 20.0  # seconds; networks drop a connection that is idle for longer, without notice
# Seconds that a connection idles before its next request. A surplus response in this time closes it; later it
# would be the answer to the next request, perhaps of another user.
MIN_IDLE = 0.05
MAX_CONNECTIONS = 100  # that are idle
CONNECT_TIMEOUT = 5.0  # seconds, if the request has no own


def create_pool(settings: Settings) -> Pool:
    """Create the pool of a process. Raises InvalidSetting for an unusable proxy or certificate file."""
    return Pool(create_tls_context(settings), read_proxies(settings.environment))


class Pool(httpx.AsyncBaseTransport):
    """Sends each request over a connection that no other request uses at the same time."""

    def __init__(self, tls: ssl.SSLContext, proxies: Proxies) -> None:
        self._tls = tls
        self._proxies = proxies
        self._idle: OrderedDict[Connection, None] = OrderedDict()  # the longest idle first
        self._idle_at: dict[Origin, list[Connection]] = {}  # the same, by origin
        self._active: set[Connection] = set()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and return its response, before the body has come. Raises UpstreamError.

        Extensions of the request: `timeout` `{"connect": seconds}`; `public_only`, as in connect();
        `on_sent`, which is called when there is a connection, right before the request is written; and
        `min_idle`, in the place of MIN_IDLE.
        """
        assert isinstance(request.stream, httpx.ByteStream)
        url, proxy = request.url, None
        if url.scheme not in PORTS:
            raise httpx.UnsupportedProtocol(f"unknown scheme {url.scheme}")
        origin = Origin(url.scheme == "https", url.raw_host.decode(), url.port or PORTS[url.scheme])
        target, headers = url.raw_path, request.headers.raw
        if self._proxies != _NO_PROXIES:
            proxy = self._proxies.for_origin(origin)
            if proxy is not None and not origin.tls:
                target, headers = str(url).encode(), [*headers, *proxy.headers]
        min_idle = request.extensions.get("min_idle", MIN_IDLE)
        connection = self._take(origin, min_idle) or await self._connect(origin, proxy, request.extensions)
        self._active.add(connection)
        request.extensions.get("on_sent", _nothing)()
        try:
            status, fields = await connection.request(
                request.method, target, headers, b"".join(request.stream)
            )
        except BaseException:
            self.drop(connection)
            raise
        return httpx.Response(status, headers=fields, stream=_Body(connection, self))

    async def release(self, connection: Connection) -> None:
        """Take a connection back. Keeps it if it can be reused, and closes it if not."""
        if connection not in self._active:
            return
        if not connection.is_reusable():
            self.drop(connection)
        elif connection.resume():
            asyncio.get_running_loop().call_soon(self._keep, connection)  # after bytes that are on their way
        else:
            self._keep(connection)

    def _keep(self, connection: Connection) -> None:
        if connection not in self._active:
            return
        self._active.discard(connection)
        if connection.closed:  # by bytes that were on their way
            return
        connection.idle_since = now = asyncio.get_running_loop().time()
        self._idle[connection] = None
        self._idle_at.setdefault(connection.origin, []).append(connection)
        while self._is_expired(oldest := next(iter(self._idle)), now) or len(self._idle) > MAX_CONNECTIONS:
            self._remove(oldest, 0)
            oldest.abort()

    def _remove(self, connection: Connection, at: int) -> None:
        """Remove an idle connection, which is at that place in the list of its origin."""
        del self._idle[connection]
        others = self._idle_at[connection.origin]
        del others[at]
        if not others:
            del self._idle_at[connection.origin]

    async def aclose(self) -> None:
        for connection in (*self._idle, *self._active):
            connection.abort()
        for connections in (self._idle, self._idle_at, self._active):
            connections.clear()
        await asyncio.sleep(0)  # the loop closes the sockets here

    def _take(self, origin: Origin, min_idle: float) -> Connection | None:
        """Take the most recently used idle connection on which nothing has come, if there is one."""
        now = asyncio.get_running_loop().time()
        idle = self._idle_at.get(origin, ())
        at = bisect_right(
            idle, now - min_idle, key=_idle_since
        )  # those behind it are idle for too short a time
        while at > 0:
            connection = idle[at := at - 1]
            self._remove(connection, at)
            if not self._is_expired(connection, now) and connection.is_quiet():
                return connection
            connection.abort()
        return None

    def _is_expired(self, connection: Connection, now: float) -> bool:
        return connection.closed or now - connection.idle_since > MAX_IDLE

    async def _connect(self, origin: Origin, proxy: Proxy | None, extensions: Any) -> Connection:
        seconds = extensions.get("timeout", {}).get("connect", CONNECT_TIMEOUT)
        public_only = extensions.get("public_only", True)
        return await connect(origin, proxy=proxy, tls=self._tls, public_only=public_only, seconds=seconds)

    def drop(self, connection: Connection) -> None:
        """Close a connection that is in use."""
        self._active.discard(connection)
        connection.abort()


_NO_PROXIES = Proxies()


def _idle_since(connection: Connection) -> float:
    return connection.idle_since


def _nothing() -> None:
    """Do nothing."""


class _Body(httpx.AsyncByteStream):
    """The body of a response. `aclose` returns the connection to the pool; garbage collection closes it."""

    def __init__(self, connection: Connection, pool: Pool) -> None:
        self._connection = connection
        self._pool = pool
        self._loop = asyncio.get_running_loop()
        self._closed = False

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        data = await self._connection.read()
        if not data:
            raise StopAsyncIteration
        return data

    async def aclose(self) -> None:
        self._closed = True
        await self._pool.release(self._connection)

    def __del__(self) -> None:
        """Close the connection if a second cancellation kept the caller from aclose. Runs in any thread."""
        if not self._closed and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._pool.drop, self._connection)

"""The pool of connections to providers: opens, reuses and closes them.

A library's pool checks the socket before it reuses a connection; bytes that it has already read
would become the answer of the next caller.
"""

from __future__ import annotations

import asyncio
import ssl
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import AsyncIterator

from handler.settings import Settings
from handler.upstream.connection import Connection, Origin
from handler.upstream.dialing import connect
from handler.upstream.proxies import Proxies, read_proxies
from handler.upstream.trust import OF_PROVIDERS, create_tls_context
from handler.wire.http import Request, Response, joined

MAX_IDLE = 20.0  # seconds; networks drop a connection that is idle for longer, without notice
# Seconds that a connection idles before its next request. A surplus response in this time closes it; later it
# would be the answer to the next request, perhaps of another user.
MIN_IDLE = 0.05
MAX_CONNECTIONS = 100  # that are idle


def create_pool(settings: Settings, *, trust: str = OF_PROVIDERS) -> Pool:
    """Create a pool of a process. Raises InvalidSetting for an unusable proxy or certificate file.

    trust: the setting that names the file.
    """
    return Pool(create_tls_context(settings, name=trust), read_proxies(settings.environment))


class Pool:
    """Sends each request over a connection that no other request uses at the same time."""

    def __init__(self, tls: ssl.SSLContext, proxies: Proxies) -> None:
        self._tls = tls
        self._proxies = proxies
        self._idle: OrderedDict[Connection, None] = OrderedDict()  # the longest idle first
        self._idle_at: dict[Origin, list[Connection]] = {}  # the same, by origin
        self._active: set[Connection] = set()

    async def send(self, request: Request) -> Response:
        """Send a request and return its response, before the body has come. Raises UpstreamError."""
        url, proxy = request.url, None
        origin = Origin(url.tls, url.host, url.port)
        target, headers = url.target, request.headers
        if self._proxies != _NO_PROXIES:
            proxy = self._proxies.for_origin(origin)
            if proxy is not None and not origin.tls:
                target, headers = str(url).encode(), [*headers, *proxy.headers]
        min_idle = MIN_IDLE if request.min_idle is None else request.min_idle
        connection = self._take(origin, min_idle) or await connect(
            origin,
            proxy=proxy,
            tls=self._tls,
            public_only=request.public_only,
            seconds=request.connect_timeout,
        )
        self._active.add(connection)
        request.on_sent()
        try:
            status, fields = await connection.request(request.method, target, headers, request.body)
        except BaseException:
            self.drop(connection)
            raise
        return Response(status, joined(fields), _Body(connection, self))

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

    def drop(self, connection: Connection) -> None:
        """Close a connection that is in use."""
        self._active.discard(connection)
        connection.abort()


_NO_PROXIES = Proxies()


def _idle_since(connection: Connection) -> float:
    return connection.idle_since


class _Body:
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

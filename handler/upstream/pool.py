"""The pool of connections to providers: opens, reuses and closes them.

httpx gives the shapes of request and response. Its own pool is not used: it looks at the socket alone before
a connection serves again, and so takes bytes that it has read already for the next caller's answer.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from typing import Any

import certifi
import httpx

from handler.settings import InvalidSetting, Settings
from handler.upstream.connection import Connection, Origin
from handler.upstream.dialing import connect
from handler.upstream.proxies import Proxies, Proxy, proxies_from

KEEP_ALIVE = 20.0  # seconds a connection may rest: networks drop a longer silence without a word
# Seconds that a connection idles before it serves another request: one key may have many users. A surplus
# answer that comes in this time closes the connection; later it would be taken for the next request's answer.
SETTLE = 0.05
MAX_RESTING = 100
CONNECT = 5.0  # seconds, where the request does not say

_PORTS = {"http": 80, "https": 443}


def transport(settings: Settings) -> Pool:
    """The pool of a process. Raises InvalidSetting for a proxy or certificates that cannot be used."""
    return Pool(tls_context(settings), proxies_from(settings.environment))


def tls_context(settings: Settings) -> ssl.SSLContext:
    """Trust in the certificates of SSL_CERT_FILE, else in those of certifi. Raises InvalidSetting."""
    given = settings.environment.get("SSL_CERT_FILE")
    try:
        context = ssl.create_default_context(cafile=given or certifi.where())
    except ssl.SSLError as error:
        raise InvalidSetting(f"SSL_CERT_FILE: {given} holds no certificates in PEM form") from error
    except OSError as error:
        raise InvalidSetting(f"SSL_CERT_FILE: {given} cannot be read: {error.strerror}") from error
    context.set_alpn_protocols(["http/1.1"])
    return context


class Pool(httpx.AsyncBaseTransport):
    """Sends each request over a connection that it has to itself meanwhile."""

    def __init__(self, tls: ssl.SSLContext, proxies: Proxies) -> None:
        self._tls = tls
        self._proxies = proxies
        self._resting: list[Connection] = []  # the longest first
        self._serving: set[Connection] = set()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Sends a request and returns its response, whose body is still to come. Raises UpstreamError.

        Extensions of the request: `timeout` `{"connect": seconds}`, and `public_only`, as in connect().
        """
        assert isinstance(request.stream, httpx.ByteStream)
        url, proxy = request.url, None
        if url.scheme not in _PORTS:
            raise httpx.UnsupportedProtocol(f"there is no {url.scheme}")
        origin = Origin(url.scheme == "https", url.raw_host.decode(), url.port or _PORTS[url.scheme])
        target, headers = url.raw_path, request.headers.raw
        if self._proxies != _DIRECTLY:
            proxy = self._proxies.before(origin)
            if proxy is not None and not origin.tls:
                target, headers = str(url).encode(), [*headers, *proxy.headers]
        connection = self._take(origin) or await self._connect(origin, proxy, request.extensions)
        self._serving.add(connection)
        try:
            head = await connection.request(request.method, target, headers, b"".join(request.stream))
        except BaseException:
            self.drop(connection)
            raise
        return httpx.Response(head.status_code, headers=list(head.headers), stream=_Body(connection, self))

    async def release(self, connection: Connection) -> None:
        """Takes a connection back: keeps it if its response ended exactly, else closes it."""
        if connection not in self._serving:
            return
        if not connection.is_reusable():
            self.drop(connection)
        elif connection.resume():
            asyncio.get_running_loop().call_soon(self._rest, connection)  # behind what is on its way
        else:
            self._rest(connection)

    def _rest(self, connection: Connection) -> None:
        if connection not in self._serving:
            return
        self._serving.discard(connection)
        if connection.closed:  # what was on its way was nobody's
            return
        connection.rested = asyncio.get_running_loop().time()
        self._resting.append(connection)
        while len(self._resting) > MAX_RESTING or self._is_tired(self._resting[0], connection.rested):
            self._resting.pop(0).abort()

    async def aclose(self) -> None:
        for connection in (*self._resting, *self._serving):
            connection.abort()
        self._resting, self._serving = [], set()
        await asyncio.sleep(0)  # the loop closes the sockets now

    def _take(self, origin: Origin) -> Connection | None:
        """Takes the most recently used idle connection on which nothing has come."""
        now = asyncio.get_running_loop().time()
        for connection in self._resting[::-1]:
            if connection.origin == origin and now - connection.rested >= SETTLE:
                self._resting.remove(connection)
                if not self._is_tired(connection, now) and connection.is_quiet():
                    return connection
                connection.abort()
        return None

    def _is_tired(self, connection: Connection, now: float) -> bool:
        return connection.closed or now - connection.rested > KEEP_ALIVE

    async def _connect(self, origin: Origin, proxy: Proxy | None, extensions: Any) -> Connection:
        seconds = extensions.get("timeout", {}).get("connect", CONNECT)
        public_only = extensions.get("public_only", True)
        return await connect(origin, proxy=proxy, tls=self._tls, public_only=public_only, seconds=seconds)

    def drop(self, connection: Connection) -> None:
        """Closes a connection that serves."""
        self._serving.discard(connection)
        connection.abort()


_DIRECTLY = Proxies()


class _Body(httpx.AsyncByteStream):
    """The body of a response. Closing it returns the connection to the pool; dropping it unread closes it."""

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
        """A second cancellation can interrupt a caller before its aclose. Any thread may collect garbage."""
        if not self._closed and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._pool.drop, self._connection)

"""Opens a connection: looks the name up, checks the address, tunnels through a proxy, starts TLS.

Python's own loop and uvloop both serve; only what they share is used.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Sequence
from itertools import chain, zip_longest
from typing import Any

from handler.errors import UpstreamError
from handler.upstream.connection import Connection, Origin, connection_failure, network_failure
from handler.upstream.proxies import Proxy
from handler.wire.address import is_public, is_public_host

HEAD_START = 0.25  # seconds that one address has before the next is tried as well (RFC 8305, section 5)
MAX_ADDRESSES = 8

Address = tuple[Any, ...]  # as socket.connect takes it


async def connect(
    origin: Origin, *, proxy: Proxy | None, tls: ssl.SSLContext, public_only: bool, seconds: float
) -> Connection:
    """Opens a connection within that many seconds. Raises UpstreamError.

    `public_only`: no byte, not even a SYN, goes to an address that no upstream may have. A proxy looks names
    up by itself, so that of a host behind it no more can be judged than its name.
    """
    try:
        async with asyncio.timeout(seconds):
            if proxy is None:
                connection = await _tcp(origin, origin, public_only=public_only)
            else:
                if public_only and not is_public_host(origin.host):
                    raise _not_public()
                connection = await _through(proxy, origin, tls)
            return await _secured(connection, origin, tls) if origin.tls else connection
    except TimeoutError as error:
        raise UpstreamError("No connection was made in time.", failure_class="timeout_connect") from error
    except UnicodeError as error:  # of the resolver or of TLS: a label is empty or has over 63 characters
        raise network_failure("dns") from error


async def _through(proxy: Proxy, origin: Origin, tls: ssl.SSLContext) -> Connection:
    """Connects to the proxy; for an https origin it opens a tunnel (CONNECT)."""
    connection = await _tcp(proxy.origin, proxy.origin if origin.tls else origin, public_only=False)
    if proxy.origin.tls:
        connection = await _secured(connection, proxy.origin, tls)
    if not origin.tls:
        return connection
    try:
        host = f"[{origin.host}]" if ":" in origin.host else origin.host
        target = f"{host}:{origin.port}".encode()
        response = await connection.request("CONNECT", target, [(b"host", target), *proxy.headers], b"")
        if not 200 <= response.status_code < 300:
            raise network_failure("proxy", f"it answered {response.status_code}")
        if not connection.is_clean_tunnel():
            raise network_failure("proxy", "it sent data before the provider could")
    except BaseException:
        connection.abort()
        raise
    return connection


async def _secured(connection: Connection, origin: Origin, tls: ssl.SSLContext) -> Connection:
    """Starts TLS on the connection, and closes it when that fails or is cancelled."""
    secured, loop = Connection(origin), asyncio.get_running_loop()
    try:
        transport = await loop.start_tls(connection.transport, secured, tls, server_hostname=origin.host)
        if transport is None:
            raise network_failure("reset")
    except (OSError, ssl.SSLError) as error:
        connection.abort()
        raise connection_failure(error) from error
    except BaseException:
        connection.abort()
        raise
    secured.connection_made(transport)
    return secured


async def _tcp(to: Origin, origin: Origin, *, public_only: bool) -> Connection:
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(to.host, to.port, type=socket.SOCK_STREAM)
    except OSError as error:  # socket.gaierror is one
        raise network_failure("dns") from error
    addresses = _interleaved([one[4] for one in found])
    if public_only:
        addresses = [address for address in addresses if is_public(address[0])]
        if not addresses:
            raise _not_public()

    try:
        return await _first(addresses, origin)
    except OSError as error:
        raise connection_failure(error) from error


async def _first(addresses: Sequence[Address], origin: Origin) -> Connection:
    """Connects to the first address that accepts. Raises the OSError of the first address that failed."""
    attempts: list[asyncio.Task[Connection]] = []
    winner = None
    try:
        for address in addresses:
            attempts.append(asyncio.create_task(_open(address, origin)))
            patience = HEAD_START if len(attempts) < len(addresses) else None
            while winner is None and (pending := [one for one in attempts if not one.done()]):
                done, _ = await asyncio.wait(pending, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
                winner = next((one for one in done if not one.exception()), None)
                if patience is not None:
                    break  # it failed, or its head start is over
            if winner is not None:
                return winner.result()
        return attempts[0].result()
    finally:
        for attempt in attempts:
            if attempt is not winner:
                _drop(attempt)


def _drop(attempt: asyncio.Task[Connection]) -> None:
    """Cancels an attempt. Nothing is awaited: a cancellation could come in between and lose a connection."""
    attempt.add_done_callback(_abort)
    attempt.cancel()


def _abort(attempt: asyncio.Task[Connection]) -> None:
    if not attempt.cancelled() and attempt.exception() is None:
        attempt.result().abort()


async def _open(address: Address, origin: Origin) -> Connection:
    host, port, *_ = address
    if len(address) == 4 and address[3]:  # a link-local address of IPv6 names its interface
        host = f"{host}%{address[3]}"
    _, connection = await asyncio.get_running_loop().create_connection(lambda: Connection(origin), host, port)
    return connection


def _not_public() -> UpstreamError:
    return UpstreamError("The provider's address is not public.", failure_class="permission")


def _interleaved(addresses: Sequence[Address]) -> list[Address]:
    """Alternates IPv6 and IPv4, beginning as the system does: one of the two may be unreachable."""
    lengths = dict.fromkeys(len(one) for one in addresses)
    mixed = chain.from_iterable(zip_longest(*([a for a in addresses if len(a) == n] for n in lengths)))
    return list(dict.fromkeys(address for address in mixed if address))[:MAX_ADDRESSES]

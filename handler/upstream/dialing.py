"""Opens a connection: looks the name up, checks the addresses, tunnels through a proxy, starts TLS.

It runs on asyncio's own event loop and on uvloop.
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

ATTEMPT_DELAY = 0.25  # seconds before the next address is tried as well (RFC 8305, section 5)
MAX_ADDRESSES = 8

Address = tuple[Any, ...]  # of a socket


async def connect(
    origin: Origin, *, proxy: Proxy | None, tls: ssl.SSLContext, public_only: bool, seconds: float
) -> Connection:
    """Open a connection within that many seconds. Raises UpstreamError.

    public_only: no byte, not even a SYN, is sent to an address that is not public. A proxy looks names up
    itself, so of a host behind a proxy only the name is checked.
    """
    try:
        async with asyncio.timeout(seconds):
            if proxy is None:
                connection = await _connect_tcp(origin, origin, public_only=public_only)
            else:
                if public_only and not is_public_host(origin.host):
                    raise _not_public()
                connection = await _connect_through(proxy, origin, tls)
            return await _start_tls(connection, origin, tls) if origin.tls else connection
    except TimeoutError as error:
        raise UpstreamError("No connection was made in time.", failure_class="timeout_connect") from error
    except UnicodeError as error:  # from the resolver or TLS: a label is empty or longer than 63 characters
        raise network_failure("dns") from error


async def _connect_through(proxy: Proxy, origin: Origin, tls: ssl.SSLContext) -> Connection:
    """Connect to the proxy, and for an https origin open a tunnel (CONNECT)."""
    connection = await _connect_tcp(proxy.origin, proxy.origin if origin.tls else origin, public_only=False)
    if proxy.origin.tls:
        connection = await _start_tls(connection, proxy.origin, tls)
    if not origin.tls:
        return connection
    try:
        host = f"[{origin.host}]" if ":" in origin.host else origin.host
        target = f"{host}:{origin.port}".encode()
        status, _ = await connection.request("CONNECT", target, [(b"host", target), *proxy.headers], b"")
        if status >= 300:
            raise network_failure("proxy", f"it answered {status}")
        if not connection.is_clean_tunnel():
            raise network_failure("proxy", "it sent data before the provider could")
    except BaseException:
        connection.abort()
        raise
    return connection


async def _start_tls(connection: Connection, origin: Origin, tls: ssl.SSLContext) -> Connection:
    """Start TLS on a connection, and close it if that fails or is cancelled."""
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


async def _connect_tcp(server: Origin, origin: Origin, *, public_only: bool) -> Connection:
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(server.host, server.port, type=socket.SOCK_STREAM)
    except OSError as error:  # such as socket.gaierror
        raise network_failure("dns") from error
    addresses = _interleave([one[4] for one in found])
    if public_only:
        addresses = [address for address in addresses if is_public(address[0])]
        if not addresses:
            raise _not_public()

    try:
        return await _connect_first(addresses, origin)
    except OSError as error:
        raise connection_failure(error) from error


async def _connect_first(addresses: Sequence[Address], origin: Origin) -> Connection:
    """Connect to the address that accepts first (RFC 8305). Raises the OSError of the first in the list."""
    attempts: list[asyncio.Task[Connection]] = []
    winner = None
    try:
        for address in addresses:
            attempts.append(asyncio.create_task(_open(address, origin)))
            delay = ATTEMPT_DELAY if len(attempts) < len(addresses) else None
            while winner is None and (pending := [one for one in attempts if not one.done()]):
                done, _ = await asyncio.wait(pending, timeout=delay, return_when=asyncio.FIRST_COMPLETED)
                winner = next((one for one in done if not one.exception()), None)
                if delay is not None:
                    break  # the attempt failed, or it is time for the next
            if winner is not None:
                return winner.result()
        return attempts[0].result()
    finally:
        for attempt in attempts:
            if attempt is not winner:
                _drop(attempt)


def _drop(attempt: asyncio.Task[Connection]) -> None:
    """Cancel an attempt. It awaits nothing, because a cancellation meanwhile could lose a connection."""
    attempt.add_done_callback(_abort)
    attempt.cancel()


def _abort(attempt: asyncio.Task[Connection]) -> None:
    if not attempt.cancelled() and attempt.exception() is None:
        attempt.result().abort()


async def _open(address: Address, origin: Origin) -> Connection:
    host, port, *_ = address
    if len(address) == 4 and address[3]:  # the interface of a link-local IPv6 address
        host = f"{host}%{address[3]}"
    _, connection = await asyncio.get_running_loop().create_connection(lambda: Connection(origin), host, port)
    return connection


def _not_public() -> UpstreamError:
    return UpstreamError("The provider's address is not public.", failure_class="permission")


def _interleave(addresses: Sequence[Address]) -> list[Address]:
    """Alternates IPv6 and IPv4, in the order of the system, because one of the two may be unreachable."""
    lengths = dict.fromkeys(len(one) for one in addresses)
    mixed = chain.from_iterable(zip_longest(*([a for a in addresses if len(a) == n] for n in lengths)))
    return list(dict.fromkeys(address for address in mixed if address))[:MAX_ADDRESSES]

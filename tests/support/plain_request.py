"""Requests for tests of the pool, without the client above it."""

from __future__ import annotations

from handler.wire.http import Request, Response, Transport, parse_url


def plain_request(url: str, body: bytes = b"{}", *, public_only: bool = False) -> Request:
    """A POST to a provider, which may be on loopback."""
    headers = [(b"host", b"provider"), (b"content-length", b"%d" % len(body))]
    return Request("POST", parse_url(url), headers, body, connect_timeout=5.0, public_only=public_only)


async def read_all(response: Response) -> bytes:
    """The body. The connection is given back."""
    try:
        return b"".join([piece async for piece in response.body])
    finally:
        await response.body.aclose()


async def ask(transport: Transport, url: str, body: bytes = b"{}") -> bytes:
    """Send a request, read its response, and give the connection back."""
    return await read_all(await transport.send(plain_request(url, body)))

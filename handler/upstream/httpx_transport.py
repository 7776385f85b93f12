"""An httpx transport in the place of the pool of connections: a mock, an ASGI app, or one of your own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx

from handler.upstream.connection import network_failure
from handler.wire.http import Body, Request, Response, joined


class HttpxTransport:
    """Sends requests over an httpx transport, whose errors become UpstreamErrors."""

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        self._transport = transport

    async def send(self, request: Request) -> Response:
        """Send a request and return its response, before the body has come. Raises UpstreamError."""
        sent = httpx.Request(
            request.method,
            str(request.url),
            headers=request.headers,
            stream=httpx.ByteStream(request.body),
            extensions={
                "timeout": {"connect": request.connect_timeout},
                "public_only": request.public_only,
                "on_sent": request.on_sent,
            },
        )
        try:
            response = await self._transport.handle_async_request(sent)
        except httpx.TransportError as error:
            raise network_failure("unreachable") from error
        return Response(response.status_code, joined(response.headers.raw), _Body(response))

    async def aclose(self) -> None:
        await self._transport.aclose()


class _Body(Body):
    def __init__(self, response: httpx.Response) -> None:
        assert isinstance(response.stream, httpx.AsyncByteStream)
        self._response = response
        self._stream = response.stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for data in self._stream:
                yield data
        except httpx.TransportError as error:
            raise network_failure("closed") from error

    async def aclose(self) -> None:
        await self._response.aclose()

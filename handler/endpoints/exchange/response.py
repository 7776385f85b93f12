"""Complete responses over ASGI, with legal header values and JSON that can always be encoded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from handler.endpoints.exchange.http import encode_headers
from handler.wire.splice import dump

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send


class Response:
    """An ASGI response with a known body."""

    def __init__(self, body: bytes, status: int = 200, *, headers: Mapping[str, str] | None = None) -> None:
        own = {"content-type": "application/json", "content-length": str(len(body))}
        self.body = body
        self.status = status
        self._headers = encode_headers({**own, **(headers or {})})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status, "headers": self._headers})
        await send({"type": "http.response.body", "body": self.body})


def json_response(content: Any, status: int = 200, *, headers: Mapping[str, str] | None = None) -> Response:
    """Return `content` as JSON. Any text can be encoded: half a surrogate pair becomes an escape."""
    return Response(dump(content).encode(), status, headers=headers)

"""Whole answers of ours over ASGI: JSON that always encodes, header values that are always legal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from handler.endpoints.http import encode_headers
from handler.endpoints.streaming import Receive, Scope, Send
from handler.wire.splice import dump


class Response:
    """An ASGI response with a known body."""

    def __init__(self, body: bytes, status: int = 200, *, headers: Mapping[str, str] | None = None) -> None:
        own = {"content-type": "application/json", "content-length": str(len(body))}
        self._body = body
        self._status = status
        self._headers = encode_headers({**own, **(headers or {})})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self._status, "headers": self._headers})
        await send({"type": "http.response.body", "body": self._body})


def json_response(content: Any, status: int = 200, *, headers: Mapping[str, str] | None = None) -> Response:
    """`content` as JSON, whatever text a caller put into it: half a surrogate pair stays an escape."""
    return Response(dump(content).encode(), status, headers=headers)

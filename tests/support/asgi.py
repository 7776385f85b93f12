"""An ASGI client that sends paths and headers byte for byte: HTTP clients normalise them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

Json = dict[str, Any]


@dataclass(slots=True)
class Response:
    """An app's response, in the pieces that it sent."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    pieces: list[bytes] = field(default_factory=list)
    ended: bool = False

    @property
    def body(self) -> bytes:
        return b"".join(self.pieces)

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> Json:
        return dict(self.json["error"])

    @property
    def content(self) -> str:
        """The text of a completion, whole or streamed."""
        if self.headers["content-type"].startswith("application/json"):
            return str(self.json["choices"][0]["message"]["content"])
        choices = [
            choice for event in self.events if event != "[DONE]" for choice in event.get("choices", ())
        ]
        return "".join(choice["delta"].get("content") or "" for choice in choices)

    @property
    def events(self) -> list[Any]:
        """The data of a stream's events, parsed except for `[DONE]`."""
        found = [part[6:] for part in self.body.decode().split("\n\n") if part.startswith("data: ")]
        return [text if text == "[DONE]" else json.loads(text) for text in found]


async def call(
    app: Any,
    method: str,
    path: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    leave: asyncio.Event | None = None,
    extra: Mapping[str, Any] | None = None,
) -> Response:
    """Sends one request. The client disconnects when `leave` is set. `extra`: more fields of the scope."""
    response, messages = Response(), [{"type": "http.request", "body": body, "more_body": False}]
    leave = leave or asyncio.Event()

    async def receive() -> Json:
        if messages:
            return messages.pop()
        await leave.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            response.status = message["status"]
            response.headers = {name.decode(): value.decode("latin-1") for name, value in message["headers"]}
        else:
            response.pieces.append(message.get("body", b""))
            response.ended = not message.get("more_body", False)
            if response.ended:
                leave.set()  # as servers do: `receive` reports a disconnect after the end
                await asyncio.sleep(0)

    raw = [(name.lower().encode(), value.encode("utf-8")) for name, value in (headers or {}).items()]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "https",
        "path": unquote(path.partition("?")[0]),
        "raw_path": path.encode(),
        "query_string": path.partition("?")[2].encode(),
        "root_path": "",
        "headers": raw,
        "client": ("192.0.2.1", 1),
        "server": ("sluice.test", 443),
        **(extra or {}),
    }
    await app(scope, receive, send)
    return response

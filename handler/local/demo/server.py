"""Serves the demo model: OpenAI's chat completions over HTTP, answered without a real model.

It repeats the last message, calls every given tool, fills in schemas, and fails on request (BEHAVIOURS). The
gateway calls it like any provider.
https://platform.openai.com/docs/api-reference/chat
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

from handler.local.demo.reply import chunks, completion, make_reply

Json = dict[str, Any]
Header = tuple[bytes, bytes]
Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
Receive = Callable[[], Awaitable[Message]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

PAUSE = 0.015  # seconds between two words


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """How a model of the demo provider misbehaves, for trying out failover."""

    description: str
    status: int = 200
    retry_after: str | None = None
    delay: float = 0.0  # seconds before the first word
    pace: float = 1.0  # times PAUSE between two words
    cut: int | None = None  # frames after which the connection drops
    fail: int | None = None  # frames after which an error event ends the stream


BEHAVIOURS: Mapping[str, Behaviour] = {
    "echo": Behaviour(description="answers"),
    "echo-slow": Behaviour(description="answers slowly", pace=20),
    "echo-late": Behaviour(description="is silent for 20 seconds first", delay=20),
    "echo-cut": Behaviour(description="drops the connection after a few words", cut=4),
    "echo-error": Behaviour(description="ends its stream with an error event", fail=4),
    "echo-400": Behaviour(description="refuses every request as invalid", status=400),
    "echo-401": Behaviour(description="refuses the gateway's credential", status=401),
    "echo-429": Behaviour(description="is always over its limit", status=429, retry_after="1"),
    "echo-500": Behaviour(description="always fails", status=500),
    "echo-503": Behaviour(description="is always overloaded", status=503),
}
_ERRORS = {
    400: ("invalid_request_error", "invalid_value"),
    401: ("authentication_error", "invalid_api_key"),
    404: ("invalid_request_error", "model_not_found"),
    429: ("rate_limit_error", "rate_limit_exceeded"),
    503: ("service_unavailable_error", "server_is_overloaded"),
}


class Failure(Exception):
    """An error response."""

    def __init__(self, status: int, message: str, retry_after: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.headers = [(b"retry-after", retry_after.encode())] if retry_after else []

    def body(self) -> Json:
        kind, code = _ERRORS.get(self.status, ("server_error", None))
        param = "messages" if self.status == 400 else None
        return {"error": {"message": str(self), "type": kind, "param": param, "code": code}}


def create_demo(*, pause: float = PAUSE) -> App:
    """Return the demo provider as an ASGI application. `pause`: seconds between two words."""

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        try:
            match scope["method"], scope["path"].rsplit("/v1", 1)[-1]:
                case "GET", "/models":
                    await _send_json(send, 200, {"object": "list", "data": _list_models()})
                case "POST", "/chat/completions":
                    await _chat(await _read_body(receive), send, pause)
                case method, path:
                    raise Failure(404, f"There is nothing at {method} {path}.")
        except Failure as failure:
            await _send_json(send, failure.status, failure.body(), failure.headers)

    return app


def _list_models() -> list[Json]:
    return [{"id": name, "object": "model", "created": 0, "owned_by": "local"} for name in BEHAVIOURS]


async def _chat(body: Json, send: Send, pause: float) -> None:
    behaviour = BEHAVIOURS.get(str(body.get("model")))
    if behaviour is None:
        raise Failure(404, f"The demo provider has no model {body.get('model')!r}.")
    await asyncio.sleep(behaviour.delay)
    if behaviour.status != 200:
        raise Failure(behaviour.status, f"This model {behaviour.description}.", behaviour.retry_after)
    reply = make_reply(body)
    head = {"id": f"chatcmpl-{secrets.token_hex(12)}", "created": int(time.time()), "model": body["model"]}
    if body.get("stream") is True:
        await _send_stream(send, chunks(body, reply, head=head), behaviour, pause * behaviour.pace)
    elif behaviour.cut or behaviour.fail:
        raise Failure(500, f"This model {behaviour.description}.")
    else:
        await asyncio.sleep(pause * behaviour.pace)
        await _send_json(send, 200, completion(body, reply, head=head))


async def _send_stream(send: Send, frames: Iterator[Json], behaviour: Behaviour, pause: float) -> None:
    await _send_head(send, 200, [(b"content-type", b"text/event-stream")])
    for sent, chunk in enumerate(frames):
        if sent == behaviour.cut:
            return  # the server drops a connection whose response is not complete
        if sent == behaviour.fail:
            await _send_last(send, _event(Failure(500, f"This model {behaviour.description}.").body()))
            return
        await send({"type": "http.response.body", "body": _event(chunk), "more_body": True})
        await asyncio.sleep(pause)
    await _send_last(send, b"data: [DONE]\n\n")


def _event(chunk: Json) -> bytes:
    return b"data: " + _json(chunk) + b"\n\n"


def _json(body: Json) -> bytes:
    """Return UTF-8, with half a surrogate pair as its JSON escape."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode(errors="backslashreplace")


async def _send_json(send: Send, status: int, body: Json, headers: Iterable[Header] = ()) -> None:
    await _send_head(send, status, [(b"content-type", b"application/json"), *headers])
    await _send_last(send, _json(body))


async def _send_head(send: Send, status: int, headers: Iterable[Header]) -> None:
    await send({"type": "http.response.start", "status": status, "headers": list(headers)})


async def _send_last(send: Send, body: bytes) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": False})


async def _read_body(receive: Receive) -> Json:
    """Return the request's body; an empty one for JSON that is not an object."""
    text, more = b"", True
    while more:
        message = await receive()
        text += message.get("body", b"")
        more = message.get("more_body", False)
    try:
        body = json.loads(text)
    except ValueError as error:
        raise Failure(400, f"This is not JSON: {error}") from error
    return body if isinstance(body, dict) else {}

"""HTTP helpers that every endpoint shares: bodies, deadlines, disconnects, headers, request ids."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Coroutine, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from handler.log import RequestLog
from handler.wire.content_encoding import body_too_large, decode_body
from handler.wire.header_values import encode_header_value

if TYPE_CHECKING:
    from starlette.datastructures import Headers, QueryParams
    from starlette.types import Receive, Scope

T = TypeVar("T")

MAX_LENGTH_DIGITS = 18  # digits of a declared length that are read at all
DEADLINE_MARGIN = 1.0  # seconds kept back of what Lambda leaves us, to end the answer properly
LONGEST_VALUE = 1000  # characters of a response header's value: clients and proxies limit theirs

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_TRACEPARENT = re.compile(
    r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}"
)  # https://www.w3.org/TR/trace-context/
_TRACE_ID = re.compile(r"[\x21-\x7e]{1,128}")
_CUT_ESCAPE = re.compile(r"%[0-9A-F]?$")


class HttpRequest:
    """A request as endpoints take it: what most of them need is there without Starlette."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.scope = scope
        self.receive = receive

    @property
    def path_params(self) -> Mapping[str, str]:
        params: Mapping[str, str] = self.scope["path_params"]
        return params

    @property
    def headers(self) -> Headers:
        from starlette.datastructures import Headers

        return Headers(scope=self.scope)

    @property
    def query_params(self) -> QueryParams:
        from starlette.datastructures import QueryParams

        return QueryParams(self.scope["query_string"])


def decode_headers(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Return a request's headers as ASGI has them, with the values of a repeated name joined by commas.

    https://www.rfc-editor.org/rfc/rfc9110#section-5.3
    """
    found: dict[str, str] = {}
    for name, value in raw:
        key, text = name.decode("latin-1"), value.decode("latin-1")
        found[key] = f"{found[key]}, {text}" if key in found else text
    return found


def encode_headers(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """Return a response's headers for ASGI, each value made legal and cut to LONGEST_VALUE."""
    encoded = []
    for name, value in headers.items():
        text = encode_header_value(value)
        if len(text) > LONGEST_VALUE:
            text = _CUT_ESCAPE.sub("", text[: LONGEST_VALUE - 3]) + "..."
        encoded.append((name.encode("ascii"), text.encode()))
    return encoded


def sanitize_headers(raw: Iterable[tuple[bytes, bytes]]) -> Iterator[tuple[bytes, bytes]]:
    """Yield `raw` with legal values, because CORS headers repeat text that the client sent."""
    return ((name, encode_header_value(value.decode("latin-1")).encode()) for name, value in raw)


def request_id(headers: Mapping[str, str]) -> str | None:
    """Return the client's own id of the request if it is safe to echo."""
    return _matching(_REQUEST_ID, headers.get("x-request-id"))


def trace_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the client's tracing headers that are well-formed: they are echoed and logged."""
    found = {
        "traceparent": _matching(_TRACEPARENT, headers.get("traceparent")),
        "x-opper-trace-id": _matching(_TRACE_ID, headers.get("x-opper-trace-id")),
    }
    return {name: value for name, value in found.items() if value is not None}


def _matching(pattern: re.Pattern[str], value: str | None) -> str | None:
    return value if value is not None and pattern.fullmatch(value) else None


class ClientDisconnected(Exception):
    """The client disconnected, so no answer can be sent."""


async def read_body(receive: Receive, headers: Mapping[str, str], limit: int) -> bytes:
    """Read and decode the whole body. Raises GatewayError (too large, malformed), ClientDisconnected."""
    declared = headers.get("content-length", "").lstrip("0")
    if declared.isdecimal() and (len(declared) > MAX_LENGTH_DIGITS or int(declared) > limit):
        raise body_too_large(limit)
    body, more = bytearray(), True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnected
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > limit:
            raise body_too_large(limit)
    return decode_body(bytes(body), headers.get("content-encoding", ""), limit)


def deadline_of(scope: Scope, now: float) -> float:
    """Return the time when the answer must have ended, on the clock of `now`; infinity outside Lambda."""
    context = scope.get("aws.context")
    if context is None:
        return float("inf")
    return now + float(context.get_remaining_time_in_millis()) / 1000 - DEADLINE_MARGIN


def read_query_key(request: HttpRequest) -> None:
    """Treat the `key` of a query as x-goog-api-key, as Google's APIs do."""
    entry: RequestLog = request.scope["sluice.entry"]
    if (key := request.query_params.get("key")) and "x-goog-api-key" not in entry.headers:
        entry.headers = {**entry.headers, "x-goog-api-key": key}


async def cancel_on_disconnect(work: Coroutine[Any, Any, T], receive: Receive) -> T:
    """Return the result of `work`; cancels it and raises ClientDisconnected if the client leaves first."""
    working, disconnected = asyncio.current_task(), False
    assert working is not None

    async def watch() -> None:
        nonlocal disconnected
        while (await receive())["type"] != "http.disconnect":
            pass
        disconnected = True
        working.cancel()

    watching = asyncio.create_task(watch())
    try:
        return await work
    except asyncio.CancelledError:
        if disconnected and working.uncancel() == 0:
            raise ClientDisconnected from None
        raise
    finally:
        watching.cancel()

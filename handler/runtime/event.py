"""Lambda's event as an ASGI request (Mangum reads it), and the head of an answer as Lambda wants it.

https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, MutableMapping
from typing import Any

from mangum.handlers import APIGateway, HTTPGateway
from mangum.types import LambdaConfig

from handler.errors import InvalidRequest

# Lambda sets these itself; `content-length` would come out under another name.
NOT_OURS = frozenset({"connection", "content-length", "date", "keep-alive", "server", "transfer-encoding"})

_CONFIG = LambdaConfig(api_gateway_base_path="/", text_mime_types=[], exclude_headers=[])
_UNREADABLE = (
    "This function answers HTTP requests: call its URL. The event is not an HTTP request that can be read."
)


def parsed(event: bytes) -> Any:
    """Parses an event like Lambda's own client; None for what is not JSON."""
    try:
        return json.loads(event)
    except (ValueError, RecursionError):
        return None


def request_of(event: Any, context: Any) -> tuple[MutableMapping[str, Any], bytes]:
    """The ASGI scope and body of an event that is an HTTP request. Raises InvalidRequest for any other."""
    try:
        kinds = (HTTPGateway, APIGateway)
        kind = next(kind for kind in kinds if kind.infer(event, context, _CONFIG))
        request = kind(event, context, _CONFIG)
        scope, body = request.scope, request.body
        raw_path = event.get("rawPath", scope["path"]).encode()
    except (StopIteration, LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise InvalidRequest(_UNREADABLE) from error
    # 2.4: `send` raises OSError when the client is gone, so Starlette starts no task to watch for that.
    scope.update(asgi={"version": "3.0", "spec_version": "2.4"}, raw_path=raw_path)
    return scope, body


def prelude(status: int, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Status and headers for Lambda: one value per name, cookies apart, and no NUL (JSON escapes it)."""
    joined: dict[str, str] = {}
    cookies = []
    for raw_name, raw_value in headers:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        if name == "set-cookie":
            cookies.append(value)
        elif name not in NOT_OURS:
            joined[name] = f"{joined[name]}, {value}" if name in joined else value
    told: Mapping[str, Any] = {"statusCode": status, "headers": joined}
    return json.dumps({**told, "cookies": cookies} if cookies else told).encode()

"""Converts Lambda's events to ASGI requests (with Mangum), and the head of an answer to Lambda's form.

https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
"""

from __future__ import annotations

import json
from collections.abc import Iterable, MutableMapping
from typing import Any

from mangum.handlers import APIGateway, HTTPGateway
from mangum.types import LambdaConfig

from handler.errors import InvalidRequest

# Lambda sets these itself, and would rename `content-length`.
_SET_BY_LAMBDA = frozenset(
    {"connection", "content-length", "date", "keep-alive", "server", "transfer-encoding"}
)

_CONFIG = LambdaConfig(api_gateway_base_path="/", text_mime_types=[], exclude_headers=[])
_UNREADABLE = "This function answers HTTP requests at its URL. The event is not a valid HTTP request."


def parse_event(event: bytes) -> Any:
    """Parse an event as Lambda's own client does; None if it is not JSON."""
    try:
        return json.loads(event)
    except (ValueError, RecursionError):
        return None


def to_asgi(event: Any, context: Any) -> tuple[MutableMapping[str, Any], bytes]:
    """Return the ASGI scope and the body of an HTTP event. Raises InvalidRequest for any other event."""
    try:
        kinds = (HTTPGateway, APIGateway)
        kind = next(kind for kind in kinds if kind.infer(event, context, _CONFIG))
        request = kind(event, context, _CONFIG)
        scope, body = request.scope, request.body
        raw_path = event.get("rawPath", scope["path"]).encode()
    except (StopIteration, LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise InvalidRequest(_UNREADABLE) from error
    # 2.4: `send` raises OSError once the client is gone, so Starlette starts no task that waits for it.
    scope.update(asgi={"version": "3.0", "spec_version": "2.4"}, raw_path=raw_path)
    return scope, body


def encode_prelude(status: int, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Encode status and headers as JSON: one value per name, cookies apart, NUL escaped."""
    joined: dict[str, str] = {}
    cookies = []
    for raw_name, raw_value in headers:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        if name == "set-cookie":
            cookies.append(value)
        elif name not in _SET_BY_LAMBDA:
            joined[name] = f"{joined[name]}, {value}" if name in joined else value
    prelude = {"statusCode": status, "headers": joined, **({"cookies": cookies} if cookies else {})}
    return json.dumps(prelude).encode()

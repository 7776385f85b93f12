"""GET /health: the state of rules, keys and credentials. It reads no table."""

from __future__ import annotations

from starlette.requests import Request

from handler.endpoints.response import Response, json_response
from handler.errors import GatewayError
from handler.gateway.gateway import Gateway
from handler.log import RequestLog


async def health(gateway: Gateway, request: Request) -> Response:
    """Return the state of the gateway, with details for a `manage` key; 503 if no request can be served."""
    entry: RequestLog = request.scope["sluice.entry"]
    entry.routine = True
    status, body = gateway.health(detailed=_manages(gateway, request))
    return json_response(body, status, headers={"cache-control": "no-store"})


def _manages(gateway: Gateway, request: Request) -> bool:
    try:
        return "manage" in gateway.auth.cached_key(request.headers).scopes
    except GatewayError:
        return False

"""GET /health: whether requests can be served, from memory alone."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse

from handler.errors import GatewayError
from handler.gateway import Gateway


async def health(gateway: Gateway, request: Request) -> JSONResponse:
    """The rules' state, to a `manage` key also which records cannot be read. 503: nothing can be served."""
    status, body = gateway.health(detailed=_manages(gateway, request))
    return JSONResponse(body, status, headers={"cache-control": "no-store"})


def _manages(gateway: Gateway, request: Request) -> bool:
    try:
        return "manage" in gateway.auth.remembered(request.headers).scopes
    except GatewayError:
        return False

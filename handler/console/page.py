"""GET /console and the files of the page."""

from __future__ import annotations

from handler.console.call import require_console
from handler.endpoints.exchange.http import HttpRequest
from handler.endpoints.exchange.response import Response
from handler.errors import NotFound
from handler.gateway.lifecycle import Gateway


async def page(gateway: Gateway, request: HttpRequest) -> Response:
    """Return the page, or one of its files."""
    require_console(gateway)
    if request.scope["path"] != "/console":
        raise NotFound("The console has no such file.", code="unknown_url")
    return Response(b"<!doctype html><title>Sluice</title>", headers={"content-type": "text/html"})

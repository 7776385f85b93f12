"""GET /: name, version, endpoints and documentation. It needs no key and reveals no rules."""

from __future__ import annotations

from starlette.requests import Request

from handler import __version__
from handler.endpoints.exchange.response import Response, json_response
from handler.endpoints.table import ENDPOINTS, display_path
from handler.gateway.lifecycle import Gateway

DOCUMENTATION = "docs/api.md, which comes with the gateway's source"


async def root(gateway: Gateway, request: Request) -> Response:
    return json_response(
        {
            "name": "sluice",
            "version": __version__,
            "documentation": DOCUMENTATION,
            "endpoints": [f"{method} {display_path(path)}" for method, path, _ in ENDPOINTS],
        }
    )

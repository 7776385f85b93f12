"""POST /explain: the decision for a chat request, without calling anyone."""

from __future__ import annotations

from starlette.requests import Request

from handler.endpoints.response import Response, json_response
from handler.gateway.gateway import Gateway


async def explain(gateway: Gateway, request: Request) -> Response:
    """The decision's explanation; a refusal is part of it, not an error of this call."""
    asked = await gateway.asked(request.receive, request.scope["sluice.entry"])
    return json_response(asked.explanation())

"""POST /explain: the decision for a chat request, without calling a provider."""

from __future__ import annotations

from starlette.requests import Request

from handler.endpoints.response import Response, json_response
from handler.gateway.gateway import Gateway


async def explain(gateway: Gateway, request: Request) -> Response:
    """Return the explanation of a decision. A refusal is part of it, not an error of this endpoint."""
    asked = await gateway.asked(request.receive, request.scope["sluice.entry"])
    return json_response(asked.explanation())

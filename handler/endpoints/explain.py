"""POST /explain: the decision for a chat request, without calling anyone."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse

from handler.gateway import Gateway


async def explain(gateway: Gateway, request: Request) -> JSONResponse:
    """The decision's explanation; a refusal is part of it, not an error of this call."""
    asked = await gateway.asked(request.receive, request.scope["sluice.entry"])
    return JSONResponse(asked.explanation())

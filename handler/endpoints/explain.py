"""POST /explain: the decision for a chat request, without calling a provider."""

from __future__ import annotations

from starlette.requests import Request

from handler.endpoints.exchange.http import read_body
from handler.endpoints.exchange.response import Response, json_response
from handler.gateway.admission import authenticate, decide_on
from handler.gateway.lifecycle import Gateway
from handler.log import RequestLog


async def explain(gateway: Gateway, request: Request) -> Response:
    """Return the explanation of a decision. A refusal is part of it, not an error of this endpoint."""
    entry: RequestLog = request.scope["sluice.entry"]
    key = await authenticate(gateway, entry)
    body = await read_body(request.receive, entry.headers, gateway.settings.max_body)
    admitted = await decide_on(gateway, key, body, entry)
    return json_response(admitted.explanation())

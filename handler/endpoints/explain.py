"""POST /explain: the decision for a chat request, or for another operation, without calling a provider."""

from __future__ import annotations

from handler.endpoints.exchange.http import HttpRequest, read_body
from handler.endpoints.exchange.response import Response, json_response
from handler.errors import InvalidRequest
from handler.formats.operations.operation import BY_PATH
from handler.gateway.admission import authenticate, decide_on
from handler.gateway.lifecycle import Gateway
from handler.gateway.operation_admission import decide_on_operation
from handler.log import RequestLog


async def explain(gateway: Gateway, request: HttpRequest) -> Response:
    """Return the explanation of a decision. A refusal is part of it, not an error of this endpoint."""
    entry: RequestLog = request.scope["sluice.entry"]
    key = await authenticate(gateway, entry)
    body = await read_body(request.receive, entry.headers, gateway.settings.max_body)
    if (path := request.query_params.get("endpoint")) is None:
        admitted = await decide_on(gateway, key, body, entry)
    elif (operation := BY_PATH.get(path)) is not None:
        admitted = await decide_on_operation(gateway, key, operation, body, entry)
    else:
        raise InvalidRequest(f"endpoint: expected one of {', '.join(BY_PATH)}", param="endpoint")
    return json_response(admitted.explanation())

"""POST /report, /report-anthropic: OpenPipe's endpoints that log a call made elsewhere.

Sluice has no content log yet, so a report is parsed and discarded; code that sends reports keeps working.
"""

from __future__ import annotations

from starlette.requests import Request

from handler.endpoints.http import read_body
from handler.endpoints.response import Response, json_response
from handler.errors import InvalidRequest
from handler.gateway.admission import authenticate
from handler.gateway.lifecycle import Gateway
from handler.log import RequestLog
from handler.wire.strict_json import loads


async def report(gateway: Gateway, request: Request) -> Response:
    entry: RequestLog = request.scope["sluice.entry"]
    await authenticate(gateway, entry)
    _, value = loads(await read_body(request.receive, entry.headers, gateway.settings.max_body))
    if not isinstance(value, dict):
        raise InvalidRequest("The body: expected an object")
    return json_response({"status": "ok"})

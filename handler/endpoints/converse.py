"""POST /model/{id}/converse and /model/{id}/converse-stream: Bedrock's Converse.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
"""

from __future__ import annotations

from handler.endpoints.completion import answer_request
from handler.endpoints.exchange.http import HttpRequest
from handler.endpoints.exchange.response import Response
from handler.endpoints.exchange.streaming import StreamingAnswer
from handler.gateway.lifecycle import Gateway
from handler.log import RequestLog


async def converse(gateway: Gateway, request: HttpRequest) -> Response | StreamingAnswer:
    from handler.formats.converse.format import ConverseFormat  # not at a cold start

    entry: RequestLog = request.scope["sluice.entry"]
    format = ConverseFormat(
        request.path_params["id"],
        stream=request.scope["path"].endswith("-stream"),
        latency=lambda: round((gateway.clock() - entry.started) * 1000),
    )
    return await answer_request(gateway, request, format)

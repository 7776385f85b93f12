"""POST /v1beta/models/{model}:{method}, also under the other prefixes: Gemini's generateContent and its kin.

https://ai.google.dev/api/generate-content
"""

from __future__ import annotations

from handler.endpoints.completion import answer_request, count_request
from handler.endpoints.exchange.http import HttpRequest, read_query_key
from handler.endpoints.exchange.response import Response
from handler.endpoints.exchange.streaming import StreamingAnswer
from handler.errors import NotFound
from handler.gateway.lifecycle import Gateway


async def generate(gateway: Gateway, request: HttpRequest) -> Response | StreamingAnswer:
    from handler.formats.gemini.format import GeminiFormat, count_answer  # not at a cold start

    model, _, method = request.path_params["call"].rpartition(":")
    read_query_key(request)
    if method == "countTokens":
        return await count_request(gateway, request, GeminiFormat(model), ":countTokens", count_answer)
    if method not in ("generateContent", "streamGenerateContent"):
        methods = "generateContent, streamGenerateContent, countTokens"
        raise NotFound(
            f"There is no method {method[:100]!r} of a model; there are {methods}.", code="unknown_url"
        )
    stream, sse = method == "streamGenerateContent", request.query_params.get("alt") == "sse"
    return await answer_request(gateway, request, GeminiFormat(model, stream=stream, sse=sse))

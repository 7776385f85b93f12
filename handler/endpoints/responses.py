"""POST /responses, /responses/input_tokens, /responses/compact: OpenAI's Responses.

https://platform.openai.com/docs/api-reference/responses
"""

from __future__ import annotations

from handler.endpoints.completion import answer_request, count_request
from handler.endpoints.exchange.http import HttpRequest
from handler.endpoints.exchange.response import Response
from handler.endpoints.exchange.streaming import StreamingAnswer
from handler.formats.client_format import ClientFormat
from handler.gateway.lifecycle import Gateway


async def responses(gateway: Gateway, request: HttpRequest) -> Response | StreamingAnswer:
    return await answer_request(gateway, request, _format())


async def input_tokens(gateway: Gateway, request: HttpRequest) -> Response:
    return await count_request(
        gateway,
        request,
        _format(),
        "/input_tokens",
        lambda tokens: {"object": "response.input_tokens", "input_tokens": tokens},
    )


async def compact(gateway: Gateway, request: HttpRequest) -> Response | StreamingAnswer:
    """Return a shorter form of a conversation, which only its own provider can make and read."""
    return await answer_request(gateway, request, _format(), "/compact")


def _format() -> ClientFormat:
    from handler.formats.responses.format import RESPONSES  # not at a cold start

    return RESPONSES

"""POST /chat/completions: OpenAI's Chat Completions."""

from __future__ import annotations

from handler.endpoints.completion import answer_request
from handler.endpoints.exchange.http import HttpRequest
from handler.endpoints.exchange.response import Response
from handler.endpoints.exchange.streaming import StreamingAnswer
from handler.gateway.lifecycle import Gateway


async def chat_completions(gateway: Gateway, request: HttpRequest) -> Response | StreamingAnswer:
    return await answer_request(gateway, request)

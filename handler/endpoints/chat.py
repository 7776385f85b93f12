"""POST /chat/completions: OpenAI's Chat Completions."""

from __future__ import annotations

from starlette.requests import Request

from handler.endpoints.completion import answer_request
from handler.endpoints.exchange.response import Response
from handler.endpoints.exchange.streaming import StreamingAnswer
from handler.gateway.lifecycle import Gateway


async def chat_completions(gateway: Gateway, request: Request) -> Response | StreamingAnswer:
    return await answer_request(gateway, request)

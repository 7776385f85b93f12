"""POST /messages, /messages/count_tokens: Anthropic's Messages.

https://platform.claude.com/docs/en/api/messages
"""

from __future__ import annotations

from handler.endpoints.completion import answer_request, count_request
from handler.endpoints.exchange.http import HttpRequest
from handler.endpoints.exchange.response import Response
from handler.endpoints.exchange.streaming import StreamingAnswer
from handler.formats.client_format import ClientFormat
from handler.gateway.lifecycle import Gateway


async def messages(gateway: Gateway, request: HttpRequest) -> Response | StreamingAnswer:
    return await answer_request(gateway, request, _format())


async def count_tokens(gateway: Gateway, request: HttpRequest) -> Response:
    return await count_request(
        gateway, request, _format(), "/count_tokens", lambda tokens: {"input_tokens": tokens}
    )


def _format() -> ClientFormat:
    from handler.formats.anthropic.format import MESSAGES  # not at a cold start

    return MESSAGES

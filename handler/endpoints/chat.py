"""POST /chat/completions: the table of contents of a request."""

from __future__ import annotations

from starlette.requests import Request

from handler.endpoints.decision_headers import decision_headers
from handler.endpoints.response import Response
from handler.endpoints.streaming import Streamed, deadline_of, unless_left
from handler.gateway.gateway import Gateway
from handler.log import Entry


async def chat_completions(gateway: Gateway, request: Request) -> Response | Streamed:
    """An OpenAI chat completion from the model that the rules decide on, whole or streamed."""
    entry: Entry = request.scope["sluice.entry"]
    asked = await gateway.asked(request.receive, entry)
    asked.must_be_served()
    call = gateway.call(asked, deadline_of(request.scope, gateway.clock()))
    if asked.chat.stream:
        return Streamed(
            gateway.relayed(call, entry),
            lambda answer: decision_headers(entry) if answer else {},  # else it may still become another
            entry.failed,
            head_after=gateway.head_after,
        )
    answer = await unless_left(gateway.relayed(call, entry), request.receive)
    headers = decision_headers(entry)
    if answer.cost_dollars is not None:
        headers["x-sluice-cost"] = f"{answer.cost_dollars:.9f}".rstrip("0").rstrip(".")
    return Response(answer.body, headers=headers)

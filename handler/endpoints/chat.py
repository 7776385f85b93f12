"""POST /chat/completions: the table of contents of a request."""

from __future__ import annotations

from starlette.requests import Request

from handler.endpoints.decision_headers import decision_headers
from handler.endpoints.response import Response
from handler.endpoints.streaming import StreamingAnswer, cancel_on_disconnect, deadline_of
from handler.gateway.gateway import Gateway
from handler.log import RequestLog


async def chat_completions(gateway: Gateway, request: Request) -> Response | StreamingAnswer:
    """An OpenAI chat completion from the model that the rules decide on, whole or streamed."""
    entry: RequestLog = request.scope["sluice.entry"]
    asked = await gateway.asked(request.receive, entry)
    asked.raise_if_refused()
    call = gateway.call(asked, deadline_of(request.scope, gateway.clock()))
    if asked.chat.stream:
        return StreamingAnswer(
            gateway.relayed(call, entry),
            lambda answer: decision_headers(entry) if answer else {},  # else it may still become another
            entry.set_failure,
            head_after=gateway.head_after,
        )
    answer = await cancel_on_disconnect(gateway.relayed(call, entry), request.receive)
    headers = decision_headers(entry)
    if answer.cost_dollars is not None:
        headers["x-sluice-cost"] = f"{answer.cost_dollars:.9f}".rstrip("0").rstrip(".")
    return Response(answer.body, headers=headers)

"""POST /chat/completions: the steps of a chat request, from its key to its answer."""

from __future__ import annotations

from starlette.requests import Request

from handler.answers.costs import dollars
from handler.endpoints.exchange.decision_headers import decision_headers
from handler.endpoints.exchange.http import cancel_on_disconnect, deadline_of, read_body
from handler.endpoints.exchange.response import Response
from handler.endpoints.exchange.streaming import StreamingAnswer
from handler.gateway.admission import authenticate, decide_on
from handler.gateway.completion import call_of, complete, start_recording
from handler.gateway.lifecycle import Gateway
from handler.log import RequestLog


async def chat_completions(gateway: Gateway, request: Request) -> Response | StreamingAnswer:
    """Return an OpenAI chat completion from the model that the rules decide on, whole or streamed."""
    entry: RequestLog = request.scope["sluice.entry"]
    key = await authenticate(gateway, entry)
    body = await read_body(request.receive, entry.headers, gateway.settings.max_body)
    admitted = await decide_on(gateway, key, body, entry)
    start_recording(gateway, admitted, entry)
    admitted.raise_if_refused()
    call = call_of(gateway, admitted, deadline_of(request.scope, gateway.clock()))
    if admitted.chat.stream:
        return StreamingAnswer(
            complete(gateway, admitted, call, entry),
            lambda answer: decision_headers(entry) if answer else {},  # it may change until then
            entry.set_failure,
        )
    answer = await cancel_on_disconnect(complete(gateway, admitted, call, entry), request.receive)
    headers = decision_headers(entry)
    if (cost := answer.cost) is not None:
        headers["x-sluice-cost"] = f"{dollars(cost):.9f}".rstrip("0").rstrip(".")
    return Response(answer.body, headers=headers)

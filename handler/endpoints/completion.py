"""The steps of a request that a model answers, from its key to its answer, in every client format."""

from __future__ import annotations

import json
from collections.abc import Coroutine
from typing import Any

from starlette.requests import Request

from handler.answers.answer import Answer
from handler.answers.costs import dollars
from handler.endpoints.exchange.decision_headers import decision_headers
from handler.endpoints.exchange.http import cancel_on_disconnect, deadline_of, read_body
from handler.endpoints.exchange.response import Response
from handler.endpoints.exchange.streaming import StreamingAnswer
from handler.formats.client_format import ClientFormat
from handler.gateway.admission import AdmittedRequest, authenticate, decide_on
from handler.gateway.completion import call_of, complete, start_recording
from handler.gateway.lifecycle import Gateway
from handler.log import RequestLog
from handler.wire.splice import dump


async def answer_request(
    gateway: Gateway, request: Request, format: ClientFormat | None = None
) -> Response | StreamingAnswer:
    """Return the answer of the model that the rules decide on, whole or streamed. format: None is chat."""
    entry: RequestLog = request.scope["sluice.entry"]
    key = await authenticate(gateway, entry)
    body = await read_body(request.receive, entry.headers, gateway.settings.max_body)
    admitted = await decide_on(gateway, key, body, entry, format)
    start_recording(gateway, admitted, entry)
    admitted.raise_if_refused()
    answering = _answering(gateway, admitted, deadline_of(request.scope, gateway.clock()), entry)
    if admitted.chat.stream:
        return StreamingAnswer(
            answering,
            lambda answer: decision_headers(entry) if answer else {},  # it may change until then
            entry.set_failure,
            format.encoder(admitted.chat) if format else None,
        )
    answer = await cancel_on_disconnect(answering, request.receive)
    headers = decision_headers(entry)
    if (cost := answer.cost) is not None:
        headers["x-sluice-cost"] = f"{dollars(cost):.9f}".rstrip("0").rstrip(".")
    return Response(_body(answer, admitted), headers=headers)


def _answering(
    gateway: Gateway, admitted: AdmittedRequest, deadline: float, entry: RequestLog
) -> Coroutine[Any, Any, Answer]:
    if admitted.servers:
        from handler.mcp.tool_loop import complete_with_tools  # few requests need it: not at a cold start

        return complete_with_tools(gateway, admitted, deadline, entry)
    return complete(gateway, admitted, call_of(gateway, admitted, deadline), entry)


def _body(answer: Answer, admitted: AdmittedRequest) -> bytes:
    if admitted.format is None or answer.native:
        return answer.body
    return dump(admitted.format.answer(json.loads(answer.body), admitted.chat)).encode()

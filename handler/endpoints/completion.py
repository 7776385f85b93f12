"""The steps of a request that a model answers, from its key to its answer, in every client format."""

from __future__ import annotations

import json

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
    call = call_of(gateway, admitted, deadline_of(request.scope, gateway.clock()))
    if admitted.chat.stream:
        return StreamingAnswer(
            complete(gateway, admitted, call, entry),
            lambda answer: decision_headers(entry) if answer else {},  # it may change until then
            entry.set_failure,
            format.encoder(admitted.chat) if format else None,
        )
    answer = await cancel_on_disconnect(complete(gateway, admitted, call, entry), request.receive)
    headers = decision_headers(entry)
    if (cost := answer.cost) is not None:
        headers["x-sluice-cost"] = f"{dollars(cost):.9f}".rstrip("0").rstrip(".")
    return Response(_body(answer, admitted), headers=headers)


def _body(answer: Answer, admitted: AdmittedRequest) -> bytes:
    if admitted.format is None or answer.native:
        return answer.body
    return dump(admitted.format.answer(json.loads(answer.body), admitted.chat)).encode()

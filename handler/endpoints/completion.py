"""The steps of a request that a model answers, from its key to its answer, in every client format."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from handler.answers.answer import Answer
from handler.answers.costs import dollars
from handler.endpoints.exchange.decision_headers import decision_headers
from handler.endpoints.exchange.errors import expected_error
from handler.endpoints.exchange.http import HttpRequest, cancel_on_disconnect, deadline_of, read_body
from handler.endpoints.exchange.response import Response, json_response
from handler.endpoints.exchange.streaming import StreamingAnswer
from handler.errors import GatewayError, Json
from handler.formats.client_format import ClientFormat
from handler.gateway.admission import AdmittedRequest, authenticate, decide_on
from handler.gateway.completion import call_of, complete, count_natively, only_native, start_recording
from handler.gateway.lifecycle import Gateway
from handler.log import RequestLog
from handler.wire.splice import dump


async def answer_request(
    gateway: Gateway, request: HttpRequest, format: ClientFormat | None = None, suffix: str = ""
) -> Response | StreamingAnswer:
    """Return the answer of the model that the rules decide on, whole or streamed. format: None is chat.

    suffix: of the path, for an endpoint that only a provider of the client's format has.
    """
    entry: RequestLog = request.scope["sluice.entry"]
    key = await authenticate(gateway, entry)
    body = await read_body(request.receive, entry.headers, gateway.settings.max_body)
    admitted = await decide_on(gateway, key, body, entry, format)
    start_recording(gateway, admitted, entry)
    admitted.raise_if_refused()
    answering = _answering(gateway, admitted, deadline_of(request.scope, gateway.clock()), entry, suffix)
    if admitted.chat.stream:
        return StreamingAnswer(
            answering,
            lambda answer: decision_headers(entry) if answer else {},  # it may change until then
            partial(_failed, gateway, entry),
            format.encoder(admitted.chat) if format else None,
        )
    answer = await cancel_on_disconnect(answering, request.receive)
    headers = decision_headers(entry)
    if (cost := answer.cost) is not None:
        headers["x-sluice-cost"] = f"{dollars(cost):.9f}".rstrip("0").rstrip(".")
    return Response(_body(answer, admitted), headers=headers)


def _failed(gateway: Gateway, entry: RequestLog, error: Exception) -> GatewayError:
    """Return the error of a stream that breaks off, and keep it for the log line."""
    failure = expected_error(error, entry, gateway.log)
    entry.set_failure(failure)
    return failure


def _answering(
    gateway: Gateway, admitted: AdmittedRequest, deadline: float, entry: RequestLog, suffix: str
) -> Coroutine[Any, Any, Answer]:
    if admitted.servers:
        from handler.mcp.tool_loop import complete_with_tools  # few requests need it: not at a cold start

        return complete_with_tools(gateway, admitted, deadline, entry)
    call = call_of(gateway, admitted, deadline)
    return complete(gateway, admitted, only_native(call, suffix) if suffix else call, entry)


async def count_request(
    gateway: Gateway,
    request: HttpRequest,
    format: ClientFormat,
    suffix: str,
    estimate: Callable[[int], Json],
) -> Response:
    """Return the input tokens of a request, as its provider counts them, or else Sluice's estimate.

    suffix: of the path at a provider of the client's format. Counting is free and counts towards no limit.
    """
    entry: RequestLog = request.scope["sluice.entry"]
    key = await authenticate(gateway, entry)
    body = await read_body(request.receive, entry.headers, gateway.settings.max_body)
    admitted = await decide_on(gateway, key, body, entry, format)
    admitted.raise_if_refused()
    call = call_of(gateway, admitted, deadline_of(request.scope, gateway.clock()))
    data = await cancel_on_disconnect(count_natively(gateway, call, suffix), request.receive)
    if data is not None:
        return Response(data, headers=decision_headers(entry))
    headers = {**decision_headers(entry), "x-sluice-tokens": "estimated"}
    return json_response(estimate(admitted.decision.facts.input_tokens), headers=headers)


def _body(answer: Answer, admitted: AdmittedRequest) -> bytes:
    if admitted.format is None or answer.native:
        return answer.body
    return dump(admitted.format.answer(json.loads(answer.body), admitted.chat)).encode()

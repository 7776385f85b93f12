"""POST /embeddings, /completions, /rerank, /moderations, /images/..., /audio/...: the steps of one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handler.answers.answer import Answer
from handler.answers.costs import dollars
from handler.endpoints.exchange.decision_headers import decision_headers
from handler.endpoints.exchange.http import (
    HttpRequest,
    cancel_on_disconnect,
    deadline_of,
    encode_headers,
    read_body,
)
from handler.endpoints.exchange.response import Response
from handler.formats.operations.operation import BY_PATH
from handler.gateway.admission import authenticate
from handler.gateway.completion import call_of, complete
from handler.gateway.lifecycle import Gateway
from handler.gateway.operation_admission import decide_on_operation
from handler.log import RequestLog

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send


async def operation(gateway: Gateway, request: HttpRequest) -> Response | RelayedAnswer:
    """Return the answer of the model that the rules decide on, in the provider's own bytes."""
    entry: RequestLog = request.scope["sluice.entry"]
    key = await authenticate(gateway, entry)
    body = await read_body(request.receive, entry.headers, gateway.settings.max_body)
    admitted = await decide_on_operation(gateway, key, BY_PATH[request.scope["path"]], body, entry)
    admitted.raise_if_refused()
    call = call_of(gateway, admitted, deadline_of(request.scope, gateway.clock()))
    answer = await cancel_on_disconnect(complete(gateway, admitted, call, entry), request.receive)
    headers = {**decision_headers(entry), "content-type": answer.media_type}
    if answer.stream is not None:
        return RelayedAnswer(answer, headers)
    if (cost := answer.cost) is not None:
        headers["x-sluice-cost"] = f"{dollars(cost):.9f}".rstrip("0").rstrip(".")
    return Response(answer.body, headers=headers)


class RelayedAnswer:
    """A stream of bytes as an ASGI response. One that breaks off without a word of its own does not end."""

    def __init__(self, answer: Answer, headers: dict[str, str]) -> None:
        self._answer = answer
        self._headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await cancel_on_disconnect(self._send(send), receive)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send(self, send: Send) -> None:
        try:
            await send(
                {"type": "http.response.start", "status": 200, "headers": encode_headers(self._headers)}
            )
            async for data in self._answer.frames():
                await send({"type": "http.response.body", "body": data, "more_body": True})
        finally:
            await self._answer.aclose()

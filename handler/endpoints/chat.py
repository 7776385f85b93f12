"""POST /chat/completions: the table of contents of a request."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import Request

from handler.exchange import Streamed, deadline_of, unless_left
from handler.gateway import Gateway
from handler.log import Entry, reason_of
from handler.relay import Answer
from handler.response import Response


async def chat_completions(gateway: Gateway, request: Request) -> Response | Streamed:
    """An OpenAI chat completion from the model that the rules decide on, whole or streamed."""
    entry: Entry = request.scope["sluice.entry"]
    asked = await gateway.asked(request.receive, entry)
    asked.must_be_served()
    call = gateway.call(asked, deadline_of(request.scope, gateway.clock()))
    if asked.chat.stream:
        return Streamed(
            gateway.relayed(call, entry),
            lambda answer: _headers(entry, answer),
            entry.failed,
            head_after=gateway.head_after,
        )
    answer = await unless_left(gateway.relayed(call, entry), request.receive)
    headers = _headers(entry, answer)
    if answer.cost_dollars is not None:
        headers["x-sluice-cost"] = f"{answer.cost_dollars:.9f}".rstrip("0").rstrip(".")
    return Response(answer.body, headers=headers)


def _headers(entry: Entry, answer: Answer | None) -> dict[str, str]:
    """What the decision and the answer say of themselves; without an answer only what is settled already."""
    if answer is None or entry.decision is None:
        return {}
    found: Mapping[str, str | None] = {
        "x-sluice-model": answer.candidate.id,
        "x-sluice-reason": reason_of(entry.decision, answer),
        "x-sluice-rule": entry.decision.rule,
        "x-sluice-attempts": str(len(answer.attempts)),
        "x-sluice-schema": answer.schema,
        "x-sluice-dropped": ", ".join(answer.dropped) or None,
    }
    return {name: value for name, value in found.items() if value is not None}

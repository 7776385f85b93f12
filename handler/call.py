"""What the relay is asked to do, and how long each of its attempts may take (contract, section 6)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from handler.chat import Chat
from handler.errors import Json, SchemaMismatch
from handler.providers.base import Provider, Translator
from handler.refused_modes import STRICT, with_plain_tools
from rules import Candidate, Decision, Model

if TYPE_CHECKING:
    from handler.form import Form
    from handler.structured import Wanted
    from handler.told import Continuation

# Seconds, where no rule says otherwise. A model that reasons is silent for long before its first word.
CONNECT, FIRST_TOKEN, FIRST_TOKEN_REASONING, IDLE, TOTAL = 5.0, 30.0, 180.0, 30.0, 600.0

_STREAMING = frozenset({"stream", "stream_options"})

Limit = tuple[float, str]  # a moment on the relay's clock, and the failure class of passing it


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request, to be answered by the first of its candidates that can."""

    chat: Chat
    decision: Decision
    body: Json  # the chat to send; it shares what did not change with chat.body
    rows: Mapping[str, Provider] = field(default_factory=dict)  # as they were when it was decided
    deadline: float = float("inf")  # on the relay's clock
    headers: Mapping[str, str] = field(default_factory=dict)  # the client's, for its own format
    explanation: Json | None = None  # goes into the answer as `sluice`
    wanted: Wanted | None = None  # what the answer has to be; None: text
    refused: frozenset[str] = frozenset()  # the modes of asking for it that this candidate has refused

    def deadline_from(self, now: float) -> float:
        """When the last attempt must have ended."""
        return min(self.deadline, now + self.decision.effects.timeouts.get("total", TOTAL))

    def form(
        self, candidate: Candidate, row: Provider, wire: Translator, amends: SchemaMismatch | None
    ) -> Form | None:
        """How this candidate is held to what is wanted; `amends`: its answer before was not that."""
        if self.wanted is None:
            return None
        from handler.form import form_of  # few requests need it: not part of a cold start

        return form_of(self.wanted, self.body, candidate.model, row, wire, amends)

    def sent(
        self, goes_on: Continuation | None, form: Form | None, model: Model, amends: SchemaMismatch | None
    ) -> Call:
        """The call as one attempt makes it. `amends`: what its candidate has refused, or answered amiss."""
        body, chat = self.body, self.chat
        refused = amends.refused if amends is not None else self.refused
        whole = chat.stream and (form.whole if form is not None and form.whole else not _streams(body, model))
        if goes_on is None and form is None and not refused and not whole:
            return self
        if goes_on is not None:
            body = goes_on.body(body)
        if STRICT in refused:
            body = with_plain_tools(body)
        if form is not None:
            body = form.request(body)
        if whole:
            body = {name: value for name, value in body.items() if name not in _STREAMING}
            chat = replace(chat, stream=False)
        return replace(self, body=body, chat=chat, refused=refused)


def _streams(body: Json, model: Model) -> bool:
    """Whether the model streams its answer. Some of Bedrock's do not where there are tools."""
    if "whole_tools" not in model.rules:
        return True
    called = any(message.get("tool_calls") for message in body["messages"])
    return not (body.get("tools") or body.get("functions") or called)


def wanted_of(body: Json, chat: Chat) -> Wanted | None:
    """What the body that `chat` became asks for. Raises InvalidRequest."""
    if body.get("response_format") is None:
        return None
    from handler.structured import wanted  # few requests need it: not part of a cold start

    return wanted(body, ours=chat.body.get("output_schema") is not None)


class Limits(NamedTuple):
    """How long one attempt may take."""

    connect: float  # seconds
    first: Limit  # a stream's first content, or all of a whole answer
    idle: float  # seconds between the bytes of a stream
    total: Limit


def limits_of(call: Call, candidate: Candidate, *, now: float, deadline: float) -> Limits:
    """The limits of an attempt that begins now. Only a rule bounds the first token of a whole answer."""
    rule = call.decision.effects.timeouts
    first = rule.get("first_token")
    if first is None and call.chat.stream:
        first = FIRST_TOKEN_REASONING if "reasoning" in candidate.model.can else FIRST_TOKEN
    total = (deadline, "timeout_total")
    return Limits(
        connect=rule.get("connect", CONNECT),
        first=total if first is None else min((now + first, "timeout_first_token"), total),
        idle=rule.get("idle", IDLE),
        total=total,
    )

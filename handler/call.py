"""What the relay is asked to do, and how long each of its attempts may take (contract, section 6)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from handler.chat import Chat
from handler.errors import Json, SchemaMismatch
from handler.providers.base import Provider, Translator
from rules import Candidate, Decision

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

    def sent(self, goes_on: Continuation | None, form: Form | None) -> Call:
        """The call as one attempt makes it."""
        if goes_on is None and form is None:
            return self
        body, chat = self.body, self.chat
        if goes_on is not None:
            body = goes_on.body(body)
        if form is not None:
            body = form.request(body)
            if form.whole and chat.stream:
                body = {name: value for name, value in body.items() if name not in _STREAMING}
                chat = replace(chat, stream=False)
        return replace(self, body=body, chat=chat)


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

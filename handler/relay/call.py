"""What the relay is asked to do, and how long each of its attempts may take (contract, section 6)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from handler.errors import Json, SchemaMismatch, UpstreamError
from handler.formats.chat.request import Chat
from handler.providers.provider import Provider
from handler.providers.translator import Translator
from handler.structured.refused_modes import STRICT, with_plain_tools
from rules import USUAL_OUTPUT, Candidate, Decision, Model

if TYPE_CHECKING:
    from handler.answers.resume import Continuation
    from handler.structured.modes import OutputContract
    from handler.structured.schema_attempt import SchemaAttempt

# Seconds, where no rule says otherwise. A model that reasons is silent for long before its first content.
CONNECT, FIRST_TOKEN, FIRST_TOKEN_REASONING, IDLE, TOTAL = 5.0, 30.0, 180.0, 30.0, 600.0
SILENT = 10.0  # seconds of silence that make a timeout of a connection that closes
# Where fallbacks are named: the silence after which a hedge starts, and the tokens a second at which a whole
# answer is expected.
HEDGE_AFTER, SPEED = 10.0, 75.0

# How a request asks for reasoning, in the words of several providers, and how it asks for none.
_THINKING = ("reasoning_effort", "reasoning", "thinking", "enable_thinking")
_OFF = (None, False, "none", {"type": "disabled"}, {"effort": "none"}, {"enabled": False})
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
    wanted: OutputContract | None = None  # what the answer has to be; None: text
    refused: frozenset[str] = frozenset()  # the modes that this candidate has refused

    def deadline_from(self, now: float) -> float:
        """When the last attempt must have ended."""
        return min(self.deadline, now + self.decision.effects.timeouts.get("total", TOTAL))

    def form(
        self, candidate: Candidate, row: Provider, wire: Translator, amends: SchemaMismatch | None
    ) -> SchemaAttempt | None:
        """How this candidate is held to what is wanted; `amends`: its answer before was not that."""
        if self.wanted is None:
            return None
        from handler.structured.schema_attempt import (
            form_of,  # few requests need it: not part of a cold start
        )

        return form_of(self.wanted, self.body, candidate.model, row, wire, amends)

    def sent(
        self,
        goes_on: Continuation | None,
        form: SchemaAttempt | None,
        model: Model,
        amends: SchemaMismatch | None,
    ) -> Call:
        """The call as one attempt sends it. `amends`: the refused mode, or the answer that did not fit."""
        body, chat = self.body, self.chat
        refused = amends.refused_modes if amends is not None else self.refused
        whole = chat.stream and (form.whole if form is not None and form.whole else not _streams(body, model))
        if goes_on is None and form is None and amends is None and not refused and not whole:
            return self
        if goes_on is not None:
            body = goes_on.body(body)
        if STRICT in refused:
            body = with_plain_tools(body)
        if form is not None:
            body = form.request(body)
        if amends is not None and amends.answer_text is not None:
            from handler.structured.correction import (
                with_correction,  # few answers need it: not part of a cold start
            )

            body = with_correction(body, amends)
        if whole:
            body = {name: value for name, value in body.items() if name not in _STREAMING}
            chat = replace(chat, stream=False)
        return replace(self, body=body, chat=chat, refused=refused)


def _streams(body: Json, model: Model) -> bool:
    """True where the model can stream its answer. Some of Bedrock's cannot where there are tools."""
    if "whole_tools" not in model.rules:
        return True
    called = any(message.get("tool_calls") for message in body["messages"])
    return not (body.get("tools") or body.get("functions") or called)


def wanted_of(body: Json, chat: Chat) -> OutputContract | None:
    """What the body that `chat` became asks for. Raises InvalidRequest."""
    if body.get("response_format") is None:
        return None
    from handler.structured.modes import wanted  # few requests need it: not part of a cold start

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
        first = FIRST_TOKEN_REASONING if _reasons(call, candidate) else FIRST_TOKEN
    total = (deadline, "timeout_total")
    return Limits(
        connect=rule.get("connect", CONNECT),
        first=total if first is None else min((now + first, "timeout_first_token"), total),
        idle=rule.get("idle", IDLE),
        total=total,
    )


def closed(failure_class: str, error: UpstreamError | None = None, *, silent: float) -> UpstreamError:
    """The failure of a connection that closed after `silent` seconds, within a limit of that class.

    After a long silence it is a timeout: asked again, the provider would be silent for as long again.
    """
    failure = error or UpstreamError("The connection failed.", failure_class="network")
    if silent < SILENT or failure.failure_class != "network":
        return failure
    failure_class = (
        "timeout_idle" if failure_class == "timeout_total" else failure_class
    )  # some of that time was left
    return UpstreamError(
        "The provider was silent for a long time, then closed the connection.", failure_class=failure_class
    )


def hedge_after(call: Call, candidate: Candidate) -> float | None:
    """Seconds of silence after which another candidate is started beside this one; None: never.

    A rule's own value comes first. Otherwise, where fallbacks are named: `HEDGE_AFTER` on a stream, and for a
    whole answer the time that one of its length takes. A model that reasons is never hedged by default.
    """
    effects = call.decision.effects
    if effects.hedge_after is not None:
        return effects.hedge_after
    if not call.decision.fallbacks or "first_token" in effects.timeouts or _reasons(call, candidate):
        return None
    live = call.chat.stream and call.wanted is None  # an answer that has to fit a schema may come whole
    return HEDGE_AFTER if live else max(HEDGE_AFTER, _usual_output(call, candidate) / SPEED)


def _usual_output(call: Call, candidate: Candidate) -> int:
    """The tokens that a whole answer is expected to have."""
    most, body = candidate.model.max_output, call.body
    asked = body.get("max_completion_tokens") or body.get("max_tokens") or USUAL_OUTPUT
    return min(asked, most) if most else int(asked)


def _reasons(call: Call, candidate: Candidate) -> bool:
    """True where a silence may be thinking: the model is known to reason, or is asked to."""
    model = candidate.model
    known = model.known and "reasoning" in model.can
    return known or any(call.body.get(name) not in _OFF for name in _THINKING)

"""What the relay is asked to do, and how long each of its attempts may take (contract, section 6)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from handler.chat import Chat
from handler.errors import Json
from handler.providers.base import Provider
from handler.structured import Wanted
from rules import Candidate, Decision

# Seconds, where no rule says otherwise. A model that reasons is silent for long before its first word.
CONNECT, FIRST_TOKEN, FIRST_TOKEN_REASONING, IDLE, TOTAL = 5.0, 30.0, 180.0, 30.0, 600.0

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
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

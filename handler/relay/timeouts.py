"""How long the attempts of a call may take, and when a second candidate is started (contract, section 6)."""

from __future__ import annotations

from handler.relay.call import Call
from handler.upstream.client import Limits
from rules import USUAL_OUTPUT, Candidate

# Seconds, where no rule says otherwise. A model that reasons is silent for long before its first content.
CONNECT, FIRST_TOKEN, FIRST_TOKEN_REASONING, IDLE, TOTAL = 5.0, 30.0, 180.0, 30.0, 600.0
IDLE_MEDIA = 180.0  # of images and audio, which take long to make
# Where fallbacks are named: the silence after which a hedge starts; and the tokens a second at which a whole
# answer is expected.
HEDGE_AFTER, SPEED = 10.0, 75.0

# How a request asks for reasoning, in the words of several providers, and how it asks for none.
_THINKING = ("reasoning_effort", "reasoning", "thinking", "enable_thinking")
_OFF = (None, False, "none", {"type": "disabled"}, {"effort": "none"}, {"enabled": False})


def deadline_of(call: Call, now: float) -> float:
    """When the last attempt must have ended, on the relay's clock."""
    return min(call.deadline, now + call.decision.effects.timeouts.get("total", TOTAL))


def limits_of(call: Call, candidate: Candidate, *, now: float, deadline: float) -> Limits:
    """The limits of an attempt that begins now. Only a rule bounds the first token of a whole answer."""
    rule = call.decision.effects.timeouts
    first = rule.get("first_token")
    is_text = call.operation is None or call.operation.operation.has_chat_parameters
    if first is None and call.chat.stream and is_text:
        first = FIRST_TOKEN_REASONING if _reasons(call, candidate) else FIRST_TOKEN
    total = (deadline, "timeout_total")
    return Limits(
        began=now,
        connect=rule.get("connect", CONNECT),
        first=total if first is None else min((now + first, "timeout_first_token"), total),
        idle=rule.get("idle", IDLE if is_text else IDLE_MEDIA),
        total=total,
    )


def hedge_after(call: Call, candidate: Candidate) -> float | None:
    """Seconds of silence after which another candidate is started as well; None: never.

    A rule's own value comes first. Otherwise, where fallbacks are named: `HEDGE_AFTER` on a stream, and for a
    whole answer the time that one of its length takes. A model that reasons is never hedged by
    default, nor is an operation besides chat.
    """
    effects = call.decision.effects
    if effects.hedge_after is not None:
        return effects.hedge_after
    if (
        call.operation is not None
        or not call.decision.fallbacks
        or "first_token" in effects.timeouts
        or _reasons(call, candidate)
    ):
        return None
    live = call.chat.stream and call.output_contract is None  # else the answer may come whole
    return HEDGE_AFTER if live else max(HEDGE_AFTER, _usual_output(call, candidate) / SPEED)


def unseen_output(call: Call, candidate: Candidate, seconds: float) -> int:
    """Return the tokens that a candidate may have written in so many seconds without content.

    It may write a whole answer, or think; at most what is reserved for it.
    """
    if call.chat.stream and not _reasons(call, candidate):
        return 0
    return max(0, min(int(seconds * SPEED), candidate.tokens - call.decision.facts.input_tokens))


def _usual_output(call: Call, candidate: Candidate) -> int:
    """The tokens that a whole answer is expected to have."""
    most, body = candidate.model.max_output, call.body
    requested = body.get("max_completion_tokens") or body.get("max_tokens") or USUAL_OUTPUT
    return min(requested, most) if most else int(requested)


def _reasons(call: Call, candidate: Candidate) -> bool:
    """True where a silence may be thinking: the model is known to reason, or is asked to."""
    model = candidate.model
    known = model.known and "reasoning" in model.can
    return known or any(call.body.get(name) not in _OFF for name in _THINKING)

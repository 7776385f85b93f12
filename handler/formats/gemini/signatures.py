"""Puts reasoning state into thought signatures, and reads it from those that clients send back.

A signature of Gemini's own stays as it is, so that Gemini can read it again. The reasoning of other models is
in the signature of an answer's first call, which clients keep in their history, or of its text. With calls
it has the text of the reasoning too, if the answer does not show it: some models want it beside the results.
https://ai.google.dev/gemini-api/docs/thought-signatures
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from handler.errors import Json
from handler.formats.gemini.fields import member
from handler.formats.opaque_state import decode_state, encode_state, is_state

# Sent with a call that has no signature, which Gemini would refuse otherwise.
PLACEHOLDER = "skip_thought_signature_validator"
_BASE64 = re.compile(r"(?:[A-Za-z0-9+/_-]{4})*(?:[A-Za-z0-9+/_-]{2}==|[A-Za-z0-9+/_-]{3}=)?")


class Reasoning(NamedTuple):
    """What a model needs again: `reasoning_details`, and a text that the answer does not show."""

    details: Any = None
    hidden: str = ""

    def state(self) -> Json:
        members = {"reasoning_details": self.details, "reasoning": self.hidden}
        return {name: value for name, value in members.items() if value}


def reasoning_of(message: Json, *, shown: bool) -> Reasoning:
    """Return the reasoning of a message. `shown`: the answer shows its text."""
    details, text = message.get("reasoning_details"), message.get("reasoning_content")
    in_details = isinstance(details, list) and any(
        isinstance(one, dict) and (one.get("text") or one.get("summary")) for one in details
    )
    if shown or in_details or not (isinstance(text, str) and message.get("tool_calls")):
        return Reasoning(details)
    return Reasoning(details, text)


class PartState(NamedTuple):
    """The content of the signature of a part."""

    signature: str | None = None  # Gemini's
    details: list[Any] = []  # noqa: RUF012 -- `reasoning_details` of the message
    extra_content: Json | None = None  # of the message
    reasoning: str = ""  # the text, if the answer did not show it


def read_signature(part: Json) -> PartState:
    """Return the state of a part that a client sent back."""
    text = member(part, "thoughtSignature")
    if not isinstance(text, str) or text in ("", PLACEHOLDER):
        return PartState()
    if not is_state(text):
        return PartState(text)
    state = decode_state(text) or {}
    signature, details = state.get("thought_signature"), state.get("reasoning_details")
    extra_content, reasoning = state.get("extra_content"), state.get("reasoning")
    return PartState(
        signature if isinstance(signature, str) else None,
        details if isinstance(details, list) else [],
        extra_content if isinstance(extra_content, dict) else None,
        reasoning if isinstance(reasoning, str) else "",
    )


def own_signature(text: str) -> str | None:
    """Return Gemini's signature in a state; None if it has none."""
    state = read_signature({"thoughtSignature": text})
    return state.signature or _last_signature(state.extra_content)


def call_signature(call: Json, reasoning: Reasoning, *, first: bool) -> str | None:
    """Return the signature of a call's part. `reasoning`: of the message, for its first call."""
    match call:
        case {"thought_signature": str(own)} if own:
            pass
        case {"extra_content": {"google": {"thought_signature": str(own)}}} if own:
            pass
        case _:
            own = ""
    state = reasoning.state()
    if not state and (not own or _is_base64(own)):
        return own or (PLACEHOLDER if first else None)
    return encode_state({**state, **({"thought_signature": own} if own else {})})


def text_signature(extra_content: Any, reasoning: Reasoning) -> str | None:
    """Return the signature of an answer's text. `reasoning`: of a message without calls."""
    own, state = _last_signature(extra_content), reasoning.state()
    if own is None and not state:
        return None
    has_several = own is not None and "thought_signatures" in extra_content["google"]
    if own and not (state or has_several) and _is_base64(own):
        return own
    return encode_state({**state, **({"extra_content": extra_content} if own else {})})


def _last_signature(extra_content: Any) -> str | None:
    match extra_content:
        case {"google": {"thought_signature": str(own)}} if own:
            return own
    return None


def _is_base64(text: str) -> bool:
    """True if every client can read it: some decode signatures, and fail if they cannot."""
    return _BASE64.fullmatch(text) is not None

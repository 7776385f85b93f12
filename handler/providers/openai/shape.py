"""Supplies the members that OpenAI's own answers always have, where a host leaves one out.

The official clients rely on them: without one they throw, or return calls without a name. A member is left
out when it is absent, null or an empty text. All else of an answer keeps its bytes (handler/wire/splice.py).
https://github.com/openai/openai-python/tree/main/src/openai/types/chat
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from handler.errors import Json, UpstreamError

Supply = Callable[[Json], Any]  # the object that lacks the member -> its value
_ABSENT = object()


def call_id(_: Json | None = None) -> str:
    """A unique id for a call."""
    return f"call_{uuid.uuid4().hex[:24]}"


def _answer_id(_: Json) -> str:
    return f"chatcmpl-{uuid.uuid4().hex}"


def _now(_: Json) -> int:
    return int(time.time())


def _just(value: Any) -> Supply:
    return lambda _: value


def nameless() -> UpstreamError:
    """The failure for the one member that cannot be supplied."""
    return UpstreamError("The provider called a tool without its name.", failure_class="protocol")


def _no_name(_: Json) -> str:
    raise nameless()


def _tokens(usage: Json, name: str) -> int:
    count = usage.get(name)
    return int(count) if isinstance(count, int | float) else 0


# By kind: each required member and what computes it, in this order; later ones may use earlier ones.
REQUIRED: Mapping[str, Mapping[str, Supply]] = {
    "completion": {"id": _answer_id, "object": _just("chat.completion"), "created": _now},
    "chunk": {"id": _answer_id, "object": _just("chat.completion.chunk"), "created": _now},
    "choice": {"index": _just(0)},  # its place among the choices, which whoever asks says
    "message": {"role": _just("assistant"), "content": lambda message: message.get("content")},
    "delta": {"role": _just("assistant")},  # the first of a choice
    "call": {"id": call_id, "type": lambda call: "custom" if call.get("custom") else "function"},
    "function": {"name": _no_name, "arguments": _just("")},
    "usage": {
        "prompt_tokens": lambda usage: max(
            0, _tokens(usage, "total_tokens") - _tokens(usage, "completion_tokens")
        ),
        "completion_tokens": lambda usage: max(
            0, _tokens(usage, "total_tokens") - _tokens(usage, "prompt_tokens")
        ),
        "total_tokens": lambda usage: _tokens(usage, "prompt_tokens") + _tokens(usage, "completion_tokens"),
    },
}


def completed(kind: str, value: Json, **known: Any) -> Json:
    """The value with every member that its kind requires; the same object where it has them all.

    `known`: members whose value the caller knows. Raises UpstreamError where one cannot be supplied.
    """
    for name, supply in REQUIRED[kind].items():
        given = value.get(name, _ABSENT)
        if given is _ABSENT or given is None or given == "":
            new = known[name] if name in known else supply(value)
            if new != given:
                value = {**value, name: new}
    return value

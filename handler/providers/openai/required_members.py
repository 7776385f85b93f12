"""Adds the members that OpenAI's own answers always have, where a host leaves one out.

The official clients rely on them: without one they throw, or return calls without a name. A member counts
as left out if it is absent, null or an empty string. The rest of an answer keeps its bytes (wire/splice.py).
https://github.com/openai/openai-python/tree/main/src/openai/types/chat
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from handler.errors import Json, UpstreamError

Supply = Callable[[Json], Any]  # returns the missing member of an object
_ABSENT = object()


def new_call_id(_: Json | None = None) -> str:
    return f"call_{uuid.uuid4().hex[:24]}"


def _new_completion_id(_: Json) -> str:
    return f"chatcmpl-{uuid.uuid4().hex}"


def _now(_: Json) -> int:
    return int(time.time())


def _constant(value: Any) -> Supply:
    return lambda _: value


def missing_tool_name() -> UpstreamError:
    """Return the error for the one member that cannot be added."""
    return UpstreamError("The provider called a tool without its name.", failure_class="protocol")


def _no_name(_: Json) -> str:
    raise missing_tool_name()


def _tokens(usage: Json, name: str) -> int:
    count = usage.get(name)
    return int(count) if isinstance(count, int | float) and 0 < count < 1e15 else 0


# By kind of object: each required member and its value, in this order; later members may use earlier ones.
REQUIRED: Mapping[str, Mapping[str, Supply]] = {
    "completion": {"id": _new_completion_id, "object": _constant("chat.completion"), "created": _now},
    "chunk": {"id": _new_completion_id, "object": _constant("chat.completion.chunk"), "created": _now},
    "choice": {"index": _constant(0)},  # callers give its place among the choices
    "message": {"role": _constant("assistant"), "content": lambda message: message.get("content")},
    "delta": {"role": _constant("assistant")},  # the first one of a choice
    "call": {"id": new_call_id, "type": lambda call: "custom" if call.get("custom") else "function"},
    "function": {"name": _no_name, "arguments": _constant("")},
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


def add_required(kind: str, value: Json, **known: Any) -> Json:
    """Return the value with every member that its kind requires; the same object if it has them all.

    `known`: values that the caller knows. Raises UpstreamError if a member cannot be added.
    """
    for name, supply in REQUIRED[kind].items():
        given = value.get(name, _ABSENT)
        if given is _ABSENT or given is None or given == "":
            new = known[name] if name in known else supply(value)
            if new != given:
                value = {**value, name: new}
    return value

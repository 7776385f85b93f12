"""Edits a Messages request that is relayed to a provider of the same format.

All parts that do not change are shared with the client's body, so that they keep their bytes
(handler/wire/splice.py).
"""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Any

from handler.errors import Json
from handler.formats.anthropic.reasoning import claude_blocks
from handler.formats.client_format import Effect
from handler.formats.effort_cap import BUDGETS
from handler.formats.opaque_state import is_state


def native_body(body: Json) -> Json:
    """Return the body without Sluice's own state, which Anthropic would refuse; the same object without any.

    Thinking of Claude's in a state becomes a block of Claude's again.
    """
    before = body["messages"]
    after = [new for message in before if (new := _native_message(message)) is not None]
    same = len(before) == len(after) and all(map(operator.is_, before, after))
    return body if same else {**body, "messages": after}


def _native_message(message: Json) -> Json | None:
    """Return the message without state; None if it had nothing else."""
    content = message.get("content")
    if message["role"] != "assistant" or not isinstance(content, list):
        return message
    after = [new for block in content for new in _native_blocks(block)]
    if len(after) == len(content) and all(map(operator.is_, content, after)):
        return message
    return {**message, "content": after} if after else None


def _native_blocks(block: Json) -> list[Json]:
    match block:
        case {"type": "thinking", "signature": opaque} | {"type": "redacted_thinking", "data": opaque}:
            return claude_blocks(block) if is_state(opaque) else [block]
        case {"type": "text", "citations": [*citations]}:
            real = [one for one in citations if not is_state(one.get("encrypted_index"))]
            rest = {name: value for name, value in block.items() if name != "citations"}
            return [
                block if len(real) == len(citations) else {**rest, **({"citations": real} if real else {})}
            ]
    return [block]


def _set(name: str) -> Effect:
    def effect(body: Json, value: Any) -> Json:
        rest = {other: one for other, one in body.items() if other != name or value is not None}
        return rest if value is None else {**rest, name: value}

    return effect


def _max_tokens(body: Json, value: Any) -> Json:
    """Set the limit. It cannot be removed, as Anthropic requires one."""
    return body if value is None else {**body, "max_tokens": value}


def _stop(body: Json, value: Any) -> Json:
    return _set("stop_sequences")(body, [value] if isinstance(value, str) else value)


def _user(body: Json, value: Any) -> Json:
    metadata = _set("user_id")(body.get("metadata") or {}, value)
    return _set("metadata")(body, metadata or None)


def _tier(body: Json, value: Any) -> Json:
    return _set("service_tier")(body, {"default": "standard_only", "auto": "auto"}.get(value))


def _parallel(body: Json, value: Any) -> Json:
    choice = body.get("tool_choice") or {"type": "auto"}
    if (
        not body.get("tools")
        or choice["type"] == "none"
        or (value is not False and "tool_choice" not in body)
    ):
        return body
    return {
        **body,
        "tool_choice": _set("disable_parallel_tool_use")(choice, True if value is False else None),
    }


def _effort(body: Json, value: Any) -> Json:
    """Set the effort where the body has one: in messages too, else as the budget of the thinking.

    Without an effort there is no thinking either.
    """
    effort = "low" if value == "minimal" else value
    if effort == "none":
        return {**_effort(body, None), "thinking": {"type": "disabled"}}
    if effort is None:
        body = _set("thinking")(body, None)
    thinking, config = body.get("thinking") or {}, body.get("output_config") or {}
    if thinking.get("type") == "enabled" and "effort" not in config and effort in BUDGETS:
        most = max(1024, body.get("max_tokens", BUDGETS["max"]) - 1)
        return {**body, "thinking": {**thinking, "budget_tokens": min(BUDGETS[effort], most)}}
    messages = [_message_effort(message, effort) for message in body["messages"]]
    if not all(map(operator.is_, messages, body["messages"])):
        body = {**body, "messages": messages}
    return _set("output_config")(body, _set("effort")(config, effort) or None)


def _message_effort(message: Json, effort: Any) -> Json:
    """Return a message without an effort of its own, which would replace the one of the request."""
    config = message.get("output_config") if message["role"] == "system" else None
    if not config or "effort" not in config:
        return message
    return {**message, "output_config": _set("effort")(config, effort)}


def _ignore(body: Json, value: Any) -> Json:
    return body


EFFECTS: Mapping[str, Effect] = {
    **{name: _set(name) for name in ("model", "temperature", "top_p", "top_k", "cache_control")},
    "max_tokens": _max_tokens,
    "max_completion_tokens": _max_tokens,
    "stop": _stop,
    "user": _user,
    "service_tier": _tier,
    "parallel_tool_calls": _parallel,
    "reasoning_effort": _effort,
    # Tuning that Claude does not have.
    **dict.fromkeys(("seed", "frequency_penalty", "presence_penalty", "logit_bias", "verbosity"), _ignore),
    **dict.fromkeys(("logprobs", "top_logprobs", "store", "prompt_cache_key"), _ignore),
}

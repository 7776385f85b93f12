"""Converts a chat completion to a message: content, stop reason, usage.

https://platform.claude.com/docs/en/api/messages, .../build-with-claude/handling-stop-reasons
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from handler.errors import Json
from handler.formats.anthropic.blocks import BlockWriter, content_of_events
from handler.formats.anthropic.effort import hides_thinking
from handler.formats.chat.request import Chat

_STOP_REASONS: Mapping[str, str] = {"length": "max_tokens", "content_filter": "refusal"}
_TIERS: Mapping[str, str] = {"default": "standard", "priority": "priority"}
_NOT_IN_AN_ID = re.compile(r"[^a-zA-Z0-9_-]")


def message_of(completion: Json, chat: Chat) -> Json:
    """Return the message for a whole answer."""
    choice = completion["choices"][0]
    writer = block_writer(chat)
    content = content_of_events([*writer.feed(choice["message"]), *writer.close()])
    return {
        **head_of(completion),
        "content": content,
        **ending_of(choice, writer, chat),
        "usage": usage_of(completion),
        **({"sluice": completion["sluice"]} if "sluice" in completion else {}),
    }


def block_writer(chat: Chat) -> BlockWriter:
    return BlockWriter(hides_thinking=chat.native is not None and hides_thinking(chat.native.body))


def head_of(completion: Json) -> Json:
    """Return the members at the beginning of a message, for a completion or its first chunk."""
    id = _NOT_IN_AN_ID.sub("_", str(completion.get("id") or "0"))[:200]
    return {
        "id": id if id.startswith("msg_") else f"msg_{id}",
        "type": "message",
        "role": "assistant",
        "model": str(completion.get("model") or ""),
    }


def ending_of(choice: Json, writer: BlockWriter, chat: Chat) -> Json:
    """Return `stop_reason`, `stop_sequence` and `stop_details`.

    `choice` has `finish_reason`, and where the host tells it (vLLM) the sequence as `stop_reason`.
    """
    reason, sequence = choice.get("finish_reason"), choice.get("stop_reason")
    found = _STOP_REASONS.get(str(reason)) or ("tool_use" if writer.has_calls else "end_turn")
    if found == "end_turn" and isinstance(sequence, str) and sequence in (chat.body.get("stop") or ()):
        return {"stop_reason": "stop_sequence", "stop_sequence": sequence, "stop_details": None}
    if found == "end_turn" and writer.refused:
        found = "refusal"
    explanation = "".join(writer.refused) or None
    details = {"type": "refusal", "category": None, "explanation": explanation}
    return {
        "stop_reason": found,
        "stop_sequence": None,
        "stop_details": details if found == "refusal" else None,
    }


def usage_of(completion: Json) -> Json:
    """Return the usage. Tokens read from the cache and written to it are not among `input_tokens`."""
    usage = _object(completion, "usage")
    details, out = _object(usage, "prompt_tokens_details"), _object(usage, "completion_tokens_details")
    read, written = _count(details, "cached_tokens"), _count(details, "cache_write_tokens")
    hour = min(_count(details, "cache_write_1h_tokens"), written)
    tier = _TIERS.get(str(completion.get("service_tier")))
    return {
        "input_tokens": max(0, _count(usage, "prompt_tokens") - read - written),
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": written - hour,
            "ephemeral_1h_input_tokens": hour,
        },
        "output_tokens": _count(usage, "completion_tokens"),
        "output_tokens_details": {"thinking_tokens": _count(out, "reasoning_tokens")},
        **({"service_tier": tier} if tier else {}),
        **{name: usage[name] for name in ("cost", "cost_details") if name in usage},
    }


def _object(body: Json, name: str) -> Json:
    value = body.get(name)
    return value if isinstance(value, dict) else {}


def _count(usage: Mapping[str, Any], name: str) -> int:
    value = usage.get(name)
    return int(value) if isinstance(value, int | float) and 0 < value < 1e15 else 0

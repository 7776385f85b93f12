"""Finds the usage of a chat completion, wherever a host of the OpenAI format puts it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_COUNTS = frozenset({"prompt_tokens", "completion_tokens"})


def usage_object(body: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the usage object of a completion or a chunk as the host gave it; None if there is none.

    A `total_tokens` alone is not enough: input and output have different prices.
    """
    match body:
        case {"usage": dict(usage)} if usage:
            pass
        case {"x_groq": {"usage": dict(usage)}}:  # https://console.groq.com/docs/text-chat
            pass
        case {"choices": [{"usage": dict(usage)}, *_]}:  # Moonshot's last chunk
            pass
        case _:
            return None
    return None if _COUNTS.isdisjoint(usage) else usage

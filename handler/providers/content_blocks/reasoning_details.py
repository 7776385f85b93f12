"""Converts Claude's thinking blocks to the items of `reasoning_details`, and back when a client returns them.

https://platform.claude.com/docs/en/build-with-claude/extended-thinking
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from handler.errors import Json

FORMAT = "anthropic-claude-v1"  # the `format` of thinking that only Claude can read

_FAMILY = re.compile(r"claude-[a-z0-9.-]+?(?=$|-20\d{6}|-v\d|-latest|[@:])")


def reasoning_detail(block: Json, index: int, model: str) -> Json | None:
    """Return the item of `reasoning_details` for a thinking block; None for any other block."""
    common = {"format": FORMAT, "index": index, "model": model}
    match block:
        case {"type": "redacted_thinking", "data": str(data)}:
            return {"type": "reasoning.encrypted", "data": data, **common}
        case {"type": "thinking", "thinking": str(text), "signature": str(signature)} if signature:
            return {"type": "reasoning.text", "text": text, "signature": signature, **common}
    return None


def thinking_blocks(message: Mapping[str, Any], model: str) -> list[Json]:
    """Return the thinking that a client sent back. `model` would refuse another model's: it is left out."""
    details = message.get("reasoning_details") or message.get("thinking_blocks")
    return list(_thinking_blocks(details, model)) if isinstance(details, list) else []


def _thinking_blocks(details: list[Any], model: str) -> Iterator[Json]:
    for one in details:
        if not isinstance(one, dict) or one.get("format") not in (None, FORMAT):
            continue
        if isinstance(author := one.get("model"), str) and _family(author) != _family(model):
            continue
        match one:
            case {"type": "reasoning.text", "text": str(text), "signature": str(signature)} | {
                "type": "thinking",
                "thinking": str(text),
                "signature": str(signature),
            } if signature:
                yield {"type": "thinking", "thinking": text, "signature": signature}
            case {"type": "reasoning.encrypted" | "redacted_thinking", "data": str(data)}:
                yield {"type": "redacted_thinking", "data": data}


def _family(model: str) -> str:
    """Return the name of a model without date, version and host."""
    found = _FAMILY.search(model[:200])  # the pattern takes quadratic time
    return found[0] if found else model

"""Converts the content of chat messages to Anthropic's content blocks, and sets cache marks.

Text is the same everywhere. Each format has a table of converters for other types of parts.
https://platform.claude.com/docs/en/api/messages, .../build-with-claude/prompt-caching
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from handler.errors import Json
from handler.providers.unsupported import unsupported

PartConverter = Callable[[Json, str], Json]  # takes a part of a message and its path, returns a block


def content_blocks(content: Any, where: str, converters: Mapping[str, PartConverter]) -> list[Json]:
    """Convert the content of a message. `converters`: by the type of a part that is not text.

    Blank texts are left out, since providers refuse them; their cache mark moves to the block before.
    """
    if isinstance(content, str):
        return [text_block(content)] if content.strip() else []
    blocks: list[Json] = []
    for index, part in enumerate(content or ()):
        if block := _block(part, f"{where}.content[{index}]", converters):
            blocks.append(block)
        elif blocks:
            blocks[-1] |= cache_mark(part)
    return blocks


def text_block(text: str) -> Json:
    return {"type": "text", "text": text}


def _block(part: Json, where: str, converters: Mapping[str, PartConverter]) -> Json | None:
    match part:
        case {"type": "text", "text": str(text)} | {"type": "refusal", "refusal": str(text)}:
            block = text_block(text) if text.strip() else None
        case {"type": "thinking"}:  # Mistral's: it has no signature, so no other model accepts it
            block = None
        case {"type": str(kind)} if kind in converters and isinstance(part.get(kind), dict):
            block = converters[kind](part[kind], f"{where}.{kind}")
        case _:
            raise unsupported(f"{where}.type", f"the model does not accept {part.get('type')}")
    return block and {**block, **cache_mark(part)}


def cache_mark(part: Mapping[str, Any]) -> Json:
    """Return {"cache_control": ...} for a mark or OpenAI's breakpoint on a part, message or tool."""
    if "cache_control" not in part and "prompt_cache_breakpoint" not in part:
        return {}
    match part:
        case {"cache_control": {"type": "ephemeral", "ttl": "5m" | "1h" as ttl}}:
            return {"cache_control": {"type": "ephemeral", "ttl": ttl}}
        case {"prompt_cache_breakpoint": {"ttl": "12h"}}:
            return {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
        case {"cache_control": {"type": "ephemeral"}} | {"prompt_cache_breakpoint": dict()}:
            return {"cache_control": {"type": "ephemeral"}}
    return {}


def limit_cache_marks(blocks: list[Json], maximum: int) -> None:
    """Remove all cache marks but the last `maximum`, which cover the text before the others.

    Also remove a mark of 5 minutes before one of an hour, as the API refuses that order.
    https://platform.claude.com/docs/en/build-with-claude/prompt-caching
    """
    marked = [block for block in blocks if "cache_control" in block]
    hourly = [block["cache_control"].get("ttl") == "1h" for block in marked]
    last_hourly = max((index for index, lasts in enumerate(hourly) if lasts), default=0)
    for index, block in enumerate(marked):
        if index < len(marked) - maximum or (index < last_hourly and not hourly[index]):
            del block["cache_control"]

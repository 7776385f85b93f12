"""An answer of blocks, in the form of Anthropic's Messages, in chat's words: message, calls, usage.

https://platform.claude.com/docs/en/api/messages
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from handler.providers.content_blocks.blocks import thought
from handler.providers.content_blocks.names import has_spelled_arguments, meant, meant_arguments
from handler.providers.translator import Json


def call_of(block: Json, arguments: str) -> Json:
    """A tool call; `arguments` are the JSON text of its input."""
    called, id = str(block.get("name", "")), str(block.get("id", ""))
    name, custom = meant(called)
    if custom:
        return {"id": id, "type": "custom", "custom": {"name": name, "input": _text_of(arguments)}}
    if has_spelled_arguments(called):
        arguments = meant_arguments(arguments)
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


def has_whole_arguments(block: Json) -> bool:
    """True when a call's arguments can be read only once all have come."""
    name = str(block.get("name", ""))
    return has_spelled_arguments(name) or meant(name)[1]


def _text_of(arguments: str) -> str:
    """The text that a custom tool is called with."""
    try:
        said = json.loads(arguments)
    except (ValueError, RecursionError):
        return arguments
    text = said.get("input") if isinstance(said, dict) else None
    return text if isinstance(text, str) else arguments


def arguments_of(input: Any) -> str:
    return json.dumps(input or {}, ensure_ascii=False, separators=(",", ":"))


def message_of(blocks: list[Json], model: str, refusal: str | None) -> Json:
    """The message that a whole answer is. Blocks of other sorts are the provider's own tools at work."""
    calls = [call_of(one, arguments_of(one.get("input"))) for one in blocks if one.get("type") == "tool_use"]
    texts = [str(one.get("text", "")) for one in blocks if one.get("type") == "text"]
    reasoning = "".join(str(one.get("thinking", "")) for one in blocks if one.get("type") == "thinking")
    thoughts: list[Json] = []
    for block in blocks:
        if detail := thought(block, len(thoughts), model):
            thoughts.append(detail)
    text = "".join(texts)
    message: Json = {"role": "assistant", "content": text if text or not calls else None}
    message["refusal"] = None if text or calls else refusal
    parts = {"reasoning_content": reasoning, "reasoning_details": thoughts, "tool_calls": calls}
    return message | {name: part for name, part in parts.items() if part}


def usage_of(fresh: int, read: int, written: int, completion: int, reasoning: int = 0) -> Json:
    """Usage as OpenAI means it: what is read from the cache, or written to it, is input too."""
    prompt = fresh + read + written
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": read, "cache_write_tokens": written},
        "completion_tokens_details": {"reasoning_tokens": reasoning},
    }


def count(usage: Mapping[str, Any], name: str) -> int:
    value = usage.get(name)
    return value if isinstance(value, int) and value > 0 else 0

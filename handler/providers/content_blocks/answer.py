"""Converts an answer in Anthropic's content blocks to a chat completion: message, tool calls, usage.

https://platform.claude.com/docs/en/api/messages
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from handler.errors import Json
from handler.providers.content_blocks.names import decode_arguments, decode_name, has_encoded_arguments
from handler.providers.content_blocks.reasoning_details import reasoning_detail


def tool_call(block: Json, arguments: str) -> Json:
    """Return the tool call of a `tool_use` block. `arguments`: the JSON text of its input."""
    encoded_name, id = str(block.get("name", "")), str(block.get("id", ""))
    name, custom = decode_name(encoded_name)
    if custom:
        return {"id": id, "type": "custom", "custom": {"name": name, "input": _custom_input(arguments)}}
    if has_encoded_arguments(encoded_name):
        arguments = decode_arguments(arguments)
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


def needs_whole_arguments(block: Json) -> bool:
    """Return True if the arguments of a call can be decoded only when all of them have arrived."""
    name = str(block.get("name", ""))
    return has_encoded_arguments(name) or decode_name(name)[1]


def _custom_input(arguments: str) -> str:
    """Return the text that a custom tool is called with."""
    try:
        parsed = json.loads(arguments)
    except (ValueError, RecursionError):
        return arguments
    text = parsed.get("input") if isinstance(parsed, dict) else None
    return text if isinstance(text, str) else arguments


def arguments_text(input: Any) -> str:
    return json.dumps(input or {}, ensure_ascii=False, separators=(",", ":"))


def chat_message(blocks: list[Json], model: str, refusal: str | None) -> Json:
    """Return the assistant's message. Other types of blocks, such as server tools, are left out."""
    calls = [
        tool_call(one, arguments_text(one.get("input"))) for one in blocks if one.get("type") == "tool_use"
    ]
    text = "".join(str(one.get("text", "")) for one in blocks if one.get("type") == "text")
    reasoning = "".join(str(one.get("thinking", "")) for one in blocks if one.get("type") == "thinking")
    details: list[Json] = []
    for block in blocks:
        if detail := reasoning_detail(block, len(details), model):
            details.append(detail)
    message: Json = {"role": "assistant", "content": text if text or not calls else None}
    message["refusal"] = None if text or calls else refusal
    optional = {"reasoning_content": reasoning, "reasoning_details": details, "tool_calls": calls}
    return message | {name: value for name, value in optional.items() if value}


def chat_completion(message: Json, finish_reason: str, *, id: Any, created: int, model: Any) -> Json:
    return {
        "id": id,
        "object": "chat.completion",
        "created": created,
        "model": model,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": finish_reason}],
    }


def chat_usage(
    fresh: int, read: int, written: int, completion: int, *, for_an_hour: int = 0, reasoning: int = 0
) -> Json:
    """Return usage in OpenAI's meaning: tokens read from the cache or written to it are input too.

    for_an_hour: those of the `written` that the cache keeps for an hour.
    """
    prompt = fresh + read + written
    hour = {"cache_write_1h_tokens": for_an_hour} if for_an_hour else {}
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": read, "cache_write_tokens": written, **hour},
        "completion_tokens_details": {"reasoning_tokens": reasoning},
    }


def token_count(usage: Mapping[str, Any], name: str) -> int:
    value = usage.get(name)
    return value if isinstance(value, int) and value > 0 else 0

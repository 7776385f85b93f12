"""What Anthropic answers, in chat's words: why it ended, what it used, what of it is a call; and its errors.

https://platform.claude.com/docs/en/api/messages, .../api/errors
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from handler.errors import UpstreamError
from handler.providers.anthropic_content import thought
from handler.providers.anthropic_names import meant
from handler.providers.base import Json
from handler.providers.failure import failure

FINISH: Mapping[str, str] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",  # of server tools, which are not asked for
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
_TIERS = {"standard": "default", "priority": "priority", "batch": "batch"}

# The status that each type of error has, for those that come with none or with another one.
_STATUSES: Mapping[str, int] = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "conflict_error": 409,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
_NO_MONEY = ("Your credit balance is too low", "You have reached your specified API usage limits")
_SPENT = frozenset({"enforced_spend_limit_reached", "contract_spend_limit_reached"})


def finish_of(reason: Any, *, called: bool) -> str:
    """OpenAI's word for why an answer ended; for a new one what it holds decides."""
    return FINISH.get(str(reason)) or ("tool_calls" if called else "stop")


def refusal_of(ended: Mapping[str, Any]) -> str | None:
    """Why an answer was refused, where that is told."""
    details = ended.get("stop_details")
    why = details.get("explanation") if isinstance(details, dict) else None
    return why if ended.get("stop_reason") == "refusal" and isinstance(why, str) and why else None


def call_of(block: Json, arguments: str) -> Json:
    """A tool call; `arguments` are the JSON text of its input."""
    name, custom = meant(str(block.get("name", "")))
    if custom:
        return {"id": block["id"], "type": "custom", "custom": {"name": name, "input": _text_of(arguments)}}
    return {"id": block["id"], "type": "function", "function": {"name": name, "arguments": arguments}}


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


def message_of(body: Json) -> Json:
    """The message that a whole answer is. Blocks of other sorts are Anthropic's own tools at work."""
    blocks, model = body["content"], str(body.get("model"))
    calls = [call_of(one, arguments_of(one.get("input"))) for one in blocks if one.get("type") == "tool_use"]
    texts = [str(one.get("text", "")) for one in blocks if one.get("type") == "text"]
    reasoning = "".join(str(one.get("thinking", "")) for one in blocks if one.get("type") == "thinking")
    thoughts: list[Json] = []
    for block in blocks:
        if detail := thought(block, len(thoughts), model):
            thoughts.append(detail)
    text = "".join(texts)
    message: Json = {"role": "assistant", "content": text if text or not calls else None}
    message["refusal"] = None if text or calls else refusal_of(body)
    parts = {"reasoning_content": reasoning, "reasoning_details": thoughts, "tool_calls": calls}
    return message | {name: part for name, part in parts.items() if part}


def usage_of(usage: Mapping[str, Any]) -> Json:
    """Usage as OpenAI means it: what is read from the cache, or written to it, is input too."""
    read, written = _count(usage, "cache_read_input_tokens"), _count(usage, "cache_creation_input_tokens")
    prompt, completion = _count(usage, "input_tokens") + read + written, _count(usage, "output_tokens")
    details = usage.get("output_tokens_details")
    reasoning = _count(details, "thinking_tokens") if isinstance(details, dict) else 0
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": read, "cache_write_tokens": written},
        "completion_tokens_details": {"reasoning_tokens": reasoning},
    }


def tier_of(usage: Mapping[str, Any]) -> Json:
    tier = _TIERS.get(str(usage.get("service_tier")))
    return {"service_tier": tier} if tier else {}


def _count(usage: Mapping[str, Any], name: str) -> int:
    value = usage.get(name)
    return value if isinstance(value, int) and value > 0 else 0


def failed(status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
    """What an error means. The type counts before the status, and an account without money before both."""
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        told = None
    match told:
        case {"error": {"type": str(kind)} as said}:
            if not 400 <= status < 500 or kind != "invalid_request_error":
                status = _STATUSES.get(kind, status)
            if str(said.get("message")).startswith(_NO_MONEY) or _code(said) in _SPENT:
                status = 402
    error = failure(status, headers, body)
    if status == 413 and error.klass == "invalid_request":
        error.code = "request_too_large"
    return error


def _code(error: Mapping[str, Any]) -> Any:
    details = error.get("details")
    return details.get("error_code") if isinstance(details, dict) else None

"""Builds the Response object: the request's parameters, the usage, the status, the error.

https://platform.openai.com/docs/api-reference/responses/object
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from handler.errors import GatewayError, Json

# Parameters of the request that the answer repeats, with the value of a request without them.
_ECHO: Json = {
    "background": False,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "prompt_cache_key": None,
    "reasoning": {"effort": None, "summary": None},
    "safety_identifier": None,
    "temperature": None,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": None,
    "user": None,
}
# Whatever the request says: Sluice stores nothing and cuts off nothing.
_FIXED: Json = {"previous_response_id": None, "store": False, "truncation": "disabled"}
_INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}
_COSTS = ("cost", "cost_details", "cost_estimated")


def derived_id(prefix: str, completion_id: Any, index: int | None = None) -> str:
    """Return an id that is the same for the same completion, and that OpenAI accepts in an input."""
    source = repr((completion_id, index)).encode("utf-8", "replace")
    return f"{prefix}_{sha256(source).hexdigest()[:48]}"


def echo_of(body: Json) -> Json:
    """Return the parameters of a request as its answer repeats them."""
    echo = {name: default if body.get(name) is None else body[name] for name, default in _ECHO.items()}
    echo["text"] = {"format": _ECHO["text"]["format"], **echo["text"]}
    return echo | _FIXED


def status_of(finish_reason: Any) -> Json:
    """Return `status` and `incomplete_details` of a complete stream."""
    reason = _INCOMPLETE.get(finish_reason) if isinstance(finish_reason, str) else None
    details = {"reason": reason} if reason else None
    return {"status": "incomplete" if reason else "completed", "incomplete_details": details}


def usage_of(usage: Any) -> Json | None:
    """Return the usage under the names of Responses, with Sluice's costs if there are any."""
    if not isinstance(usage, dict):
        return None
    prompt, completion = usage.get("prompt_tokens_details"), usage.get("completion_tokens_details")
    read, written = _count(prompt, "cached_tokens"), _count(prompt, "cache_write_tokens")
    return {
        "input_tokens": _count(usage, "prompt_tokens"),
        "input_tokens_details": {"cached_tokens": read, "cache_write_tokens": written},
        "output_tokens": _count(usage, "completion_tokens"),
        "output_tokens_details": {"reasoning_tokens": _count(completion, "reasoning_tokens")},
        "total_tokens": _count(usage, "total_tokens"),
        **{name: usage[name] for name in _COSTS if name in usage},
    }


def _count(counts: Any, name: str) -> int:
    value = counts.get(name) if isinstance(counts, dict) else None
    return int(value) if isinstance(value, int | float) and 0 < value < 1e15 else 0


def error_of(error: GatewayError) -> Json:
    """Return the `error` of a failed response, with the codes by which clients decide what to do next."""
    code, message = error.code, error.message
    if error.type == "insufficient_quota":
        code = "insufficient_quota"
    elif code == "rate_limit_exceeded" and error.retry_after is not None:
        message = f"{message.rstrip('.')}. Please try again in {error.retry_after:g}s."
    elif code not in ("rate_limit_exceeded", "context_length_exceeded"):
        code = "invalid_prompt" if error.type == "invalid_request_error" else "server_error"
    return {"code": code, "message": message}

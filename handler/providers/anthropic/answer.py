"""What Anthropic answers, in chat's words: why it ended, what it used; and its errors.

https://platform.claude.com/docs/en/api/messages, .../api/errors
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from handler.errors import UpstreamError
from handler.providers.content_blocks.answer import count
from handler.providers.content_blocks.answer import usage_of as chat_usage
from handler.providers.failure import failure
from handler.providers.translator import Json

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


def usage_of(usage: Mapping[str, Any]) -> Json:
    details = usage.get("output_tokens_details")
    return chat_usage(
        count(usage, "input_tokens"),
        count(usage, "cache_read_input_tokens"),
        count(usage, "cache_creation_input_tokens"),
        count(usage, "output_tokens"),
        count(details, "thinking_tokens") if isinstance(details, dict) else 0,
    )


def tier_of(usage: Mapping[str, Any]) -> Json:
    tier = _TIERS.get(str(usage.get("service_tier")))
    return {"service_tier": tier} if tier else {}


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
    if status == 413 and error.failure_class == "invalid_request":
        error.code = "request_too_large"
    return error


def _code(error: Mapping[str, Any]) -> Any:
    details = error.get("details")
    return details.get("error_code") if isinstance(details, dict) else None

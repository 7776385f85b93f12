"""Reads the parts of Anthropic's answers: finish reason, refusal, usage, service tier; and its errors.

https://platform.claude.com/docs/en/api/messages, .../api/errors
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from handler.errors import Json, UpstreamError
from handler.providers.content_blocks.answer import chat_usage, token_count
from handler.providers.failure import error_from_response

_FINISH_REASONS: Mapping[str, str] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",  # of server tools, which are never requested
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
_TIERS = {"standard": "default", "priority": "priority", "batch": "batch"}

# The status of each type of error, for errors that come with another status or none.
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
_NO_CREDIT = ("Your credit balance is too low", "You have reached your specified API usage limits")
_SPEND_LIMITS = frozenset({"enforced_spend_limit_reached", "contract_spend_limit_reached"})


def read_finish_reason(stop_reason: Any, *, called: bool) -> str:
    """Return OpenAI's finish reason. For an unknown stop reason it depends on whether there are calls."""
    return _FINISH_REASONS.get(str(stop_reason)) or ("tool_calls" if called else "stop")


def read_refusal(message: Mapping[str, Any]) -> str | None:
    """Return the explanation of a refusal, if the answer is one and explains it."""
    details = message.get("stop_details")
    text = details.get("explanation") if isinstance(details, dict) else None
    return text if message.get("stop_reason") == "refusal" and isinstance(text, str) and text else None


def read_usage(usage: Mapping[str, Any]) -> Json:
    details, written = usage.get("output_tokens_details"), usage.get("cache_creation")
    return chat_usage(
        token_count(usage, "input_tokens"),
        token_count(usage, "cache_read_input_tokens"),
        token_count(usage, "cache_creation_input_tokens"),
        token_count(usage, "output_tokens"),
        for_an_hour=token_count(written, "ephemeral_1h_input_tokens") if isinstance(written, dict) else 0,
        reasoning=token_count(details, "thinking_tokens") if isinstance(details, dict) else 0,
    )


def read_service_tier(usage: Mapping[str, Any]) -> Json:
    """Return {"service_tier": ...} in OpenAI's terms, {} if there is none."""
    tier = _TIERS.get(str(usage.get("service_tier")))
    return {"service_tier": tier} if tier else {}


def read_error(status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
    """Return the error of a response. Its type overrides the status, and a lack of credit overrides both."""
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        parsed = None
    match parsed:
        case {"error": {"type": str(kind)} as details}:
            if not 400 <= status < 500 or kind != "invalid_request_error":
                status = _STATUSES.get(kind, status)
            if str(details.get("message")).startswith(_NO_CREDIT) or _code(details) in _SPEND_LIMITS:
                status = 402
    error = error_from_response(status, headers, body)
    if status == 413 and error.failure_class == "invalid_request":
        error.code = "request_too_large"
    return error


def _code(error: Mapping[str, Any]) -> Any:
    details = error.get("details")
    return details.get("error_code") if isinstance(details, dict) else None

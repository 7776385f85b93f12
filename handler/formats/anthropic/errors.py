"""Writes an error as Anthropic does. https://platform.claude.com/docs/en/api/errors"""

from __future__ import annotations

from collections.abc import Mapping

from handler.errors import GatewayError, Json

_TYPES: Mapping[int, str] = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_TOO_LONG = "prompt is too long"  # the words by which clients recognise that they have to shorten it


def error_body(error: GatewayError) -> Json:
    """Return the body of an error. The members besides `type` and `message` are Sluice's own."""
    own = {name: value for name, value in error.body()["error"].items() if value is not None}
    other = "invalid_request_error" if error.status < 500 else "api_error"
    message = error.message
    if error.code == "context_length_exceeded" and _TOO_LONG not in message.lower():
        message = f"{_TOO_LONG}: {message}"
    return {"type": "error", "error": {**own, "type": _TYPES.get(error.status, other), "message": message}}

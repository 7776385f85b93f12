"""Classifies the errors of OpenAI's Responses: of a response, of a failed answer, and of an event.

https://platform.openai.com/docs/api-reference/responses-streaming/error
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from handler.errors import Json, UpstreamError
from handler.providers.failure import error_from_response

# The statuses of codes that come without one. Those that begin with `invalid_` or name an image are 400.
# https://platform.openai.com/docs/api-reference/responses/object#responses/object-error
_STATUSES: Mapping[str, int] = {
    "rate_limit_exceeded": 429,
    "rate_limit_error": 429,
    "too_many_requests": 429,
    "insufficient_quota": 429,
    "context_length_exceeded": 400,
    "data_residency_mismatch": 403,
    "invalid_api_key": 401,
    "model_not_found": 404,
    "server_is_overloaded": 503,
    "slow_down": 503,
    "unsupported_image_media_type": 400,
    "failed_to_download_image": 400,
}
_OF_THE_REQUEST = ("invalid_", "image_", "empty_image_", "unsupported_")  # the beginnings of codes

# The field of the chat that became a field of Responses, for the `param` of an error.
_CHAT_FIELDS: Mapping[str, str] = {
    "input": "messages",
    "max_output_tokens": "max_tokens",
    "reasoning.effort": "reasoning_effort",
    "text.format": "response_format",
    "text.verbosity": "verbosity",
}


def read_error(status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
    """Return the error of a response. Its `param` names the field of the chat."""
    error = error_from_response(status, headers, body)
    error.param = chat_param(error.param)
    return error


def failure(error: Json) -> UpstreamError:
    """Return the error of a failed answer or an error event, which have no status: the code gives it."""
    code = str(error.get("code") or error.get("type") or "")
    status = _STATUSES.get(code) or (400 if code.startswith(_OF_THE_REQUEST) else 500)
    return read_error(status, {}, json.dumps({"error": error}).encode())


def chat_param(param: str | None) -> str | None:
    """Return the field of the chat for a field of Responses; any other text as it is."""
    for field, name in _CHAT_FIELDS.items():
        if param is not None and param.startswith(field) and param[len(field) :][:1] in ("", ".", "["):
            return name
    return param

"""Maps an error response of a provider to a failure class of contract section 6.

docs/providers.md lists by what each class is recognised.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Container, Mapping

from handler.errors import LONGEST_DETAIL, UpstreamError
from handler.providers.error_details import ErrorDetails, is_error, parse_body, read_details
from handler.providers.retry_after import reset_after, retry_after
from handler.redact import redact

# A provider's code or type, in lower case -> the class, where the status alone would mislead.
CODES: Mapping[str, str] = {
    # https://platform.openai.com/docs/guides/error-codes
    "context_length_exceeded": "context_length",
    "content_filter": "content_policy",
    "content_policy_violation": "content_policy",
    "invalid_prompt": "content_policy",
    "image_content_policy_violation": "content_policy",
    "bio_policy": "content_policy",
    "cyber_policy": "content_policy",
    "misalignment_policy_violation": "content_policy",
    "insufficient_quota": "quota",
    "credit_balance_exhausted": "quota",
    "billing_hard_limit_reached": "quota",
    "billing_not_active": "quota",
    "invalid_api_key": "auth",
    "model_not_found": "not_found",
    "rate_limit_exceeded": "rate_limit",  # Groq sends it with 413, https://console.groq.com/docs/rate-limits
    "server_is_overloaded": "overloaded",
    "slow_down": "overloaded",
    "responsibleaipolicyviolation": "content_policy",  # Azure, as an inner code
    "deploymentnotfound": "not_found",  # Azure
    "model_decommissioned": "not_found",  # https://console.groq.com/docs/deprecations
    "model_not_available": "not_found",  # https://docs.together.ai/docs/error-codes
    "invalid_model": "not_found",  # Mistral
    "exceeded_current_quota_error": "quota",  # https://platform.moonshot.ai/docs/api/errors
    "failed_precondition": "permission",  # Gemini, https://ai.google.dev/gemini-api/docs/troubleshooting
    # https://www.alibabacloud.com/help/en/model-studio/error-code
    "arrearage": "quota",
    "datainspectionfailed": "content_policy",
    "data_inspection_failed": "content_policy",
    # https://docs.z.ai/api-reference/api-code
    "1113": "quota",
    "1211": "not_found",
    "1261": "context_length",
    "1301": "content_policy",
    # https://platform.minimax.io/docs/api-reference/errorcode
    "base_resp 1001": "server",
    "base_resp 1002": "rate_limit",
    "base_resp 1004": "auth",
    "base_resp 1008": "quota",
    "base_resp 1026": "content_policy",
    "base_resp 1027": "content_policy",
    "base_resp 1039": "context_length",
    "base_resp 2013": "invalid_request",
    "base_resp 2049": "auth",
}

STATUSES: Mapping[int, str] = {
    401: "auth",
    402: "quota",
    403: "permission",
    404: "not_found",
    405: "not_found",  # a host without this endpoint: the method is never the caller's
    410: "not_found",  # a retired model
    408: "server",
    425: "server",
    429: "rate_limit",
    503: "overloaded",
    529: "overloaded",
}

# A class, the statuses for which the message decides, the pattern. `re` compiles a pattern on its first use.
_PATTERNS: tuple[tuple[str, Container[int], str], ...] = (
    (
        "context_length",
        {400, 413, 422, *range(500, 504)},
        r"(?:maximum|max|available|model'?s?) context (?:length|size|window)"
        r"|context[ _](?:length|window|size)(?: has been| was| is)?[ _](?:exceed|full|overflow)"
        r"|exceed\w{0,9}(?: the)?(?: model'?s?)?(?: available| maximum)?"
        r" (?:context|token) (?:length|size|window)"
        r"|exceed\w{0,9}(?: the)?(?: model)? token limit"
        r"|(?:prompt|input|request|conversation) (?:is |was )?too (?:long|large)(?! .{0,80}per minute)"
        r"|(?:prompt|input|sequence) length .{0,40}exceed"
        r"|(?:input|prompt) token count .{0,40}exceeds"
        r"|maximum prompt length|range of input length|too many (?:input |prompt )?tokens\b"
        r"|reduce the length of the (?:messages|prompt|input)",
    ),
    (
        "content_policy",
        {400, 403, 422, 451},
        r"content (?:management |usage )?polic|content[ _]filter|flagged (?:as|by|for)|content exists risk"
        r"|violates (?:our )?(?:usage|content|safety)|requires moderation|inappropriate content",
    ),
    (
        "quota",
        {402, 403, 429},
        r"insufficient[ _](?:balance|credit|fund|quota)|(?:out of|all available) credits"
        r"|credit balance|arrears",
    ),
    # Only at the start: a message may quote the request, and a caller must not be able to choose these two.
    (
        "auth",
        {400, 403},
        r"\A(?:(?:incorrect|invalid|missing|no|expired) (?:\w+ )?api[ _-]?key"
        r"|api key not valid|unauthorized)",
    ),
    (
        "not_found",
        {400, 422},
        r"\A(?:invalid model|model not exist|unknown model|no such model|the model `[^`]*` does not exist)",
    ),
)
_MAX_MESSAGE = 4000  # characters that are searched

# The caller's message where the provider's own words do not concern the caller.
_MESSAGES: Mapping[str, str] = {
    "auth": "The provider refused the gateway's credential.",
    "permission": "The provider does not let the gateway use this model.",
    "not_found": "The provider does not know this model.",
    "quota": "The gateway's account with the provider is exhausted.",
    "rate_limit": "The provider is over its rate limit.",
    "overloaded": "The provider is overloaded.",
    "server": "The provider failed.",
    "protocol": "The provider's answer could not be understood.",
    "invalid_request": "The provider refused the request.",
    "content_policy": "The provider's content filter refused the request.",
    "context_length": "The request is longer than the model's context window.",
}
# Failures that the caller sees as they are: status, type, code. All others are the gateway's own: 502.
_CALLERS: Mapping[str, tuple[int, str, str]] = {
    "invalid_request": (400, "invalid_request_error", "invalid_value"),
    "context_length": (400, "invalid_request_error", "context_length_exceeded"),
    "content_policy": (400, "invalid_request_error", "content_policy_violation"),
    "rate_limit": (429, "rate_limit_error", "rate_limit_exceeded"),
}
# Of these classes the caller sees the provider's own words, because the caller can fix the request.
_FIXABLE = ("invalid_request", "context_length", "content_policy")


def error_from_response(status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
    """Return the error for a response whose status is not 200."""
    return _error(status, read_details(parse_body(body)), headers, body)


def error_from_body(body: object) -> UpstreamError | None:
    """Return the error in the body of a 200 or in an event of a stream; None if it is not an error."""
    if not is_error(body):
        return None
    details = read_details(body)
    return _error(details.status or 500, details, {}, json.dumps(body).encode())


def classify(status: int, details: ErrorDetails) -> str:
    """Return the failure class: by code, else by the message, else by the status, which tells least."""
    for code in details.codes:
        if code in CODES:
            return CODES[code]
    for failure_class, statuses, pattern in _PATTERNS:
        if status in statuses and re.search(pattern, details.message[:_MAX_MESSAGE], re.IGNORECASE):
            return failure_class
    return _class_of_status(status)


def _class_of_status(status: int) -> str:
    if status in STATUSES:
        return STATUSES[status]
    if 400 <= status < 500:
        return "invalid_request"
    return "server" if status >= 500 else "protocol"


def _error(status: int, details: ErrorDetails, headers: Mapping[str, str], body: bytes) -> UpstreamError:
    failure_class = classify(status, details)
    shown_status, type_, code = _CALLERS.get(failure_class, (None, None, None))
    param = "messages" if failure_class == "context_length" else None
    if failure_class == "invalid_request":
        shown_status = status if 400 <= status < 500 else shown_status
        code = details.code if details.code and redact(details.code) == details.code else code
        param = details.param and redact(details.param)
    message = redact(details.message.strip(), limit=LONGEST_DETAIL)
    shown_message = message if failure_class in _FIXABLE else ""
    error = UpstreamError(
        shown_message or _MESSAGES[failure_class],
        failure_class=failure_class,
        upstream_status=status,
        status=shown_status,
        type=type_,
        code=code,
        param=param,
        retry_after=_wait(failure_class, details, headers, body),
    )
    if message and not shown_message:
        error.add_note(message)  # for the log
    return error


def _wait(failure_class: str, details: ErrorDetails, headers: Mapping[str, str], body: bytes) -> float | None:
    """Seconds until the provider may be called again: as it asks, else until its limits are reset."""
    now = time.time()
    waits = [retry_after(headers, body, now), retry_after(details.headers, b"", now)]
    if failure_class in ("rate_limit", "quota"):  # other responses have the headers of limits, too
        waits += [reset_after(headers, now), reset_after(details.headers, now)]
    return next((wait for wait in waits if wait is not None), None)

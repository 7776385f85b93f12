"""What an upstream's refusal means: any shape of error body to one class of contract section 6.

The shapes: OpenAI's object, the flat one of vLLM and Mistral, `error` as a text (xAI), FastAPI's `detail`,
Cloudflare's envelope, OpenRouter with a number for a code and the provider's own words under `metadata.raw`,
MiniMax's `base_resp`, a page of HTML, nothing at all. docs/providers.md says what each class is told by.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Container, Mapping
from typing import Any, NamedTuple

from handler.errors import LONGEST_DETAIL, UpstreamError
from handler.providers.retry_after import reset_after, retry_after
from handler.redact import redact

# What a provider calls it, where the status alone would mislead. Lower-case; numbers as text.
CODES: Mapping[str, str] = {
    # https://platform.openai.com/docs/guides/error-codes
    "context_length_exceeded": "context_length",
    "content_filter": "content_policy",
    "content_policy_violation": "content_policy",
    "invalid_prompt": "content_policy",
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
    410: "not_found",  # a model that was taken away
    408: "server",
    425: "server",
    429: "rate_limit",
    503: "overloaded",
    529: "overloaded",
}

# A class, the statuses under which words may tell of it, the words. `re` compiles them when one is needed.
_WORDS: tuple[tuple[str, Container[int], str], ...] = (
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
    # At the start only: a message may quote the request, and a caller must not choose these two.
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
_LOOKED_AT = 4000  # characters of a message
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")

# What a caller is told where the provider's own words are not his business.
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


class ErrorDetails(NamedTuple):
    """What an error body says, whatever its shape."""

    message: str = ""
    codes: tuple[str, ...] = ()  # code, type, inner codes: lower-case
    code: str | None = None  # as it came, when a text
    param: str | None = None
    status: int | None = None  # some put it in the body
    headers: Mapping[str, str] = {}  # and the headers of who refused it (OpenRouter), by lower-case names


def error_from_response(status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
    """The failure that an answer of `status` is."""
    told = read_details(_parsed(body))
    return _error(status, told, headers, body)


def error_from_body(body: object) -> UpstreamError | None:
    """The failure told by the body of a 200 or by an event of a stream; None when it tells of none."""
    if not _is_error(body):
        return None
    told = read_details(body)
    return _error(told.status or 500, told, {}, json.dumps(body).encode())


def classify(status: int, told: ErrorDetails) -> str:
    """The class, by code, by words, by status; in this order because a status says least."""
    for code in told.codes:
        if code in CODES:
            return CODES[code]
    for failure_class, statuses, words in _WORDS:
        if status in statuses and re.search(words, told.message[:_LOOKED_AT], re.IGNORECASE):
            return failure_class
    return _by_status(status)


def _by_status(status: int) -> str:
    if status in STATUSES:
        return STATUSES[status]
    if 400 <= status < 500:
        return "invalid_request"
    return "server" if status >= 500 else "protocol"


# How a failure that is a caller's to see is shown: status, type, code. The others are the gateway's: 502.
_SHOWN: Mapping[str, tuple[int, str, str]] = {
    "invalid_request": (400, "invalid_request_error", "invalid_value"),
    "context_length": (400, "invalid_request_error", "context_length_exceeded"),
    "content_policy": (400, "invalid_request_error", "content_policy_violation"),
    "rate_limit": (429, "rate_limit_error", "rate_limit_exceeded"),
}


def _error(status: int, told: ErrorDetails, headers: Mapping[str, str], body: bytes) -> UpstreamError:
    failure_class = classify(status, told)
    shown, type_, code = _SHOWN.get(failure_class, (None, None, None))
    param = "messages" if failure_class == "context_length" else None
    if failure_class == "invalid_request":
        shown = status if 400 <= status < 500 else shown
        code = told.code if told.code and redact(told.code) == told.code else code
        param = told.param and redact(told.param)
    own = redact(told.message.strip(), limit=LONGEST_DETAIL)
    theirs = own if failure_class in ("invalid_request", "context_length", "content_policy") else ""
    error = UpstreamError(
        theirs or _MESSAGES[failure_class],
        failure_class=failure_class,
        upstream_status=status,
        status=shown,
        type=type_,
        code=code,
        param=param,
        retry_after=_wait(failure_class, told, headers, body),
    )
    if own and not theirs:
        error.add_note(own)  # what the provider said, for the log
    return error


def _wait(failure_class: str, told: ErrorDetails, headers: Mapping[str, str], body: bytes) -> float | None:
    """Seconds until it may be asked again: as the provider asks, else when its limits are reset."""
    now = time.time()
    waits = [retry_after(headers, body, now), retry_after(told.headers, b"", now)]
    if failure_class in ("rate_limit", "quota"):  # any other answer tells when limits are reset, too
        waits += [reset_after(headers, now), reset_after(told.headers, now)]
    return next((wait for wait in waits if wait is not None), None)


def read_details(body: Any) -> ErrorDetails:
    """What the body of an error says."""
    match body:
        case [first, *_]:  # Gemini's compatible API, https://ai.google.dev/gemini-api/docs/openai
            return read_details(first)
        case {"error": dict(error)} | {"errors": [dict(error), *_]}:  # OpenAI | Cloudflare
            return _object(error)
        case {"error": str(message)}:  # xAI, SambaNova
            return _object(body, message)
        case {"base_resp": {"status_code": code, "status_msg": message}}:  # MiniMax
            return ErrorDetails(message=_text(message), codes=(f"base_resp {code}",))
        case {"message": message} | {"detail": message}:  # vLLM, Mistral, DashScope | FastAPI
            return _object(body, message)
        case str(message):  # plain text
            return ErrorDetails(message=message)
    return ErrorDetails()


def _object(error: Mapping[str, Any], said: Any = None) -> ErrorDetails:
    code, param, metadata = error.get("code"), error.get("param"), error.get("metadata")
    inner = error.get("innererror")
    names = (code, error.get("type"), inner.get("code") if isinstance(inner, Mapping) else None)
    message = _text(said or error.get("message"))
    metadata = metadata if isinstance(metadata, Mapping) else {}
    raw, sent = metadata.get("raw"), metadata.get("headers")
    told = read_details(_parsed(raw.encode("utf-8", "replace"))) if isinstance(raw, str) else ErrorDetails()
    return ErrorDetails(
        message=told.message or message,  # OpenRouter's own is "Provider returned error"
        codes=(*(str(name).lower() for name in names if name is not None), *told.codes),
        code=code if isinstance(code, str) and _NAME.fullmatch(code) else told.code,
        param=param if isinstance(param, str) and len(param) <= 200 else told.param,
        status=code if isinstance(code, int) and 400 <= code <= 599 else None,
        headers={name.lower(): str(value) for name, value in sent.items()}
        if isinstance(sent, Mapping)
        else {},
    )


def _text(message: object) -> str:
    """A message; Mistral and FastAPI give a list of what is wrong where, sometimes as JSON in a text."""
    match message:
        case str(text) if text.startswith(('{"detail"', "[{")):
            inner = _parsed(text.encode("utf-8", "replace"))
            return text if isinstance(inner, str) else _text(inner)
        case str(text):
            return text
        case {"detail": detail}:
            return _text(detail)
        case {"msg": str(text), "loc": list(where)}:
            return f"{'.'.join(map(str, where))}: {text}"
        case {"message": text} | {"msg": text}:
            return _text(text)
        case list(several):
            return "; ".join(filter(None, map(_text, several)))
    return ""


def _is_error(body: object) -> bool:
    match body:
        case {"error": error} if error:
            return True
        case {"base_resp": {"status_code": code}} if code:
            return True
        case {"choices": _}:
            return False
        case [{"error": error}, *_] if error:
            return True
        case {"success": False} | {"object": "error"} | {"detail": _} | {"message": str()}:
            return True
    return False


def _parsed(body: bytes) -> Any:
    """The JSON of a body, or its plain text; None for a page of HTML."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        text = body[:4000].decode("utf-8", "replace").strip()
        return None if text.startswith("<") else text

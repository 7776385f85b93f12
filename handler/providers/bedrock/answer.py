"""Reads the parts of Converse's answers: content blocks, finish reason, usage, service tier; and its errors.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from handler.errors import Json, UpstreamError
from handler.providers.content_blocks.answer import chat_usage, token_count
from handler.providers.content_blocks.blocks import text_block
from handler.providers.failure import error_from_response

_FINISH_REASONS: Mapping[str, str] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "guardrail_intervened": "content_filter",
    "content_filtered": "content_filter",
    # `stop` also after calls, since the last of them may be the malformed one and must not be run.
    "malformed_model_output": "stop",
    "malformed_tool_use": "stop",
}
# Without any content these are a failure, and a retry may help.
_MALFORMED = frozenset({"malformed_model_output", "malformed_tool_use"})

# The status of each exception. Some come with another status, those in a stream with none.
# https://docs.aws.amazon.com/bedrock/latest/userguide/troubleshooting-api-error-codes.html
_STATUSES: Mapping[str, int] = {
    "ValidationException": 400,
    "AccessDeniedException": 403,
    "ResourceNotFoundException": 404,
    "ThrottlingException": 429,
    "ServiceQuotaExceededException": 429,  # comes as 400
    "ModelNotReadyException": 503,  # comes as 429, while the model starts
    "ModelTimeoutException": 408,
    "ModelErrorException": 500,  # comes as 424, as the next one does
    "ModelStreamErrorException": 500,
    "InternalServerException": 500,
    "ServiceUnavailableException": 503,
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/signature-v4-troubleshooting.html; they come as 403
    **dict.fromkeys(
        (
            *("ExpiredTokenException", "UnrecognizedClientException", "InvalidSignatureException"),
            *("IncompleteSignatureException", "MissingAuthenticationTokenException", "InvalidClientTokenId"),
            *("SignatureDoesNotMatch", "MissingAuthenticationToken"),
        ),
        401,
    ),
}
# Beginnings of messages whose status overrides that of their exception.
_MESSAGES: tuple[tuple[str, int], ...] = (
    ("The provided model identifier is invalid", 404),
    ("Invocation of model ID", 404),  # requires an inference profile, or is not in this region
    ("Authentication failed", 401),  # a Bedrock API key
    ("Bearer Token", 401),
    ("The security token included in the request", 401),
)


def content_blocks(content: list[Any]) -> list[Json]:
    """Convert Converse's blocks to Anthropic's. Types that chat cannot represent are left out."""
    return [block for one in content if isinstance(one, dict) and (block := _block(one))]


def _block(one: Json) -> Json | None:
    match one:
        case {"text": str(text)}:
            return text_block(text)
        case {"toolUse": {"type": "server_tool_use"}}:
            return None
        case {"toolUse": {"toolUseId": str(id), "name": str(name)} as call}:
            return {"type": "tool_use", "id": id, "name": name, "input": call.get("input")}
        case {"reasoningContent": {"reasoningText": {"text": str(text)} as thinking}}:
            return {"type": "thinking", "thinking": text, "signature": thinking.get("signature")}
        case {"reasoningContent": {"redactedContent": str(data)}}:
            return {"type": "redacted_thinking", "data": data}
        case {"citationsContent": {"content": list(parts)}}:
            return text_block("".join(str(one.get("text", "")) for one in parts if isinstance(one, dict)))
    return None


def read_finish_reason(stop_reason: Any, *, called: bool, has_text: bool) -> str:
    """Return OpenAI's finish reason. For an unknown stop reason it depends on whether there are calls.

    Raises UpstreamError if the answer is malformed and has neither text nor calls.
    """
    stop_reason = str(stop_reason)
    if stop_reason in _MALFORMED and not has_text and not called:
        raise UpstreamError("The provider's model produced malformed output.", failure_class="server")
    return _FINISH_REASONS.get(stop_reason) or ("tool_calls" if called else "stop")


def read_usage(usage: Mapping[str, Any]) -> Json:
    details = usage.get("cacheDetails")
    written = [one for one in details if isinstance(one, dict)] if isinstance(details, list) else []
    return chat_usage(
        token_count(usage, "inputTokens"),
        token_count(usage, "cacheReadInputTokens"),
        token_count(usage, "cacheWriteInputTokens"),
        token_count(usage, "outputTokens"),
        for_an_hour=sum(token_count(one, "inputTokens") for one in written if one.get("ttl") == "1h"),
    )


def read_service_tier(body: Mapping[str, Any]) -> Json:
    """Return {"service_tier": ...}, {} if there is none."""
    tier = body.get("serviceTier")
    kind = tier.get("type") if isinstance(tier, dict) else None
    return {"service_tier": kind} if isinstance(kind, str) else {}


def read_error(status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
    """Return the error of a response. Its type, which is in a header, overrides the status."""
    kind = headers.get("x-amzn-errortype", "").partition(":")[0].rpartition("#")[2]
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        return error_from_response(_STATUSES.get(kind, status), headers, body)
    return _error(kind, status, headers, parsed)


def read_stream_error(name: str, content: Any) -> UpstreamError:
    """Return the error of an exception in a stream. `name`: its type, with a small first letter."""
    return _error(name[:1].upper() + name[1:], 500, {}, content)


def _error(kind: str, status: int, headers: Mapping[str, str], content: Any) -> UpstreamError:
    content = content if isinstance(content, dict) else {}
    message = str(content.get("message") or content.get("Message") or "")
    message = message.partition("\n")[
        0
    ]  # the rest of a refused signature's message quotes the signed request
    by_message = (known for beginning, known in _MESSAGES if message.startswith(beginning))
    status = next(by_message, _STATUSES.get(kind, status))
    return error_from_response(status, headers, json.dumps({"message": message}).encode())

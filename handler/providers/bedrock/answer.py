"""What Converse answers, in chat's words: blocks, why it ended, what it used; and its errors.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
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

_FINISH: Mapping[str, str] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "guardrail_intervened": "content_filter",
    "content_filtered": "content_filter",
    # It could not go on: what there is of a call is not to be run.
    "malformed_model_output": "stop",
    "malformed_tool_use": "stop",
}
# With nothing said these are a failure, and asking again may help.
_BROKEN = frozenset({"malformed_model_output", "malformed_tool_use"})

# The status that each exception means; some come with another one, those in a stream with none.
# https://docs.aws.amazon.com/bedrock/latest/userguide/troubleshooting-api-error-codes.html
_STATUSES: Mapping[str, int] = {
    "ValidationException": 400,
    "AccessDeniedException": 403,
    "ResourceNotFoundException": 404,
    "ThrottlingException": 429,
    "ServiceQuotaExceededException": 429,  # comes as 400
    "ModelNotReadyException": 503,  # comes as 429: the model wakes up
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
# What the words say against the type: how they begin -> the status that is meant.
_WORDS: tuple[tuple[str, int], ...] = (
    ("The provided model identifier is invalid", 404),
    ("Invocation of model ID", 404),  # only by an inference profile, or not in this region
    ("Authentication failed", 401),  # a Bedrock API key
    ("Bearer Token", 401),
    ("The security token included in the request", 401),
)


def blocks_of(content: list[Any]) -> list[Json]:
    """Converse's blocks in the form of Messages'; those of sorts that chat has no place for are left out."""
    return [block for one in content if isinstance(one, dict) and (block := _block(one))]


def _block(one: Json) -> Json | None:
    match one:
        case {"text": str(text)}:
            return {"type": "text", "text": text}
        case {"toolUse": {"type": "server_tool_use"}}:
            return None
        case {"toolUse": {"toolUseId": str(id), "name": str(name)} as call}:
            return {"type": "tool_use", "id": id, "name": name, "input": call.get("input")}
        case {"reasoningContent": {"reasoningText": {"text": str(text)} as thought}}:
            return {"type": "thinking", "thinking": text, "signature": thought.get("signature")}
        case {"reasoningContent": {"redactedContent": str(data)}}:
            return {"type": "redacted_thinking", "data": data}
        case {"citationsContent": {"content": list(texts)}}:
            said = "".join(str(text.get("text", "")) for text in texts if isinstance(text, dict))
            return {"type": "text", "text": said}
    return None


def finish_of(reason: Any, *, called: bool, spoken: bool) -> str:
    """OpenAI's word for why an answer ended; for a new one what it holds decides."""
    reason = str(reason)
    if reason in _BROKEN and not spoken and not called:
        raise UpstreamError("The provider's model made no readable answer.", failure_class="server")
    return _FINISH.get(reason) or ("tool_calls" if called else "stop")


def usage_of(usage: Mapping[str, Any]) -> Json:
    read, written = count(usage, "cacheReadInputTokens"), count(usage, "cacheWriteInputTokens")
    return chat_usage(count(usage, "inputTokens"), read, written, count(usage, "outputTokens"))


def tier_of(body: Mapping[str, Any]) -> Json:
    tier = body.get("serviceTier")
    kind = tier.get("type") if isinstance(tier, dict) else None
    return {"service_tier": kind} if isinstance(kind, str) else {}


def failed(status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
    """What an error means. Its type is in a header, and counts before the status."""
    kind = headers.get("x-amzn-errortype", "").partition(":")[0].rpartition("#")[2]
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return failure(_STATUSES.get(kind, status), headers, body)
    return _failure(kind, status, headers, told)


def failed_in_stream(name: str, told: Any) -> UpstreamError:
    """What an exception in a stream means: it is called like the type, with a small letter."""
    return _failure(name[:1].upper() + name[1:], 500, {}, told)


def _failure(kind: str, status: int, headers: Mapping[str, str], told: Any) -> UpstreamError:
    told = told if isinstance(told, dict) else {}
    message = str(told.get("message") or told.get("Message") or "")
    message = message.partition("\n")[0]  # a refused signature is followed by all that was signed
    status = next(
        (meant for words, meant in _WORDS if message.startswith(words)), _STATUSES.get(kind, status)
    )
    return failure(status, headers, json.dumps({"message": message}).encode())

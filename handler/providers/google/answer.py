"""Translates Gemini's GenerateContentResponse into a chat completion, or into the delta of one event.

https://ai.google.dev/api/generate-content#v1beta.GenerateContentResponse
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from handler.errors import Json, UpstreamError
from handler.providers.google.custom_tools import client_call
from handler.providers.google.names import decode_name
from handler.providers.google.signatures import TextSignature, extra_content_of
from handler.providers.translator import STRING_OVERHEAD, answer_too_large
from handler.redact import redact

# Gemini's finish reason -> OpenAI's; any other is `stop`. https://ai.google.dev/api/generate-content#FinishReason
_FINISH_REASONS: Mapping[str, str] = {
    "MAX_TOKENS": "length",
    "CONTINUATION": "length",
    **dict.fromkeys(
        (
            *("SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "LANGUAGE", "MODEL_ARMOR"),
            *("IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION", "ESCALATION"),
        ),
        "content_filter",
    ),
}
# The model broke down. Without any content the attempt has failed, and a retry may succeed.
_BREAKDOWNS = frozenset(
    {
        *("MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS", "MALFORMED_RESPONSE"),
        *("MISSING_THOUGHT_SIGNATURE", "NO_IMAGE", "IMAGE_OTHER", "OTHER", "PUP_LIMITED_DISABLED"),
    }
)
_PART_TYPES = {"text": str, "functionCall": dict, "inlineData": dict}
_LIST_FIELDS = frozenset({"tool_calls", "images"})  # of a delta; its other fields are texts
MAX_STATE = 10_000_000  # bytes of ids and signatures of one choice


@dataclass(slots=True)
class ChoiceState:
    """The state of one choice after the events so far."""

    answer_id: str
    index: int
    role_sent: bool = False
    has_content: bool = False  # a text, a call or an image
    text_length: int = 0  # characters
    images: int = 0
    call_ids: dict[str, None] = field(default_factory=dict)
    size: int = 0  # bytes of ids and signatures
    signatures: list[TextSignature] = field(default_factory=list)  # of texts, images and thoughts
    finish_reason: str | None = None  # Gemini's
    finish_message: str = ""


def completion_of(body: Json) -> Json:
    """The chat completion for a whole answer. Raises UpstreamError."""
    if not is_response(body):
        raise UpstreamError(
            "The provider's answer is not a GenerateContentResponse.", failure_class="protocol"
        )
    head = head_of(body, "chat.completion")
    choices = [_choice(one, place, head["id"]) for place, one in enumerate(candidates_of(body))]
    if not choices:
        raise UpstreamError("The provider's answer is empty.", failure_class="server")
    return {
        **head,
        "choices": choices,
        "usage": completion_usage(body.get("usageMetadata") or {}),
        **service_tier_of(body),
    }


def is_response(body: Any) -> bool:
    """True if the members of a body that are read here have the documented types."""
    if not isinstance(body, dict):
        return False
    feedback, usage, candidates = (
        body.get(name) for name in ("promptFeedback", "usageMetadata", "candidates")
    )
    if not isinstance(feedback, dict | None) or not isinstance(usage, dict | None):
        return False
    if candidates is None:
        return bool(feedback or usage)
    return isinstance(candidates, list) and all(map(_is_candidate, candidates))


def _is_candidate(one: Any) -> bool:
    if not isinstance(one, dict) or not isinstance(one.get("index", 0), int):
        return False
    content = one.get("content") or {}
    if not isinstance(content, dict):
        return False
    parts = content.get("parts") or []
    return isinstance(parts, list) and all(map(_is_part, parts))


def _is_part(part: Any) -> bool:
    """True if a part can be read; a part of an unknown kind counts as empty."""
    if not isinstance(part, dict):
        return False
    return all(isinstance(part.get(name), kind | None) for name, kind in _PART_TYPES.items())


def candidates_of(body: Json) -> list[Json]:
    """The candidates; for a blocked prompt, which has none, one that says so."""
    candidates: list[Json] = body.get("candidates") or []
    feedback = body.get("promptFeedback") or {}
    if candidates or not feedback.get("blockReason"):
        return candidates
    message = (
        _text(feedback.get("blockReasonMessage"))
        or f"The provider blocked the prompt: {feedback['blockReason']}."
    )
    return [{"index": 0, "finishReason": "SAFETY", "finishMessage": message}]


def head_of(body: Json, kind: str) -> Json:
    """`id`, `object`, `created` and `model` of a completion or chunk."""
    id_, model = _text(body.get("responseId")), _text(body.get("modelVersion"))
    id_ = id_ or f"chatcmpl-{uuid.uuid4().hex}"
    return {"id": id_, "object": kind, "created": int(time.time()), "model": model}


def _choice(candidate: Json, place: int, answer_id: str) -> Json:
    """The choice for one candidate of a whole answer, which is a stream of one event."""
    index = candidate.get("index", place)
    state = ChoiceState(answer_id, index)
    message: Json = {"role": "assistant", "content": None, "refusal": None, **delta_of(candidate, state)}
    message |= extra_content_of(state.signatures)
    for call in message.get("tool_calls", ()):
        del call["index"]
    finish_reason, message["refusal"] = ending_of(state)
    if message["content"] is None and not state.has_content and not message["refusal"]:
        message["content"] = ""
    return {"index": index, "message": message, **logprobs_of(candidate), "finish_reason": finish_reason}


def delta_of(candidate: Json, state: ChoiceState) -> Json:
    """Return the delta for one candidate of an event, without the role, and update `state`."""
    state.finish_reason = _text(candidate.get("finishReason")) or state.finish_reason
    state.finish_message = _text(candidate.get("finishMessage")) or state.finish_message
    fields: dict[str, list[Any]] = {}
    for part in (candidate.get("content") or {}).get("parts") or ():
        for name, value in _fields_of(part, state):
            fields.setdefault(name, []).append(value)
    delta: Json = {
        name: values if name in _LIST_FIELDS else "".join(values) for name, values in fields.items()
    }
    if any(name in delta for name in ("content", "tool_calls", "images")):
        state.has_content = True
    return delta


def _fields_of(part: Json, state: ChoiceState) -> Iterator[tuple[str, Any]]:
    """Yield fields of the delta for one part. Only signatures of calls are in it; others come at the end."""
    match part:
        case {"functionCall": dict(call)}:
            yield "tool_calls", _tool_call(call, _text(part.get("thoughtSignature")), state)
            return
        case {"text": str(text), "thought": True} if text:
            yield "reasoning_content", text
        case {"text": str(text)} if text:
            state.text_length += len(text)
            yield "content", text
        case {"inlineData": {"mimeType": str(kind), "data": str(data)}} if not part.get("thought"):
            url = f"data:{kind};base64,{data}"
            yield "images", {"index": state.images, "type": "image_url", "image_url": {"url": url}}
            state.images += 1
    if signature := _text(part.get("thoughtSignature")):
        _count_size(state, signature)
        state.signatures.append(TextSignature(state.text_length, signature))


def _count_size(state: ChoiceState, text: str) -> None:
    """Count the memory of a text in the state. Raises UpstreamError at the limit."""
    state.size += len(text) + 10 * STRING_OVERHEAD
    if state.size > MAX_STATE:
        raise answer_too_large()


def _tool_call(call: Json, signature: str, state: ChoiceState) -> Json:
    """A tool call of a delta. An id that is missing or not unique is replaced."""
    id_, place = _text(call.get("id")), len(state.call_ids)
    if not id_ or id_ in state.call_ids:
        own = f"{state.answer_id}/{state.index}/{place}".encode("utf-8", "surrogatepass")
        id_ = f"call_{sha256(own).hexdigest()[:24]}"
    _count_size(state, id_)
    state.call_ids[id_] = None
    arguments = json.dumps(call.get("args") or {}, ensure_ascii=False, separators=(",", ":"))
    tool_call = {"index": place, "id": id_, **client_call(decode_name(_text(call.get("name"))), arguments)}
    if signature:
        tool_call["thought_signature"] = signature
        tool_call["extra_content"] = {"google": {"thought_signature": signature}}
    return tool_call


def ending_of(state: ChoiceState) -> tuple[str, str | None]:
    """The finish reason, and the refusal where all content was withheld.

    Raises UpstreamError if the model broke down before it sent any content.
    """
    reason = state.finish_reason or ""
    if reason in _BREAKDOWNS and not state.has_content:
        message = redact(state.finish_message) or f"The provider could not answer: {reason}."
        raise UpstreamError(message, failure_class="server")
    finish = _FINISH_REASONS.get(reason, "stop")
    if finish == "content_filter" and not state.has_content:
        return finish, redact(state.finish_message) or f"The provider withheld the answer: {reason}."
    return "tool_calls" if finish == "stop" and state.call_ids else finish, None


def logprobs_of(candidate: Json) -> Json:
    """`logprobs` of a choice; empty without them.

    https://ai.google.dev/api/generate-content#LogprobsResult
    """
    result = candidate.get("logprobsResult")
    if not isinstance(result, dict):
        return {}
    tops = [objects_in(one.get("candidates")) for one in objects_in(result.get("topCandidates"))]
    content = [
        {**_token(one), "top_logprobs": [_token(top) for top in (tops[at] if at < len(tops) else ())]}
        for at, one in enumerate(objects_in(result.get("chosenCandidates")))
    ]
    return {"logprobs": {"content": content, "refusal": None}}


def _token(one: Json) -> Json:
    token = _text(one.get("token"))
    bytes_ = list(token.encode("utf-8", "surrogatepass"))
    return {"token": token, "logprob": one.get("logProbability") or 0.0, "bytes": bytes_}


def completion_usage(metadata: Json) -> Json:
    """Return the `usage` of `usageMetadata`.

    Gemini counts thoughts apart from the output, and the results of its own tools apart from the prompt.
    """
    thoughts = _count(metadata, "thoughtsTokenCount")
    prompt = _count(metadata, "promptTokenCount") + _count(metadata, "toolUsePromptTokenCount")
    completion = _count(metadata, "candidatesTokenCount") + thoughts
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {
            "cached_tokens": _count(metadata, "cachedContentTokenCount"),
            **_by_modality(metadata, "promptTokensDetails", "toolUsePromptTokensDetails"),
            **(
                {"cached_tokens_details": cached}
                if (cached := _by_modality(metadata, "cacheTokensDetails"))
                else {}
            ),
        },
        "completion_tokens_details": {
            "reasoning_tokens": thoughts,
            **_by_modality(metadata, "candidatesTokensDetails"),
        },
    }


def _by_modality(metadata: Json, *names: str) -> Json:
    """Return the tokens of audio and of images under OpenAI's names, where there are any."""
    counts = {"AUDIO": 0, "IMAGE": 0}
    for one in (one for name in names for one in objects_in(metadata.get(name))):
        if (modality := _text(one.get("modality"))) in counts:
            counts[modality] += _count(one, "tokenCount")
    return {f"{modality.lower()}_tokens": count for modality, count in counts.items() if count}


def service_tier_of(body: Json) -> Json:
    """Return {"service_tier": ...} in OpenAI's terms, {} if there is none."""
    tier = _text((body.get("usageMetadata") or {}).get("serviceTier")).lower()
    tier = tier.removeprefix("service_tier_")
    return {"service_tier": "default" if tier == "standard" else tier} if tier else {}


def _count(metadata: Json, name: str) -> int:
    value = metadata.get(name)
    return value if isinstance(value, int) and value > 0 else 0


def _text(value: Any) -> str:
    """The value if it is a text, else an empty text."""
    return value if isinstance(value, str) else ""


def objects_in(value: Any) -> list[Json]:
    """The objects in a list; empty for any other value."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []

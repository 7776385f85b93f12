"""Translates a chat completion into a GenerateContentResponse.

https://ai.google.dev/api/generate-content#v1beta.GenerateContentResponse
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from handler.errors import Json
from handler.formats.gemini.media import image_part
from handler.formats.gemini.signatures import Reasoning, call_signature, reasoning_of, text_signature
from handler.wire.strict_json import decode

_FINISH_REASONS: Mapping[str, str] = {
    **dict.fromkeys(("stop", "tool_calls", "function_call"), "STOP"),
    "length": "MAX_TOKENS",
    "content_filter": "SAFETY",
}
# Members of `usage` that Sluice adds where the request has `usage: {"include": true}`.
_COSTS = ("cost", "cost_details", "cost_estimated")


def response_of(completion: Json, *, thoughts: bool) -> Json:
    """Return the response for a completion. `thoughts`: with the parts of its thoughts."""
    candidates = [_candidate(choice, thoughts) for choice in objects(completion.get("choices"))]
    return {"candidates": candidates, **head_of(completion), **tail_of(completion)}


def head_of(completion: Json) -> Json:
    """Return the model and the id, for a completion or a chunk."""
    return {"modelVersion": completion.get("model") or "", "responseId": completion.get("id") or ""}


def tail_of(completion: Json) -> Json:
    """Return the usage and the explanation, as far as a completion or a chunk has them."""
    usage, explanation = completion.get("usage"), completion.get("sluice")
    return {
        **({"usageMetadata": usage_metadata(usage)} if isinstance(usage, dict) else {}),
        **({} if explanation is None else {"sluice": explanation}),
    }


def _candidate(choice: Json, thoughts: bool) -> Json:
    parts = live_parts(choice.get("message") or {}, thoughts=thoughts)
    return {
        "content": {"role": "model", "parts": parts + last_parts(choice, after=parts, thoughts=thoughts)},
        **ending_of(choice),
        "index": choice.get("index") or 0,
        **logprobs_of(choice),
    }


def live_parts(message: Json, *, thoughts: bool) -> list[Json]:
    """Return the parts of a message, or of a delta, that a stream sends at once: thoughts and text."""
    parts: list[Json] = []
    if thoughts and (reasoning := message.get("reasoning_content")):
        parts.append({"text": reasoning, "thought": True})
    if text := message.get("content"):
        parts.append({"text": text})
    return parts


def last_parts(choice: Json, *, after: list[Json], thoughts: bool) -> list[Json]:
    """Return the parts of a choice behind its texts: a refusal, images, the signature, and calls.

    `thoughts`: the text of the reasoning is among the parts before these.

    The signature of texts is in a part of its own, because in a stream they have been sent by then. An answer
    has at least one part, since clients count one without parts as invalid.
    """
    message: Json = choice.get("message") or {}
    reasoning, calls = reasoning_of(message, shown=thoughts), objects(message.get("tool_calls"))
    parts: list[Json] = []
    if (refusal := message.get("refusal")) and choice.get("finish_reason") != "content_filter":
        parts.append({"text": refusal})
    parts += [part for image in objects(message.get("images")) if (part := image_part(image))]
    if signature := text_signature(message.get("extra_content"), Reasoning() if calls else reasoning):
        parts.append({"text": "", "thoughtSignature": signature})
    for place, call in enumerate(calls):
        parts.append(_call_part(call, Reasoning() if place else reasoning, first=place == 0))
    return parts if parts or after else [{"text": ""}]


def _call_part(call: Json, reasoning: Reasoning, *, first: bool) -> Json:
    function: Json = call.get("function") or {}
    own = {"id": call["id"]} if call.get("id") else {}
    arguments = _arguments(function.get("arguments") or "")
    part: Json = {"functionCall": {**own, "name": function.get("name") or "", "args": arguments}}
    signature = call_signature(call, reasoning, first=first)
    return {**part, "thoughtSignature": signature} if signature else part


def _arguments(text: str) -> Json:
    """Return the arguments as an object, which Gemini's always are. Text that is not JSON stays in it."""
    try:
        value = decode(text or "{}")
    except (ValueError, RecursionError):
        return {"_raw": text}
    return value if isinstance(value, dict) else {} if value is None else {"value": value}


def ending_of(choice: Json) -> Json:
    """Return the finish reason, the provider's words where it withheld the answer, and citations."""
    message: Json = choice.get("message") or {}
    reason = choice.get("finish_reason") or "stop"
    new: Json = {"finishReason": _FINISH_REASONS.get(reason, "OTHER")}
    if reason == "content_filter" and message.get("refusal"):
        new["finishMessage"] = message["refusal"]
    if citations := list(_citations(message.get("annotations"))):
        new["citationMetadata"] = {"citationSources": citations}
    return new


def _citations(annotations: Any) -> Iterator[Json]:
    for one in objects(annotations):
        match one.get("url_citation"):
            case {"url": str(url), **others}:
                names = {"start_index": "startIndex", "end_index": "endIndex", "title": "title"}
                found = {new: others[old] for old, new in names.items() if others.get(old) is not None}
                yield {"uri": url, **found}


def logprobs_of(choice: Json) -> Json:
    """Return `logprobsResult` of a choice; {} without them."""
    logprobs = choice.get("logprobs")
    tokens = objects(logprobs.get("content")) if isinstance(logprobs, dict) else []
    if not tokens:
        return {}
    tops = [{"candidates": [_token(top) for top in objects(one.get("top_logprobs"))]} for one in tokens]
    return {"logprobsResult": {"chosenCandidates": [_token(one) for one in tokens], "topCandidates": tops}}


def _token(one: Json) -> Json:
    return {"token": one.get("token"), "logProbability": one.get("logprob")}


def usage_metadata(usage: Json) -> Json:
    """Return Gemini's usage, which counts the tokens of thoughts apart from those of the candidates."""
    prompt, completion = _count(usage, "prompt_tokens"), _count(usage, "completion_tokens")
    thoughts = min(_count(usage.get("completion_tokens_details"), "reasoning_tokens"), completion)
    cached = _count(usage.get("prompt_tokens_details"), "cached_tokens")
    return {
        "promptTokenCount": prompt,
        "candidatesTokenCount": completion - thoughts,
        "totalTokenCount": prompt + completion,
        **({"thoughtsTokenCount": thoughts} if thoughts else {}),
        **({"cachedContentTokenCount": cached} if cached else {}),
        **{name: usage[name] for name in _COSTS if name in usage},
    }


def _count(usage: Any, name: str) -> int:
    value = usage.get(name) if isinstance(usage, dict) else None
    return int(value) if isinstance(value, int | float) and 0 < value < 1e15 else 0


def objects(value: Any) -> list[Json]:
    """Return the objects in a list; an empty list for any other value."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []

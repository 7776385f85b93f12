"""Converts an answer of OpenAI's Responses to a chat completion: message, tool calls, usage.

https://platform.openai.com/docs/api-reference/responses/object
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from handler.errors import Json, UpstreamError
from handler.providers.failure import error_from_body
from handler.providers.responses.errors import failure
from handler.providers.responses.reasoning_details import reasoning_details, reasoning_texts

BETWEEN = "\n\n"  # what separates the parts of the reasoning
_CALLS = {"function_call": "arguments", "custom_tool_call": "input"}  # the member with the call's text
_UNFINISHED = ("cancelled", "in_progress", "queued")


def read_completion(body: Json, *, created: int, model: str) -> Json:
    """Return the completion. Raises UpstreamError if the answer is a failure, or is no answer."""
    raise_if_failed(body)
    output = body.get("output")
    if not isinstance(output, list) or body.get("status") in _UNFINISHED:
        raise UpstreamError("The provider's answer is not a complete response.", failure_class="protocol")
    items = [item for item in output if isinstance(item, dict)]
    message, logprobs = _message(items)
    choice = {
        "index": 0,
        "message": message,
        "logprobs": {"content": logprobs, "refusal": None} if logprobs else None,
        "finish_reason": finish_reason(body, called="tool_calls" in message),
    }
    head = read_head(body, created=created, model=model)
    completion = {**head, "object": "chat.completion", "choices": [choice]}
    return {**completion, **read_usage(body), **read_service_tier(body)}


def raise_if_failed(body: Json) -> None:
    """Raise the error of a failed answer, or of a body that is an error and no answer."""
    error = body.get("error")
    if isinstance(error, dict) and error:
        raise failure(error)
    if body.get("status") == "failed":
        raise UpstreamError("The provider failed.", failure_class="server")
    if "output" not in body and (other := error_from_body(body)) is not None:
        raise other


def read_head(response: Json, *, created: int, model: str) -> Json:
    """Return id, time and model of the answer, as a chunk has them."""
    at, id = response.get("created_at"), response.get("id")
    return {
        "id": id if isinstance(id, str) else "",
        "object": "chat.completion.chunk",
        "created": int(at) if isinstance(at, int | float) and 0 < at < 1e12 else created,
        "model": str(response.get("model") or model),
    }


def read_service_tier(response: Json) -> Json:
    """Return {"service_tier": ...}, {} if there is none."""
    tier = response.get("service_tier")
    return {"service_tier": tier} if isinstance(tier, str) else {}


def _message(items: Iterable[Json]) -> tuple[Json, list[Json]]:
    """Return the assistant's message and its logprobs. Other items, such as searches, are left out."""
    text, refusal, reasoning, calls = list[str](), list[str](), list[str](), list[Json]()
    annotations, logprobs, details, phase = list[Json](), list[Json](), list[Json](), ""
    for item in items:
        phase = read_phase(item) or phase
        if item.get("type") == "reasoning":
            reasoning += reasoning_texts(item)
            details += reasoning_details(item, len(details))
        elif is_call(item):
            calls.append(tool_call(item, call_text(item)))
        for part in content_parts(item):
            text.append(part_text(part, "text"))
            refusal.append(part_text(part, "refusal"))
            annotations += chat_annotations(part.get("annotations"))
            logprobs += chat_logprobs(part.get("logprobs"))
    content = "".join(text)
    message: Json = {"role": "assistant", "content": content if content or not calls else None}
    message["refusal"] = "".join(refusal) or None
    optional = {
        "reasoning_content": BETWEEN.join(reasoning),
        "reasoning_details": details,
        "annotations": annotations,
        "tool_calls": calls,
        "phase": phase,
    }
    return message | {name: value for name, value in optional.items() if value}, logprobs


def read_phase(item: Json) -> str:
    """Return the phase of a message, which the model wants back: commentary or final_answer."""
    phase = item.get("phase") if item.get("type") == "message" else None
    return phase if isinstance(phase, str) else ""


def content_parts(item: Json) -> list[Json]:
    """Return the parts of a message; none for another item."""
    content = item.get("content") if item.get("type") == "message" else None
    return [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []


def part_text(part: Json, kind: str) -> str:
    """Return the `text` or the `refusal` of a part."""
    value = part.get(kind)
    return value if isinstance(value, str) else ""


def tool_call(item: Json, text: str) -> Json:
    """Return the tool call of an item. text: its arguments, or the input of a custom tool."""
    name, id = item.get("name"), item.get("call_id") or item.get("id")
    if not isinstance(name, str) or not name:
        raise UpstreamError("The provider called a tool without its name.", failure_class="protocol")
    if item["type"] == "custom_tool_call":
        return {"id": str(id or ""), "type": "custom", "custom": {"name": name, "input": text}}
    return {"id": str(id or ""), "type": "function", "function": {"name": name, "arguments": text}}


def call_text(item: Json) -> str:
    """Return the whole arguments of a call, or the input of a custom tool's."""
    value = item.get(_CALLS[item["type"]])
    text = value if isinstance(value, str) else ""
    return text or ("{}" if item["type"] == "function_call" and item.get("status") != "incomplete" else "")


def is_call(item: Json) -> bool:
    return item.get("type") in ("function_call", "custom_tool_call")


def finish_reason(response: Mapping[str, Any], *, called: bool) -> str:
    """Return OpenAI's finish reason. An incomplete answer never looks complete."""
    details = response.get("incomplete_details")
    reason = details.get("reason") if isinstance(details, dict) else None
    if reason == "content_filter":
        return "content_filter"
    if reason or response.get("status") == "incomplete":
        return "length"
    return "tool_calls" if called else "stop"


def read_usage(response: Json) -> Json:
    """Return {"usage": ...} in the form of a chat, {} if there is none."""
    usage = response.get("usage")
    if not isinstance(usage, dict) or not usage:
        return {}
    prompt, completion = _count(usage, "input_tokens"), _count(usage, "output_tokens")
    details: Json = {
        ours: {name: max(one, 0) for name, one in given.items() if isinstance(one, int)}
        for ours, theirs in _DETAILS.items()
        if isinstance(given := usage.get(theirs), dict)
    }
    total = _count(usage, "total_tokens") or prompt + completion
    counts = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": total}
    return {"usage": {**counts, **details}}


_DETAILS = {
    "prompt_tokens_details": "input_tokens_details",
    "completion_tokens_details": "output_tokens_details",
}


def _count(usage: Json, name: str) -> int:
    value = usage.get(name)
    return value if isinstance(value, int) and value > 0 else 0


def chat_annotations(given: Any) -> list[Json]:
    """Return annotations in the form of a chat, which has the members under the type."""
    found = [one for one in given if isinstance(one, dict)] if isinstance(given, list) else []
    return [
        {"type": kind, kind: {name: value for name, value in one.items() if name != "type"}}
        for one in found
        if isinstance(kind := one.get("type"), str) and kind != "type"
    ]


def chat_logprobs(given: Any) -> list[Json]:
    """Return logprobs with the members that a chat's always have."""
    found = [one for one in given if isinstance(one, dict)] if isinstance(given, list) else []
    tops = [one.get("top_logprobs") for one in found]
    return [
        _logprob(one) | {"top_logprobs": [_logprob(top) for top in several if isinstance(top, dict)]}
        if isinstance(several, list)
        else _logprob(one) | {"top_logprobs": []}
        for one, several in zip(found, tops, strict=True)
    ]


def _logprob(one: Json) -> Json:
    return {name: one.get(name) for name in ("token", "logprob", "bytes")}

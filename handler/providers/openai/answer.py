"""Corrects parts of answers, whole or streamed, that differ from OpenAI's: finish reasons, reasoning, calls.

Each difference has its source. A part that needs no correction is returned as the same object.
"""

from __future__ import annotations

import json
import operator
from collections.abc import Mapping
from typing import Any

from handler.errors import Json, UpstreamError
from handler.providers.openai.reasoning_tag import ReasoningTag
from handler.providers.provider import Quirks

# Finish reasons of other providers, in lower case. An unknown one is ignored.
_FINISH_REASONS: Mapping[str, str] = {
    **{reason: reason for reason in ("stop", "length", "tool_calls", "content_filter", "function_call")},
    **dict.fromkeys(("eos", "stop_sequence", "end_turn"), "stop"),  # Together, and Claude behind others
    **dict.fromkeys(("model_length", "max_tokens", "model_context_window_exceeded"), "length"),  # Mistral
    **dict.fromkeys(("sensitive", "safety", "recitation"), "content_filter"),  # Z.ai, Gemini behind others
    **dict.fromkeys(("refusal", "guardrail_intervened"), "content_filter"),
    # DeepSeek, Z.ai, vLLM; OpenRouter: https://openrouter.ai/docs/api-reference/errors
    **dict.fromkeys(("insufficient_system_resource", "network_error", "abort", "error"), "error"),
}
NOT_CUT_OFF = frozenset({"stop", "tool_calls"})  # after these the arguments of a call are complete
_RENAMED = {"reasoning": "reasoning_content"}


def finish_reason(reason: Any, has_calls: bool, quirks: Quirks) -> str:
    """OpenAI's finish reason for a provider's. Without a known one, it follows from the calls.

    Raises UpstreamError if the reason is a failure of the provider.
    """
    name = reason if isinstance(reason, str) else ""
    known = _FINISH_REASONS.get(quirks.finish_reasons.get(name, name).lower())
    if known == "error":
        raise UpstreamError("The provider failed while it answered.", failure_class="server")
    if known is None or (known == "stop" and has_calls and quirks.finish_by_calls):
        return "tool_calls" if has_calls else "stop"
    return known


def normalise_content(part: Json) -> Json:
    """Return a message or a delta with its content as text and its reasoning as `reasoning_content`.

    Mistral's reasoning models send a list of parts, https://docs.mistral.ai/capabilities/reasoning/; Groq and
    others call the field `reasoning`, https://console.groq.com/docs/reasoning
    """
    content = part.get("content")
    if isinstance(part.get("reasoning"), str):
        has_both = "reasoning_content" in part
        part = {
            _RENAMED.get(name, name): value
            for name, value in part.items()
            if not has_both or name != "reasoning"
        }
    if not isinstance(content, list):
        return part
    lists = [one.get("thinking") for one in content if isinstance(one, dict)]
    reasoning = "".join(_text(piece) for pieces in lists if isinstance(pieces, list) for piece in pieces)
    new = {**part, "content": "".join(map(_text, content))}
    return {**new, "reasoning_content": reasoning} if reasoning else new


def _text(part: Any) -> str:
    text = part.get("text") if isinstance(part, dict) else None
    return text if isinstance(text, str) else ""


def separate_reasoning(part: Json, tag: ReasoningTag, *, last: bool) -> Json:
    """Move tagged reasoning from the content of a message or a delta to `reasoning_content`."""
    content = part.get("content")
    pieces = [tag.feed(content if isinstance(content, str) else ""), *([tag.close()] if last else [])]
    reasoning, text = ("".join(texts) for texts in zip(*pieces, strict=True))
    new = {**part, "content": text} if content is not None or text else part
    return {**new, "reasoning_content": reasoning} if reasoning else new


def normalise_function(given: Json, *, drop_name: bool) -> Json:
    """Return a copy of a call's function whose arguments are a string; Cloudflare sends an object."""
    function = {name: value for name, value in given.items() if not (drop_name and name == "name")}
    arguments = function.get("arguments")
    if arguments is not None and not isinstance(arguments, str):
        function["arguments"] = json.dumps(arguments, ensure_ascii=False, separators=(",", ":"))
    return function


def are_choices(choices: Any, part: str) -> bool:
    """True if `choices` has the expected shape. `part`: `message`, or `delta`, which may be absent."""
    return isinstance(choices, list) and all(_is_choice(choice, part) for choice in choices)


def _is_choice(choice: Any, name: str) -> bool:
    if not isinstance(choice, dict) or not isinstance(choice.get("index"), int | None):
        return False
    part = choice.get(name)
    if not isinstance(part, dict):
        return part is None and name == "delta"
    calls = part.get("tool_calls")
    return calls is None or (isinstance(calls, list) and all(map(_is_call, calls)))


def _is_call(call: Any) -> bool:
    return (
        isinstance(call, dict)
        and isinstance(call.get("index"), int | None)
        and isinstance(call.get("id"), str | None)
        and isinstance(call.get("custom"), dict | None)
        and isinstance(function := call.get("function"), dict | None)
        and isinstance((function or {}).get("name"), str | None)
    )


def same_items(before: list[Any], after: list[Any]) -> bool:
    """True if both lists hold the same objects."""
    return len(before) == len(after) and all(map(operator.is_, before, after))

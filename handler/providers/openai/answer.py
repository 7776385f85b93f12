"""Normalises answers of the `openai` dialect, whole and streamed: finish reasons, thoughts, functions.

Corrects what compatible providers do outside the specification, each with its source. A part that needs no
correction is returned as the same object.
"""

from __future__ import annotations

import json
import operator
from collections.abc import Mapping
from typing import Any

from handler.errors import Json, UpstreamError
from handler.providers.openai.thought_tags import Inline

# Other providers' finish reasons, in lower case. An unknown one counts as none.
from handler.providers.provider import Quirks

# Other providers' finish reasons, in lower case. An unknown one counts as none.
_FINISH: Mapping[str, str] = {
    **{word: word for word in ("stop", "length", "tool_calls", "content_filter", "function_call")},
    **dict.fromkeys(("eos", "stop_sequence", "end_turn"), "stop"),  # Together, and Claude behind others
    **dict.fromkeys(("model_length", "max_tokens", "model_context_window_exceeded"), "length"),  # Mistral
    **dict.fromkeys(("sensitive", "safety", "recitation"), "content_filter"),  # Z.ai, Gemini behind others
    **dict.fromkeys(("refusal", "guardrail_intervened"), "content_filter"),
    # DeepSeek, Z.ai, vLLM; OpenRouter: https://openrouter.ai/docs/api-reference/errors
    **dict.fromkeys(("insufficient_system_resource", "network_error", "abort", "error"), "error"),
}
WHOLE = frozenset({"stop", "tool_calls"})  # an answer that ended so was not cut off
_THOUGHTS = {"reasoning": "reasoning_content"}


def finish_of(finish: Any, called: bool, quirks: Quirks) -> str:
    """OpenAI's finish reason for a provider's; without one it follows from the answer's content."""
    word = finish if isinstance(finish, str) else ""
    meant = _FINISH.get(quirks.finish_reasons.get(word, word).lower())
    if meant == "error":
        raise UpstreamError("The provider failed while it answered.", failure_class="server")
    if meant is None or (meant == "stop" and called and quirks.finish_by_calls):
        return "tool_calls" if called else "stop"
    return meant


def plain(part: Json) -> Json:
    """A message or delta whose content is a text and whose thoughts are `reasoning_content`.

    Mistral's thinking models give a list of parts, https://docs.mistral.ai/capabilities/reasoning/; Groq and
    others say `reasoning`, https://console.groq.com/docs/reasoning
    """
    content = part.get("content")
    if isinstance(part.get("reasoning"), str):
        known = "reasoning_content" in part
        part = {
            _THOUGHTS.get(name, name): value
            for name, value in part.items()
            if not known or name != "reasoning"
        }
    if not isinstance(content, list):
        return part
    thoughts = [one.get("thinking") for one in content if isinstance(one, dict)]
    thought = "".join(_text(piece) for pieces in thoughts if isinstance(pieces, list) for piece in pieces)
    new = {**part, "content": "".join(map(_text, content))}
    return {**new, "reasoning_content": thought} if thought else new


def _text(part: Any) -> str:
    text = part.get("text") if isinstance(part, dict) else None
    return text if isinstance(text, str) else ""


def without_tag(part: Json, inline: Inline, *, last: bool) -> Json:
    """Moves tagged thoughts from the content of a delta or a message to `reasoning_content`."""
    content = part.get("content")
    said = [inline.feed(content if isinstance(content, str) else ""), *([inline.rest()] if last else [])]
    thought, text = ("".join(pieces) for pieces in zip(*said, strict=True))
    new = {**part, "content": text} if content is not None or text else part
    return {**new, "reasoning_content": thought} if thought else new


def function_of(given: Json, *, named: bool) -> Json:
    """The function of a call, without its name if `named`. Cloudflare's arguments are an object."""
    function = {name: value for name, value in given.items() if not (named and name == "name")}
    arguments = function.get("arguments")
    if arguments is not None and not isinstance(arguments, str):
        function["arguments"] = json.dumps(arguments, ensure_ascii=False, separators=(",", ":"))
    return function


def fit(choices: Any, part: str) -> bool:
    """True when choices have the expected shape. `part`: `message`, or `delta`, which may be absent."""
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


def identical(before: list[Any], after: list[Any]) -> bool:
    return len(before) == len(after) and all(map(operator.is_, before, after))

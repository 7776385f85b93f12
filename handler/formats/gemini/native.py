"""Edits a generateContent body that is relayed to Gemini in its own format.

Unchanged parts are shared with the client's body, which thereby keeps its bytes (handler/wire/splice.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from handler.errors import Json
from handler.formats.chat.effects import OWN
from handler.formats.client_format import Effect
from handler.formats.gemini.fields import items, member, written
from handler.formats.gemini.signatures import PLACEHOLDER, own_signature
from handler.formats.opaque_state import is_state


def native_body(body: Json) -> Json:
    """Return the body without fields and signatures of Sluice's; the same object if it has none."""
    new = {name: value for name, value in body.items() if name not in OWN}
    contents = body.get("contents")
    cleaned = _each(contents, _without_state_in_content)
    if len(new) == len(body) and cleaned is contents:
        return body
    return new if cleaned is contents else new | {"contents": cleaned}


def _each(value: Any, edit: Callable[[Any], Any]) -> Any:
    """Edit each item of a list, or a single one; the same object if none of them changes."""
    if not isinstance(value, list):
        return edit(value)
    edited = [edit(one) for one in value]
    return edited if any(new is not old for new, old in zip(edited, value, strict=True)) else value


def _without_state_in_content(content: Any) -> Any:
    parts = content.get("parts") if isinstance(content, dict) else None
    cleaned = _each(parts, _without_state)
    if cleaned is parts:
        return content
    if isinstance(cleaned, list):  # Gemini refuses a content of nothing but an empty text
        cleaned = [part for part in cleaned if part != {"text": ""}] or cleaned
    return {**content, "parts": cleaned}


def _without_state(part: Any) -> Any:
    """Return a part with Gemini's own signature instead of Sluice's state.

    Gemini refuses a call without a signature, so a call of another model gets the documented placeholder.
    """
    name = written(part, "thoughtSignature") if isinstance(part, dict) else ""
    if not name or not is_state(part.get(name)):
        return part
    signature = own_signature(part[name])
    if signature is None and member(part, "functionCall") is not None:
        signature = PLACEHOLDER
    others = {key: value for key, value in part.items() if key != name or signature}
    return others | ({name: signature} if signature else {})


def _in_config(name: str, convert: Callable[[Any], Any] = lambda value: value) -> Effect:
    """Return the effect that sets or removes a member of `generationConfig`, in the client's spelling."""

    def effect(body: Json, value: Any) -> Json:
        outer = written(body, "generationConfig")
        config: Json = body.get(outer) or {}
        inner = written(config, name)
        if value is None:
            config = {key: one for key, one in config.items() if key != inner}
        else:
            config = {**config, inner: convert(value)}
        return {**body, outer: config}

    return effect


# A field of a chat that a rule may set or cap -> its effect on the body. A body that needs any other effect
# must be translated: `reasoning_effort`, for one, is a level or a budget, as the model has it.
EFFECTS: Mapping[str, Effect] = {
    "max_tokens": _in_config("maxOutputTokens"),
    "max_completion_tokens": _in_config("maxOutputTokens"),
    "temperature": _in_config("temperature"),
    "top_p": _in_config("topP"),
    "top_k": _in_config("topK"),
    "n": _in_config("candidateCount"),
    "stop": _in_config("stopSequences", lambda value: [one for _, one in items(value, "")]),
    "presence_penalty": _in_config("presencePenalty"),
    "frequency_penalty": _in_config("frequencyPenalty"),
    "seed": _in_config("seed"),
    "logprobs": _in_config("responseLogprobs"),
    "top_logprobs": _in_config("logprobs"),
}

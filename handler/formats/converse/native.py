"""Edits a Converse body that is relayed to Bedrock in its own format.

Unchanged parts are shared with the client's body, which thereby keeps its bytes (handler/wire/splice.py).
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

from handler.errors import Json
from handler.formats.anthropic.reasoning import claude_blocks
from handler.formats.chat.effects import OWN
from handler.formats.client_format import Effect
from handler.formats.converse.answer import converse_block
from handler.formats.converse.messages import thinking_block
from handler.formats.opaque_state import is_state


def native_body(body: Json) -> Json:
    """Return the body without fields and state of Sluice's; the same object if it has none.

    Thinking of Claude's in a state becomes a block of Claude's again.
    """
    new = {name: value for name, value in body.items() if name not in OWN}
    before = body["messages"]
    after = [one for message in before if (one := _without_state(message)) is not None]
    if len(after) != len(before) or not all(map(operator.is_, before, after)):
        return {**new, "messages": after}
    return body if len(new) == len(body) else new


def _without_state(message: Json) -> Json | None:
    """Return the message without state; None if it had nothing else."""
    content = message["content"]
    after = [new for block in content for new in _blocks(block)]
    if len(after) == len(content) and all(map(operator.is_, content, after)):
        return message
    return {**message, "content": after} if after else None


def _blocks(block: Json) -> list[Json]:
    match block:
        case {"reasoningContent": dict(reasoning)}:
            thinking = thinking_block(reasoning)
            if is_state(thinking.get("signature") or thinking.get("data")):
                return [converse_block(one) for one in claude_blocks(thinking)]
    return [block]


def _set(name: str, value: Any, holder: Json) -> Json:
    rest = {other: one for other, one in holder.items() if other != name}
    return rest if value is None else {**holder, name: value}


def _in_config(name: str, convert: Callable[[Any], Any] = lambda value: value) -> Effect:
    """Return the effect that sets or removes a member of `inferenceConfig`."""

    def effect(body: Json, value: Any) -> Json:
        config = _set(name, None if value is None else convert(value), body.get("inferenceConfig") or {})
        return _set("inferenceConfig", config or None, body)

    return effect


def _tier(body: Json, value: Any) -> Json:
    return _set("serviceTier", None if value in (None, "auto") else {"type": value}, body)


# A field of a chat that a rule may set or cap -> its effect on the body. A body that needs any other effect
# is translated: an effort, for one, has a field of its own in each family of models.
EFFECTS: Mapping[str, Effect] = {
    "max_tokens": _in_config("maxTokens"),
    "max_completion_tokens": _in_config("maxTokens"),
    "temperature": _in_config("temperature", lambda value: min(value, 1)),
    "top_p": _in_config("topP"),
    "stop": _in_config("stopSequences", lambda value: [value] if isinstance(value, str) else value),
    "service_tier": _tier,
}

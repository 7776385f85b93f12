"""Supplies what a family of models needs in a conversation, at any host of the OpenAI format.

A need is a word of the model's rules (scripts/catalog_overlay.toml). It overrides the host's `message_drop`,
since the model refuses without it. docs/providers.md lists what is done for each.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from handler.providers.legacy_functions import modern

# Stands for a signature that is not known: https://ai.google.dev/gemini-api/docs/thought-signatures
from handler.providers.provider import Quirks
from handler.providers.quirks.messages import shared
from handler.providers.translator import Json

# Stands for a signature that is not known: https://ai.google.dev/gemini-api/docs/thought-signatures
UNSIGNED = "skip_thought_signature_validator"


def _thoughts_back(messages: list[Any]) -> list[Any]:
    """Adds a blank `reasoning_content` to answers without one, once tools were called."""
    if not any(map(_calls, messages)):
        return messages
    lost = [_is_answer(one) and not one.get("reasoning_content") for one in messages]
    return [
        {**one, "reasoning_content": " "} if gone else one for one, gone in zip(messages, lost, strict=True)
    ]


def _signatures(messages: list[Any]) -> list[Any]:
    """The first call of each turn with its signature as Gemini's own compatible API has it, or a stand-in.

    https://ai.google.dev/gemini-api/docs/openai, https://ai.google.dev/gemini-api/docs/thought-signatures
    """
    return [_signed(one) if _calls(one) else one for one in messages]


def _signed(message: Json) -> Json:
    first, *others = message["tool_calls"]
    match first:
        case {"extra_content": {"google": {"thought_signature": str()}}}:
            return message
        case {"thought_signature": str(found)}:
            signature = found
        case {"provider_specific_fields": {"thought_signature": str(found)}}:
            signature = found
        case _:
            signature = UNSIGNED
    return {**message, "tool_calls": [{**first, "extra_content": _content(signature)}, *others]}


def _content(signature: str) -> Json:
    return {"google": {"thought_signature": signature}}


def _is_answer(message: Any) -> bool:
    return isinstance(message, dict) and message.get("role") == "assistant"


def _calls(message: Any) -> bool:
    """True for an answer that called tools."""
    calls = message.get("tool_calls") if _is_answer(message) else None
    return isinstance(calls, list) and bool(calls) and all(isinstance(call, dict) for call in calls)


class Need(NamedTuple):
    field: str  # of messages, as in the quirk `message_drop`
    supplied: Callable[[list[Any]], list[Any]]  # the messages with it


NEEDS: Mapping[str, Need] = {
    "thoughts_back": Need("reasoning_content", _thoughts_back),
    "signatures": Need("tool_calls.extra_content", _signatures),
}


def needed(chat: Json, quirks: Quirks, rules: Collection[str]) -> tuple[Json, Quirks]:
    """The chat with the fields that the model needs, and the row's quirks that no longer drop them."""
    needs = [NEEDS[rule] for rule in rules if rule in NEEDS]
    messages = chat.get("messages")
    if not needs or not isinstance(messages, list):
        return chat, quirks
    chat = chat if quirks.legacy else modern(chat)
    before = after = chat["messages"]
    for need in needs:
        after = need.supplied(after)
    message_drop = quirks.message_drop - {need.field for need in needs}
    return {**chat, "messages": shared(before, after)}, replace(quirks, message_drop=message_drop)

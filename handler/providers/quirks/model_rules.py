"""Applies the rules of a family of models, at whatever host: what the models refuse, and what they need.

A rule is a word of `rules` in the catalogue. scripts/catalog_overlay.toml explains each, and
docs/providers.md describes what is done for it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, NamedTuple

from handler.errors import Json
from handler.providers.legacy_functions import functions_to_tools
from handler.providers.provider import Quirks
from handler.providers.quirks.messages import reuse_unchanged
from handler.providers.quirks.parameters import PENALTIES, SAMPLING, drop, rename
from rules import EFFORTS

# Sent where the signature is not known: https://ai.google.dev/gemini-api/docs/thought-signatures
PLACEHOLDER_SIGNATURE = "skip_thought_signature_validator"


def parse_rules(rules: Iterable[str]) -> dict[str, str]:
    """Return the argument of each rule by its name. `efforts:low` has one; that of `no_stop` is empty."""
    return {name: argument for name, _, argument in (rule.partition(":") for rule in rules)}


def apply_parameter_rules(body: Json, rules: Collection[str], dropped: list[str]) -> Json:
    """Return the body as the model takes it. Fields left out or lowered are added to `dropped`."""
    for name, argument in parse_rules(rules).items():
        if name in PARAMETER_RULES:
            body = PARAMETER_RULES[name](body, argument, dropped)
    return body


def _no_sampling(body: Json, _: str, dropped: list[str]) -> Json:
    return drop(body, SAMPLING | PENALTIES, dropped)


def _effort_sampling(body: Json, _: str, dropped: list[str]) -> Json:
    refused = SAMPLING if _reasons(body) else frozenset({"top_logprobs"})
    return drop(body, refused | PENALTIES, dropped)


def _efforts(body: Json, argument: str, dropped: list[str]) -> Json:
    """Lower an effort to the next one that the model takes. An effort that is not in EFFORTS stays."""
    effort, allowed = body.get("reasoning_effort"), argument.split(",")
    if effort not in EFFORTS or effort in allowed:
        return body
    dropped.append("reasoning_effort")
    return {**body, "reasoning_effort": nearest_effort(effort, allowed)}


def nearest_effort(effort: str, allowed: list[str]) -> str:
    """Return the highest allowed effort that is not above this one, else the lowest allowed."""
    lower = [one for one in allowed if _rank(one) <= _rank(effort)]
    return lower[-1] if lower else allowed[0]


def _rank(effort: str) -> int:
    """The place in EFFORTS. A provider's own word, such as Groq's `default`, is between `none` and `low`."""
    return EFFORTS.index(effort) if effort in EFFORTS else 1


def _effort_tools(body: Json, _: str, dropped: list[str]) -> Json:
    if not (body.get("tools") and _reasons(body)):
        return body
    dropped.append("reasoning_effort")
    return {**body, "reasoning_effort": "none"}


def _reasons(body: Json) -> bool:
    return body.get("reasoning_effort") not in (None, "none")


# A rule -> the change to the body. `efforts` has an argument: `efforts:low,high`.
# https://platform.openai.com/docs/guides/reasoning
PARAMETER_RULES: Mapping[str, Callable[[Json, str, list[str]], Json]] = {
    "efforts": _efforts,
    "no_sampling": _no_sampling,
    "effort_sampling": _effort_sampling,
    "max_completion_tokens": lambda body, _, dropped: rename(body, {"max_tokens": "max_completion_tokens"}),
    "no_stop": lambda body, _, dropped: drop(body, frozenset({"stop"}), dropped),
    "no_parallel_tools": lambda body, _, dropped: drop(body, frozenset({"parallel_tool_calls"}), dropped),
    "effort_tools": _effort_tools,
    "no_penalties": lambda body, _, dropped: drop(body, PENALTIES, dropped),
}


class MessageRule(NamedTuple):
    field: str  # the field that it needs in messages, written as in the quirk `message_drop`
    supply: Callable[[list[Any]], list[Any]]  # returns the messages with the field


def apply_message_rules(chat: Json, quirks: Quirks, rules: Collection[str]) -> tuple[Json, Quirks]:
    """Supply the fields that the model needs in the conversation, at a host of the OpenAI format.

    The quirks returned no longer drop these fields, since the model refuses a request without them.
    """
    applied = [MESSAGE_RULES[rule] for rule in rules if rule in MESSAGE_RULES]
    if not applied or not isinstance(chat.get("messages"), list):
        return chat, quirks
    chat = chat if quirks.legacy else functions_to_tools(chat)
    before = after = chat["messages"]
    for rule in applied:
        after = rule.supply(after)
    message_drop = quirks.message_drop - {rule.field for rule in applied}
    return {**chat, "messages": reuse_unchanged(before, after)}, quirks.replaced(message_drop=message_drop)


def _supply_reasoning(messages: list[Any]) -> list[Any]:
    """Add a blank `reasoning_content` to answers without one, once tools have been called."""
    if not any(map(_has_calls, messages)):
        return messages
    return [
        {**one, "reasoning_content": " "} if _is_answer(one) and not one.get("reasoning_content") else one
        for one in messages
    ]


def _supply_signatures(messages: list[Any]) -> list[Any]:
    """Give the first call of each turn its signature where Gemini's compatible API has it, or a placeholder.

    https://ai.google.dev/gemini-api/docs/openai, https://ai.google.dev/gemini-api/docs/thought-signatures
    """
    return [_supply_signature(one) if _has_calls(one) else one for one in messages]


def _supply_signature(message: Json) -> Json:
    first, *others = message["tool_calls"]
    match first:
        case {"extra_content": {"google": {"thought_signature": str()}}}:
            return message
        case {"thought_signature": str(signature)}:
            pass
        case {"provider_specific_fields": {"thought_signature": str(signature)}}:
            pass
        case _:
            signature = PLACEHOLDER_SIGNATURE
    first = {**first, "extra_content": {"google": {"thought_signature": signature}}}
    return {**message, "tool_calls": [first, *others]}


def _is_answer(message: Any) -> bool:
    return isinstance(message, dict) and message.get("role") == "assistant"


def _has_calls(message: Any) -> bool:
    calls = message.get("tool_calls") if _is_answer(message) else None
    return isinstance(calls, list) and bool(calls) and all(isinstance(call, dict) for call in calls)


MESSAGE_RULES: Mapping[str, MessageRule] = {
    "thoughts_back": MessageRule("reasoning_content", _supply_reasoning),
    "signatures": MessageRule("tool_calls.extra_content", _supply_signatures),
}
# The rules that only the translators of other formats read.
OTHER_FORMATS = frozenset(
    {
        *("no_forced_tool", "thinking_on", "adaptive", "budget", "between_tools", "system_turns"),
        *("no_system", "no_json_tools", "no_tool_media", "no_signature"),
        *("surface", "cache_points", "tools_apart", "effort_at", "nova_effort", "top_k", "nine_ids"),
        *("whole_tools", "whole_answers"),
    }
)

"""Builds the body of a request to Anthropic's Messages from a chat request.

The catalogue's rules of a model's family say what the model refuses (scripts/catalog_overlay.toml).
https://platform.claude.com/docs/en/api/messages
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from handler.errors import Json
from handler.providers.anthropic.media import CONVERTERS
from handler.providers.content_blocks.blocks import limit_cache_marks
from handler.providers.content_blocks.conversation import BlockFormat, Conversation
from handler.providers.content_blocks.names import valid_call_id
from handler.providers.content_blocks.thinking import family_rules, set_thinking
from handler.providers.content_blocks.tools import set_schemas, set_tools
from handler.providers.legacy_functions import functions_to_tools
from handler.providers.quirks.parameters import MAX_OUTPUT, is_negligible, max_tokens_of, stop_sequences
from handler.providers.unsupported import unsupported
from rules import Model

_FORMAT = BlockFormat(converters=CONVERTERS, call_id=valid_call_id, max_name_length=128)
_MAX_CACHE_MARKS = 4  # in one request
_SAMPLING = ("temperature", "top_p", "top_k")
_EMAIL_OR_PHONE = re.compile(r"[^@\s]+@[^@\s]+\.\w+|\+?[\d\s().-]{7,}")


def build_request(chat: Json, model: Model) -> tuple[Json, tuple[str, ...]]:
    """Return the body, and the names of parameters that were left out or lowered. Raises Unsupported."""
    modern, rules, dropped = functions_to_tools(chat), family_rules(model), list[str]()
    conversation = Conversation(
        modern["messages"], _FORMAT, model=model.name, system_turns="system_turns" in rules
    )
    if conversation.prefilled and rules and "prefill" not in model.can:
        raise unsupported("messages", "the model does not support a prefilled answer")
    body: Json = {
        "model": model.name,
        "max_tokens": max_tokens_of(chat, model, dropped) or model.max_output or MAX_OUTPUT,
    }
    forced = set_tools(modern, body, conversation, rules, dropped)
    schema = set_schemas(chat, body, model, dropped)
    set_thinking(chat, body, conversation, rules, forced, dropped)
    for name, value in modern.items():
        if name in _FIELDS and value is not None:
            body |= _FIELDS[name](value, body, dropped)
        elif name not in _HANDLED and not is_negligible(name, value):
            dropped.append(name)
    if schema:
        output_format = {"format": {"type": "json_schema", "schema": schema}}
        body["output_config"] = {**body.get("output_config", {}), **output_format}
    _set_sampling(chat, body, rules, dropped)
    if conversation.system:
        body["system"] = conversation.system
    body["messages"] = [turn.body() for turn in conversation.turns]
    _limit_cache_marks(body)
    return body, tuple(dict.fromkeys(dropped))


def _set_sampling(chat: Json, body: Json, rules: Mapping[str, str], dropped: list[str]) -> None:
    given = {name: chat[name] for name in _SAMPLING if chat.get(name) is not None}
    thinks = body.get("thinking", {"type": "disabled"})["type"] != "disabled"
    if "no_sampling" in rules or thinks:
        dropped += given
        return
    if given.get("temperature", 0) > 1:
        given["temperature"] = 1
        dropped.append("temperature")
    if "temperature" in given and given.pop("top_p", None) is not None:
        dropped.append("top_p")  # not both: https://platform.claude.com/docs/en/about-claude/models/migrating
    body |= given


def _stop(value: Any, _: Json, dropped: list[str]) -> Json:
    stops = stop_sequences(value, dropped)
    return {"stop_sequences": stops} if stops else {}


def _user(value: Any, body: Json, dropped: list[str]) -> Json:
    """Return `metadata`. Anthropic asks for an id that does not identify a person."""
    if "metadata" in body:
        return {}
    if len(value) > 512 or _EMAIL_OR_PHONE.fullmatch(value.strip()):
        dropped.append("user")
        return {}
    return {"metadata": {"user_id": value}} if value else {}


def _tier(value: Any, _: Json, dropped: list[str]) -> Json:
    if value == "default":
        return {"service_tier": "standard_only"}
    if value != "auto":
        dropped.append("service_tier")
    return {}


_FIELDS: Mapping[str, Callable[[Any, Json, list[str]], Json]] = {
    "stream": lambda value, _, dropped: {"stream": True} if value else {},
    "stop": _stop,
    "safety_identifier": _user,
    "user": _user,
    "service_tier": _tier,
    "cache_control": lambda value, _, dropped: {"cache_control": value},
}
# Fields that are read by name, or have no effect on the body.
_HANDLED = frozenset(
    {
        *("model", "messages", "max_tokens", "max_completion_tokens", "tools", "tool_choice", *_SAMPLING),
        *("parallel_tool_calls", "reasoning_effort", "response_format"),
        *("stream", "stream_options", "functions", "function_call"),
    }
)


def _limit_cache_marks(body: Json) -> None:
    blocks = [*body.get("tools", ()), *body.get("system", ())]
    blocks += [block for turn in body["messages"] for block in turn["content"]]
    limit_cache_marks(blocks, _MAX_CACHE_MARKS - ("cache_control" in body))

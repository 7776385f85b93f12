"""Builds the body of a request to Bedrock's Converse from a chat request.

Turns, tools and thinking are first built in the shape of Anthropic's Messages (`anthropic` below), and then
converted. The catalogue's rules of a model's family say what it accepts (scripts/catalog_overlay.toml).
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from handler.errors import Json
from handler.providers.bedrock.media import CONVERTERS
from handler.providers.bedrock.messages import (
    cache_point,
    converse_blocks,
    converse_messages,
    limit_cache_points,
)
from handler.providers.content_blocks.conversation import BlockFormat, Conversation
from handler.providers.content_blocks.names import nine_char_id, valid_call_id
from handler.providers.content_blocks.thinking import family_rules, set_thinking
from handler.providers.content_blocks.tools import set_schemas, set_tools
from handler.providers.legacy_functions import functions_to_tools
from handler.providers.quirks.parameters import MAX_OUTPUT, is_negligible, max_tokens_of, stop_sequences
from handler.providers.unsupported import unsupported
from rules import Model

_FORMAT = BlockFormat(
    converters=CONVERTERS, call_id=partial(valid_call_id, max_length=64), max_name_length=64
)
_MISTRAL_FORMAT = _FORMAT._replace(call_id=nine_char_id)
_NO_CALL = "Do not call any tool now: answer in words."
_CLAUDE = ("adaptive", "budget")  # rules of models that think, and accept only one of temperature and top_p
_TIERS = ("default", "flex", "priority", "reserved")  # the row refuses the expensive ones

# Fields that are read by name, or have no effect on the body.
_HANDLED = frozenset(
    {
        *("model", "messages", "tools", "tool_choice", "parallel_tool_calls", "reasoning_effort", "stream"),
        *("stream_options", "functions", "function_call", "max_tokens", "max_completion_tokens"),
        *("temperature", "top_p", "top_k", "stop", "service_tier", "response_format"),
    }
)


def build_request(chat: Json, model: Model) -> tuple[Json, tuple[str, ...]]:
    """Return the body, and the names of parameters that were left out or lowered. Raises Unsupported."""
    modern, rules, dropped = functions_to_tools(chat), family_rules(model), list[str]()
    conversation = _conversation(modern["messages"], model, rules)
    max_tokens = max_tokens_of(chat, model, dropped)
    anthropic: Json = {"max_tokens": max_tokens or model.max_output or MAX_OUTPUT}
    forced = set_tools(modern, anthropic, conversation, rules, dropped)
    schema = set_schemas(chat, anthropic, model, dropped)
    set_thinking(chat, anthropic, conversation, rules, forced, dropped)
    _forbid_calls(chat, anthropic, conversation, dropped)
    if "no_system" in rules:
        conversation.turns[0].blocks[:0], conversation.system = conversation.system, []
    limit_cache_points(rules.get("cache_points", ""), anthropic.get("tools", []), conversation)
    parts = {
        "system": converse_blocks(conversation.system, set()),
        "inferenceConfig": _inference_config(chat, max_tokens, anthropic, rules, dropped),
        "toolConfig": _tool_config(anthropic),
        "additionalModelRequestFields": _additional_fields(chat, anthropic, rules, dropped),
        "outputConfig": _output_config(schema, chat),
        "serviceTier": _service_tier(chat.get("service_tier"), dropped),
    }
    dropped += [
        name for name, value in chat.items() if name not in _HANDLED and not is_negligible(name, value)
    ]
    messages = converse_messages(conversation, rules)
    body = {"messages": messages, **{name: part for name, part in parts.items() if part}}
    return body, tuple(name for name in dict.fromkeys(dropped) if name in chat or "." in name)


def _conversation(messages: list[Json], model: Model, rules: Mapping[str, str]) -> Conversation:
    block_format = _MISTRAL_FORMAT if "nine_ids" in rules else _FORMAT
    conversation = Conversation(
        messages, block_format, model=model.name, system_turns="system_turns" in rules
    )
    if conversation.prefilled and model.listed and "prefill" not in model.can:
        raise unsupported("messages", "the model does not support a prefilled answer")
    return conversation


def _forbid_calls(chat: Json, anthropic: Json, conversation: Conversation, dropped: list[str]) -> None:
    """Replace the choice `none`, which Converse lacks: remove the tools, or forbid calls in the system text.

    Where the history has calls, Converse requires the tools.
    """
    if anthropic.get("tool_choice", {}).get("type") == "none":
        if conversation.called_tools:
            conversation.add_instruction(_NO_CALL)
        else:
            del anthropic["tools"]
    if chat.get("parallel_tool_calls") is False and "tools" in anthropic:
        dropped.append("parallel_tool_calls")


def _tool_config(anthropic: Json) -> Json:
    tools = [new for tool in anthropic.get("tools", ()) for new in (_tool(tool), *cache_point(tool))]
    if not tools:
        return {}
    choice = anthropic.get("tool_choice", {})
    forced = {"any": {"any": {}}, "tool": {"tool": {"name": choice.get("name")}}}.get(choice.get("type"))
    return {"tools": tools, **({"toolChoice": forced} if forced else {})}


def _tool(tool: Json) -> Json:
    copied = {name: tool[name] for name in ("name", "description") if name in tool}
    strict = {"strict": True} if "strict" in tool else {}
    return {"toolSpec": {**copied, "inputSchema": {"json": tool["input_schema"]}, **strict}}


def _inference_config(
    chat: Json, max_tokens: int | None, anthropic: Json, rules: Mapping[str, str], dropped: list[str]
) -> Json:
    """Return `inferenceConfig` without what the model refuses. A temperature above 1 becomes 1."""
    given = {name: value for name in ("temperature", "top_p") if (value := chat.get(name)) is not None}
    thinks = anthropic.get("thinking", {"type": "disabled"})["type"] != "disabled"
    refused = list(given) if thinks or "no_sampling" in rules else []
    if "temperature" in given and any(name in rules for name in _CLAUDE):
        refused.append("top_p")  # not both: https://platform.claude.com/docs/en/about-claude/models/migrating
    if given.get("temperature", 0) > 1:
        dropped.append("temperature")
    tokens = {} if max_tokens is None else {"maxTokens": max_tokens}
    if "nova_effort" in rules and _effort(anthropic) == "high":  # with it Nova refuses all of these
        refused += [*given, "max_tokens", "max_completion_tokens"]
        tokens = {}
    dropped += [name for name in refused if chat.get(name) is not None]
    sampling = {_NAMES[name]: min(value, 1) for name, value in given.items() if name not in refused}
    stops = [] if chat.get("stop") is None else stop_sequences(chat["stop"], dropped)
    return {**tokens, **sampling, **({"stopSequences": stops} if stops else {})}


_NAMES = {"temperature": "temperature", "top_p": "topP"}


def _additional_fields(chat: Json, anthropic: Json, rules: Mapping[str, str], dropped: list[str]) -> Json:
    """Return `additionalModelRequestFields`: those for which Converse has no field of its own."""
    fields: Json = {}
    for name, convert in _ADDITIONAL.items():
        if name in rules:
            fields |= convert(anthropic, rules[name])
    if (top_k := chat.get("top_k")) is not None:
        if "no_sampling" in rules or "thinking" in fields:
            dropped.append("top_k")
        else:
            fields |= _nested(rules.get("top_k", "top_k"), top_k)
    return fields


def _claude_fields(anthropic: Json, _: str) -> Json:
    return {name: anthropic[name] for name in ("thinking", "output_config") if name in anthropic}


def _nova_fields(anthropic: Json, _: str) -> Json:
    """Return Nova's fields: https://docs.aws.amazon.com/nova/latest/nova2-userguide/extended-thinking.html"""
    effort = _effort(anthropic)
    return {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": effort}} if effort else {}


def _nested(path: str, value: Any) -> Json:
    """Return {"a": {"b": value}} for the path `a.b`."""
    for name in reversed(path.split(".")):
        value = {name: value}
    return dict(value)


def _effort(anthropic: Json) -> str | None:
    effort: str | None = anthropic.get("output_config", {}).get("effort")
    return effort


_ADDITIONAL: Mapping[str, Callable[[Json, str], Json]] = {
    **dict.fromkeys(_CLAUDE, _claude_fields),
    "nova_effort": _nova_fields,
    "effort_at": lambda anthropic, path: _nested(path, effort) if (effort := _effort(anthropic)) else {},
}


def _output_config(schema: Json | None, chat: Json) -> Json:
    """Return `outputConfig`, with the schema as JSON text.

    https://docs.aws.amazon.com/bedrock/latest/userguide/structured-output.html
    """
    if schema is None:
        return {}
    given = chat["response_format"]["json_schema"]
    labels = {name: given[name] for name in ("name", "description") if given.get(name)}
    structure = {"jsonSchema": {"schema": json.dumps(schema, ensure_ascii=False), **labels}}
    return {"textFormat": {"type": "json_schema", "structure": structure}}


def _service_tier(tier: Any, dropped: list[str]) -> Json:
    if tier in _TIERS:
        return {"type": tier}
    if tier not in (None, "auto"):
        dropped.append("service_tier")
    return {}

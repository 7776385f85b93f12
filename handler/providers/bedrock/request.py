"""A chat request as Bedrock's Converse takes it, and the tuning that it does not take.

It is made in the form of Anthropic's Messages, which Converse can be made of: turns, tools, thinking. What a
family of models takes is said by the words of its catalogue rules (scripts/catalog_overlay.toml).
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from handler.providers.bedrock.media import PARTS
from handler.providers.bedrock.messages import limit_marks, mark_of, messages_of, rendered
from handler.providers.content_blocks.conversation import Conversation, Manner
from handler.providers.content_blocks.names import fitting, nine
from handler.providers.content_blocks.thinking import think, words_of
from handler.providers.content_blocks.tools import choose, held_to
from handler.providers.legacy_functions import modern
from handler.providers.quirks.parameters import MOST, asked_tokens, is_neutral, stops_of
from handler.providers.translator import Json
from handler.providers.unsupported import unsupported
from rules import Model

_MANNER = Manner(parts=PARTS, fitting=partial(fitting, longest=64), longest_name=64)
_NINE = Manner(parts=PARTS, fitting=nine, longest_name=64)  # ids of calls, for Mistral's
_NO_CALL = "Do not call any tool now: answer in words."
_CLAUDE = ("adaptive", "budget")  # words of models that think, and take one of temperature and top_p
_TIERS = ("default", "flex", "priority", "reserved")  # the dear ones are refused by the row

# What is read by name, says nothing to Bedrock, or only concerns how the answer comes.
_READ = frozenset(
    {
        *("model", "messages", "tools", "tool_choice", "parallel_tool_calls", "reasoning_effort", "stream"),
        *("stream_options", "functions", "function_call", "max_tokens", "max_completion_tokens"),
        *("temperature", "top_p", "top_k", "stop", "service_tier", "response_format"),
    }
)


def request(chat: Json, model: Model) -> tuple[Json, tuple[str, ...]]:
    """The body, and the names of what was left out or lowered."""
    modernised, words, dropped = modern(chat), words_of(model), list[str]()
    talk = _talk(modernised["messages"], model, words)
    asked = asked_tokens(chat, model, dropped)
    plain: Json = {"max_tokens": asked or model.max_output or MOST}  # the request in Messages' form
    forced = choose(modernised, plain, talk, words, dropped)
    schema = held_to(chat, plain, model, dropped)
    think(chat, plain, talk, words, forced, dropped)
    _forbid(chat, plain, talk, dropped)
    if "no_system" in words:
        talk.turns[0].blocks[:0], talk.system = talk.system, []
    limit_marks(words.get("cache_points", ""), plain.get("tools", []), talk)
    parts = {
        "system": rendered(talk.system, set()),
        "inferenceConfig": _tuning(chat, asked, plain, words, dropped),
        "toolConfig": _tool_config(plain),
        "additionalModelRequestFields": _added(chat, plain, words, dropped),
        "outputConfig": _output(schema, chat),
        "serviceTier": _tier(chat.get("service_tier"), dropped),
    }
    dropped += [name for name, value in chat.items() if name not in _READ and not is_neutral(name, value)]
    body = {"messages": messages_of(talk, words), **{name: part for name, part in parts.items() if part}}
    return body, tuple(name for name in dict.fromkeys(dropped) if name in chat or "." in name)


def _talk(messages: list[Json], model: Model, words: Mapping[str, str]) -> Conversation:
    manner = _NINE if "nine_ids" in words else _MANNER
    talk = Conversation(messages, manner, model=model.name, system_turns="system_turns" in words)
    if talk.prefilled and model.listed and "prefill" not in model.can:
        raise unsupported("messages", "this model does not go on from an answer that was begun")
    return talk


def _forbid(chat: Json, plain: Json, talk: Conversation, dropped: list[str]) -> None:
    """Converse knows no choice `none`: tools go, or are told not to be called where the history has calls."""
    if plain.get("tool_choice", {}).get("type") == "none":
        if talk.names:
            talk.say(_NO_CALL)
        else:
            del plain["tools"]
    if chat.get("parallel_tool_calls") is False and "tools" in plain:
        dropped.append("parallel_tool_calls")


def _tool_config(plain: Json) -> Json:
    tools = [made for tool in plain.get("tools", ()) for made in (_tool(tool), *mark_of(tool))]
    if not tools:
        return {}
    choice = plain.get("tool_choice", {})
    forced = {"any": {"any": {}}, "tool": {"tool": {"name": choice.get("name")}}}.get(choice.get("type"))
    return {"tools": tools, **({"toolChoice": forced} if forced else {})}


def _tool(tool: Json) -> Json:
    kept = {name: tool[name] for name in ("name", "description") if name in tool}
    held = {"strict": True} if "strict" in tool else {}
    return {"toolSpec": {**kept, "inputSchema": {"json": tool["input_schema"]}, **held}}


def _tuning(chat: Json, asked: int | None, plain: Json, words: Mapping[str, str], dropped: list[str]) -> Json:
    """`inferenceConfig`: a temperature above 1 is 1, and what the model does not take goes."""
    given = {name: value for name in ("temperature", "top_p") if (value := chat.get(name)) is not None}
    thinks = plain.get("thinking", {"type": "disabled"})["type"] != "disabled"
    refused = list(given) if thinks or "no_sampling" in words else []
    if "temperature" in given and any(word in words for word in _CLAUDE):
        refused.append("top_p")  # not both: https://platform.claude.com/docs/en/about-claude/models/migrating
    if given.get("temperature", 0) > 1:
        dropped.append("temperature")
    tokens = {} if asked is None else {"maxTokens": asked}
    if "nova_effort" in words and _effort(plain) == "high":  # it refuses every bound then
        refused += [*given, "max_tokens", "max_completion_tokens"]
        tokens = {}
    dropped += [name for name in refused if chat.get(name) is not None]
    kept = {_NAMES[name]: min(value, 1) for name, value in given.items() if name not in refused}
    stops = [] if chat.get("stop") is None else stops_of(chat["stop"], dropped)
    return {**tokens, **kept, **({"stopSequences": stops} if stops else {})}


_NAMES = {"temperature": "temperature", "top_p": "topP"}


def _added(chat: Json, plain: Json, words: Mapping[str, str], dropped: list[str]) -> Json:
    """`additionalModelRequestFields`: what Converse has no field of its own for."""
    added: Json = {}
    for word, add in _ADDED.items():
        if word in words:
            added |= add(plain, words[word])
    if (top_k := chat.get("top_k")) is not None:
        if "no_sampling" in words or "thinking" in added:
            dropped.append("top_k")
        else:
            added |= _at(words.get("top_k", "top_k"), top_k)
    return added


def _claude(plain: Json, _: str) -> Json:
    return {name: plain[name] for name in ("thinking", "output_config") if name in plain}


def _nova(plain: Json, _: str) -> Json:
    """https://docs.aws.amazon.com/nova/latest/nova2-userguide/extended-thinking.html"""
    effort = _effort(plain)
    return {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": effort}} if effort else {}


def _at(path: str, value: Any) -> Json:
    """The value under a path of names: `a.b`."""
    for name in reversed(path.split(".")):
        value = {name: value}
    return dict(value)


def _effort(plain: Json) -> str | None:
    effort: str | None = plain.get("output_config", {}).get("effort")
    return effort


_ADDED: Mapping[str, Callable[[Json, str], Json]] = {
    **dict.fromkeys(_CLAUDE, _claude),
    "nova_effort": _nova,
    "effort_at": lambda plain, path: _at(path, effort) if (effort := _effort(plain)) else {},
}


def _output(schema: Json | None, chat: Json) -> Json:
    """The schema goes as text. https://docs.aws.amazon.com/bedrock/latest/userguide/structured-output.html"""
    if schema is None:
        return {}
    given = chat["response_format"]["json_schema"]
    about = {name: given[name] for name in ("name", "description") if given.get(name)}
    structure = {"jsonSchema": {"schema": json.dumps(schema, ensure_ascii=False), **about}}
    return {"textFormat": {"type": "json_schema", "structure": structure}}


def _tier(tier: Any, dropped: list[str]) -> Json:
    if tier in _TIERS:
        return {"type": tier}
    if tier not in (None, "auto"):
        dropped.append("service_tier")
    return {}

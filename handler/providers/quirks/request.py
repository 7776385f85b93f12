"""A chat request as one provider takes it: what its row and the model's family ask to change, no more.

Every part that stays is shared with the client's body, so that its bytes go on (handler/wire/splice.py).
docs/providers.md says what each quirk does.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from handler.providers.legacy_functions import modern
from handler.providers.provider import Quirks
from handler.providers.quirks.messages import retold, shared
from handler.providers.translator import Json
from handler.providers.unsupported import unsupported
from rules import EFFORTS, Model, compile_pattern

SAMPLING = frozenset({"temperature", "top_p", "top_k", "logprobs", "top_logprobs"})
PENALTIES = frozenset({"frequency_penalty", "presence_penalty", "logit_bias"})
_MODEL = "model="  # before a pattern of names that a row refuses

# What does nothing when it is said, so that leaving it out is not worth a word.
NEUTRAL: Mapping[str, Any] = {
    "n": 1,
    "logprobs": False,
    "frequency_penalty": 0,
    "presence_penalty": 0,
    "logit_bias": {},
    "store": False,
    "parallel_tool_calls": True,
    "service_tier": "auto",
}


def suited(chat: Json, model: Model, quirks: Quirks) -> tuple[Json, tuple[str, ...]]:
    """The request as this model of this provider takes it, and the names of what was left out or lowered."""
    body = chat if quirks.legacy else modern(chat)
    body = {**body, "model": model.name}
    dropped: list[str] = []
    for rule in model.rules:
        name, _, argument = rule.partition(":")
        if name in RULES:
            body = RULES[name](body, argument, dropped)
    body = _without(_renamed(body, quirks.rename), quirks.drop, dropped)
    body = _worded(_stream_options(body, quirks), quirks, dropped)
    body = _tools(_allowed(body, quirks), quirks, dropped)
    if quirks.drop_null:
        body = {name: value for name, value in body.items() if value is not None}
    if quirks.drop_empty:
        body = _filled(body)
    if isinstance(messages := body.get("messages"), list):
        body["messages"] = retold(messages, quirks, dropped)
    return body, tuple(name for name in dict.fromkeys(dropped) if name in chat or "." in name)


def _no_sampling(body: Json, _: str, dropped: list[str]) -> Json:
    return _without(body, SAMPLING | PENALTIES, dropped)


def _effort_sampling(body: Json, _: str, dropped: list[str]) -> Json:
    refused = SAMPLING if _reasons(body) else frozenset({"top_logprobs"})
    return _without(body, refused | PENALTIES, dropped)


def _efforts(body: Json, taken: str, dropped: list[str]) -> Json:
    """An effort it does not take becomes the next lower one that it takes. One nobody knows goes on."""
    asked, able = body.get("reasoning_effort"), taken.split(",")
    if asked not in EFFORTS or asked in able:
        return body
    lower = [effort for effort in able if _rank(effort) <= _rank(asked)]
    dropped.append("reasoning_effort")
    return {**body, "reasoning_effort": lower[-1] if lower else able[0]}


def _rank(effort: str) -> int:
    """A provider's own word, such as Groq's `default`, is more than none and less than the others."""
    return EFFORTS.index(effort) if effort in EFFORTS else 1


def _effort_tools(body: Json, _: str, dropped: list[str]) -> Json:
    if not (body.get("tools") and _reasons(body)):
        return body
    dropped.append("reasoning_effort")
    return {**body, "reasoning_effort": "none"}


def _reasons(body: Json) -> bool:
    return body.get("reasoning_effort") not in (None, "none")


# What a family of models refuses, wherever it is served: the words of `rules` in the catalogue, which
# scripts/catalog_overlay.toml explains, and what is done about each. `efforts` has an argument.
# https://platform.openai.com/docs/guides/reasoning
RULES: Mapping[str, Callable[[Json, str, list[str]], Json]] = {
    "efforts": _efforts,
    "no_sampling": _no_sampling,
    "effort_sampling": _effort_sampling,
    "max_completion_tokens": lambda body, _, dropped: _renamed(body, {"max_tokens": "max_completion_tokens"}),
    "no_stop": lambda body, _, dropped: _without(body, frozenset({"stop"}), dropped),
    "no_parallel_tools": lambda body, _, dropped: _without(body, frozenset({"parallel_tool_calls"}), dropped),
    "effort_tools": _effort_tools,
    "no_penalties": lambda body, _, dropped: _without(body, PENALTIES, dropped),
}
# The words that concern other formats than this one.
ELSEWHERE = frozenset(
    {
        *("no_forced_tool", "thinking_on", "adaptive", "budget", "between_tools", "system_turns"),
        *("no_system", "no_json_tools", "no_tool_media", "no_signature"),
        *("surface", "cache_points", "tools_apart", "effort_at", "nova_effort", "top_k", "nine_ids"),
        "whole_tools",
    }
)


def refused(chat: Json, refuse: Collection[str], allow: Collection[str] = (), *, model: str) -> str | None:
    """The first field of the request that this row refuses and no rule allows.

    An entry is a field, a field with a value (`service_tier=priority`), a sort of tool (`tools.browser`) or
    a pattern for `model`, the name the provider would be sent (`model=*:online`).
    """
    patterns = [entry.removeprefix(_MODEL) for entry in refuse if entry.startswith(_MODEL)]
    if "model" not in allow and any(
        compile_pattern(pattern, ignore_case=True)(model) for pattern in patterns
    ):
        return "model"
    for name, value in chat.items():
        if value is not None and name not in allow:
            said = {name, f"{name}={value}" if isinstance(value, str) else name}
            if name == "tools" and isinstance(value, list):
                said |= {f"tools.{tool.get('type')}" for tool in value if isinstance(tool, dict)}
            if not said.isdisjoint(refuse):
                return name
    return None


def _renamed(body: Json, names: Mapping[str, str]) -> Json:
    """Under the new name, if that is not taken."""
    if names.keys().isdisjoint(body):
        return body
    kept = {name: value for name, value in body.items() if name not in names}
    return kept | {
        new: body[old] for old, new in names.items() if body.get(old) is not None and new not in kept
    }


def _without(body: Json, fields: frozenset[str], dropped: list[str]) -> Json:
    if fields.isdisjoint(body):
        return body
    dropped += [name for name in body if name in fields and not _neutral(name, body[name])]
    return {name: value for name, value in body.items() if name not in fields}


def _neutral(name: str, value: Any) -> bool:
    return value is None or (name in NEUTRAL and value == NEUTRAL[name])


def _stream_options(body: Json, quirks: Quirks) -> Json:
    """A stream is asked for its usage, which is what its cost is known by."""
    options = body.get("stream_options")
    if not quirks.stream_usage:
        return {name: value for name, value in body.items() if name != "stream_options"}
    if body.get("stream") is not True or (isinstance(options, dict) and options.get("include_usage") is True):
        return body
    given = options if isinstance(options, dict) else {}
    return {**body, "stream_options": {**given, "include_usage": True}}


def _worded(body: Json, quirks: Quirks, dropped: list[str]) -> Json:
    """Values as the provider takes them: a temperature within its bounds, a tier by its own word."""
    tier, warmth, new = body.get("service_tier"), body.get("temperature"), {}
    if quirks.service_tier and isinstance(tier, str):
        new["service_tier"] = quirks.service_tier.get(tier)
    if warmth is not None and not quirks.temperature_least <= warmth <= quirks.temperature_most:
        new["temperature"] = min(max(warmth, quirks.temperature_least), quirks.temperature_most)
    if not new:
        return body
    dropped += [name for name in new if name == "temperature" or new[name] is None]
    return {name: value for name, value in (body | new).items() if value is not None or name not in new}


def _filled(body: Json) -> Json:
    """The body without what is empty, and without a choice among no tools: OpenAI refuses both."""
    if isinstance(stop := body.get("stop"), list) and "" in stop:
        body = {**body, "stop": [one for one in stop if one]}
    empty = [name for name in ("tools", "stop", "tool_choice") if body.get(name) in ([], "", {})]
    if not body.get("tools"):
        empty.append("parallel_tool_calls")
        empty += ["tool_choice"] if body.get("tool_choice") in ("none", "auto") else []
    return body if body.keys().isdisjoint(empty) else {name: body[name] for name in body if name not in empty}


def _allowed(body: Json, quirks: Quirks) -> Json:
    """A choice of some of the tools, where a provider knows none such: only these are shown to it."""
    match body.get("tool_choice"):
        case {"allowed_tools": {"mode": str(mode), "tools": list(some)}} if not quirks.allowed_tools:
            names = {_name(tool) for tool in some}
            left = [tool for tool in body.get("tools") or () if _name(tool) in names - {None}]
            if not left:
                raise unsupported("tool_choice.allowed_tools", "none of them is among the tools")
            return {**body, "tools": left, "tool_choice": mode}
    return body


def _name(tool: Any) -> Any:
    function = tool.get("function") if isinstance(tool, dict) else None
    return function.get("name") if isinstance(function, dict) else None


def _tools(body: Json, quirks: Quirks, dropped: list[str]) -> Json:
    choice, tools = body.get("tool_choice"), body.get("tools")
    asked = choice.get("type") if isinstance(choice, dict) else choice
    if isinstance(asked, str) and asked in quirks.tool_choice:
        body = {**body, "tool_choice": quirks.tool_choice[asked]}
        if quirks.tool_choice[asked] == "auto":  # less than was asked
            dropped.append("tool_choice")
    if quirks.tool_drop and isinstance(tools, list):
        body = {**body, "tools": shared(tools, [_tool(one, quirks.tool_drop, dropped) for one in tools])}
    return body


def _tool(tool: Any, fields: frozenset[str], dropped: list[str]) -> Any:
    """A tool without these fields, its function too; the tool itself if it has none of them."""
    function = tool.get("function") if isinstance(tool, dict) else None
    if not isinstance(function, dict) or (fields.isdisjoint(function) and fields.isdisjoint(tool)):
        return tool
    dropped += [f"tools.{name}" for name in tool if name in fields]
    dropped += [f"tools.function.{name}" for name in function if name in fields]
    kept = {name: value for name, value in function.items() if name not in fields}
    return {**{name: value for name, value in tool.items() if name not in fields}, "function": kept}

"""Adapts a chat request to one provider and model, by the row's quirks and the model's rules.

Every part that stays is shared with the client's body, so that it keeps its bytes (handler/wire/splice.py).
docs/providers.md describes each quirk.
"""

from __future__ import annotations

from typing import Any

from handler.errors import Json
from handler.providers.legacy_functions import functions_to_tools
from handler.providers.provider import Quirks
from handler.providers.quirks.messages import adapt_messages, reuse_unchanged
from handler.providers.quirks.model_rules import apply_parameter_rules, parse_rules
from handler.providers.quirks.parameters import drop, rename
from handler.providers.unsupported import unsupported
from rules import Model

_EFFORT = frozenset({"reasoning_effort"})


def adapt_request(chat: Json, model: Model, quirks: Quirks) -> tuple[Json, tuple[str, ...]]:
    """Return the body as this provider and model take it, and the fields that were left out or lowered."""
    body = chat if quirks.legacy else functions_to_tools(chat)
    dropped: list[str] = []
    body = apply_parameter_rules({**body, "model": model.name}, model.rules, dropped)
    if model.can and "reasoning" not in model.can and "efforts" not in parse_rules(model.rules):
        body = drop(body, _EFFORT, dropped)
    body = drop(rename(body, quirks.rename), quirks.drop, dropped)
    body = _adapt_values(_request_usage(body, quirks), quirks, dropped)
    body = _adapt_tools(_limit_tools(body, quirks), quirks, dropped)
    if quirks.drop_null:
        body = {name: value for name, value in body.items() if value is not None}
    if quirks.drop_empty:
        body = _drop_empty(body)
    if isinstance(messages := body.get("messages"), list):
        body["messages"] = adapt_messages(messages, quirks, dropped)
    return body, tuple(name for name in dict.fromkeys(dropped) if name in chat or "." in name)


def _request_usage(body: Json, quirks: Quirks) -> Json:
    """Ask for the usage of a stream: its cost is calculated from it."""
    options = body.get("stream_options")
    if not quirks.stream_usage:
        return {name: value for name, value in body.items() if name != "stream_options"}
    if body.get("stream") is not True or (isinstance(options, dict) and options.get("include_usage") is True):
        return body
    given = options if isinstance(options, dict) else {}
    return {**body, "stream_options": {**given, "include_usage": True}}


def _adapt_values(body: Json, quirks: Quirks, dropped: list[str]) -> Json:
    """Clamp the temperature to the provider's bounds, and give the service tier the provider's name."""
    tier, temperature, new = body.get("service_tier"), body.get("temperature"), {}
    if quirks.service_tier and isinstance(tier, str):
        new["service_tier"] = quirks.service_tier.get(tier)
    if temperature is not None and not quirks.temperature_least <= temperature <= quirks.temperature_most:
        new["temperature"] = min(max(temperature, quirks.temperature_least), quirks.temperature_most)
    if not new:
        return body
    dropped += [name for name in new if name == "temperature" or new[name] is None]
    return {name: value for name, value in (body | new).items() if value is not None or name not in new}


def _drop_empty(body: Json) -> Json:
    """Drop empty lists, and the choice of a tool where there are no tools: OpenAI refuses both."""
    if isinstance(stop := body.get("stop"), list) and "" in stop:
        body = {**body, "stop": [one for one in stop if one]}
    empty = [name for name in ("tools", "stop", "tool_choice") if body.get(name) in ([], "", {})]
    if not body.get("tools"):
        empty.append("parallel_tool_calls")
        empty += ["tool_choice"] if body.get("tool_choice") in ("none", "auto") else []
    return body if body.keys().isdisjoint(empty) else {name: body[name] for name in body if name not in empty}


def _limit_tools(body: Json, quirks: Quirks) -> Json:
    """Replace `allowed_tools`, where the provider does not know it, by leaving out the other tools."""
    match body.get("tool_choice"):
        case {"allowed_tools": {"mode": str(mode), "tools": list(allowed)}} if not quirks.allowed_tools:
            names = {_tool_name(tool) for tool in allowed}
            tools = [tool for tool in body.get("tools") or () if _tool_name(tool) in names - {None}]
            if not tools:
                raise unsupported("tool_choice.allowed_tools", "none of them is among the tools")
            return {**body, "tools": tools, "tool_choice": mode}
    return body


def _tool_name(tool: Any) -> Any:
    function = tool.get("function") if isinstance(tool, dict) else None
    return function.get("name") if isinstance(function, dict) else None


def _adapt_tools(body: Json, quirks: Quirks, dropped: list[str]) -> Json:
    choice, tools = body.get("tool_choice"), body.get("tools")
    kind = choice.get("type") if isinstance(choice, dict) else choice
    if isinstance(kind, str) and kind in quirks.tool_choice:
        body = {**body, "tool_choice": quirks.tool_choice[kind]}
        if quirks.tool_choice[kind] == "auto":  # less than the client asked for
            dropped.append("tool_choice")
    if quirks.tool_drop and isinstance(tools, list):
        body = {**body, "tools": reuse_unchanged(tools, [_adapt_tool(one, quirks, dropped) for one in tools])}
    return body


def _adapt_tool(tool: Any, quirks: Quirks, dropped: list[str]) -> Any:
    """Return the tool without the fields of `tool_drop`, its function too; the same object if it has none."""
    fields = quirks.tool_drop
    function = tool.get("function") if isinstance(tool, dict) else None
    if not isinstance(function, dict) or (fields.isdisjoint(function) and fields.isdisjoint(tool)):
        return tool
    dropped += [f"tools.{name}" for name in tool if name in fields]
    dropped += [f"tools.function.{name}" for name in function if name in fields]
    function = {name: value for name, value in function.items() if name not in fields}
    return {**{name: value for name, value in tool.items() if name not in fields}, "function": function}

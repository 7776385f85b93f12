"""A chat request as Gemini's generateContent takes it. https://ai.google.dev/api/generate-content

docs/providers.md says what becomes of each field.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from handler.providers.google.messages import conversation, spelled
from handler.providers.legacy_functions import modern
from handler.providers.provider import Quirks
from handler.providers.quirks.request import NEUTRAL, suited
from handler.providers.translator import Json
from handler.providers.unsupported import unsupported
from rules import Model

# What other functions than `_config` look at, or what says nothing to Gemini.
_READ = frozenset(
    {
        *("model", "messages", "stream", "stream_options", "tools", "tool_choice", "response_format"),
        *("reasoning_effort", "max_tokens", "n", "modalities", "service_tier", "web_search_options"),
    }
)
# field -> Gemini's name for it, and its value there
_CONFIG: Mapping[str, tuple[str, Callable[[Any], Any]]] = {
    "temperature": ("temperature", lambda value: value),
    "top_p": ("topP", lambda value: value),
    "top_k": ("topK", lambda value: value),
    "presence_penalty": ("presencePenalty", lambda value: value),
    "frequency_penalty": ("frequencyPenalty", lambda value: value),
    "seed": ("seed", lambda value: int(value) % 2**31),  # it takes 32 bits
    "stop": ("stopSequences", lambda value: _stops(value) or None),
    "logprobs": ("responseLogprobs", lambda value: True),
    "top_logprobs": ("logprobs", int),
}
_LEVELS = {"minimal": "MINIMAL", "low": "LOW", "medium": "MEDIUM", "high": "HIGH", "xhigh": "XHIGH"}
_LOWERED = {"none": "LOW", "max": "HIGH"}  # for a model of which no more is known
_BUDGETS = {"minimal": 512, "low": 1024, "medium": 8192}  # tokens; `none` is the least and the rest the most
_MOST = ("high", "xhigh", "max")
_TIERS = {"default": "standard", "flex": "flex", "priority": "priority"}
_MODES = {"auto": "AUTO", "none": "NONE", "required": "ANY", "any": "ANY"}


def asked(chat: Json, model: Model, quirks: Quirks) -> tuple[Json, tuple[str, ...]]:
    """The body, and the names of the tuning left out or lowered."""
    body, left_out = suited(modern(chat), model, quirks)
    body = {name: value for name, value in body.items() if value is not None}
    if body.get("response_format") and _mode(body) == "NONE":
        body.pop("tools", None)  # they only stand in the way
    words = {word: argument for word, _, argument in (rule.partition(":") for rule in model.rules)}
    dropped = [*left_out, *(name for name in body if _unknown(name, body[name]))]
    tools, thinking = _tools(body, words), _thinking(body, words, dropped)
    if thinking and chat.get("reasoning_effort") != "none":
        thinking["thinkingConfig"]["includeThoughts"] = True
    config = {**_config(body, model, dropped), **_format(body, words), **thinking}
    new = conversation(body["messages"], words, ids="tool_call_id" not in quirks.message_drop)
    new |= tools
    if config:
        new["generationConfig"] = config
    if tier := _TIERS.get(body.get("service_tier") or ""):
        new["serviceTier"] = tier
    return new, tuple(name for name in dict.fromkeys(dropped) if name in chat or "." in name)


def _unknown(name: str, value: Any) -> bool:
    return name not in _READ and name not in _CONFIG and not (name in NEUTRAL and value == NEUTRAL[name])


def _config(body: Json, model: Model, dropped: list[str]) -> Json:
    config: Json = {}
    for name, (known, value) in _CONFIG.items():
        if name in body and not (name in NEUTRAL and body[name] == NEUTRAL[name]):
            config[known] = value(body[name])
    if "responseLogprobs" not in config:
        config.pop("logprobs", None)
    if (most := body.get("max_tokens")) is not None:
        config["maxOutputTokens"] = min(int(most), model.max_output or int(most))
        if config["maxOutputTokens"] < most:
            dropped += ["max_tokens", "max_completion_tokens"]  # whichever the client said
    if (several := int(body.get("n", 1))) > 1:
        config["candidateCount"] = several
    return {name: value for name, value in {**config, **_modalities(body)}.items() if value is not None}


def _stops(stop: Any) -> list[str]:
    return [one for one in ([stop] if isinstance(stop, str) else stop) if one][:5]


def _modalities(body: Json) -> Json:
    wanted = set(body.get("modalities", ()))
    if not wanted <= {"text", "image"}:
        raise unsupported("modalities", "this model answers in text and images only")
    return {"responseModalities": ["TEXT", "IMAGE"]} if "image" in wanted else {}


def _format(body: Json, words: Mapping[str, str]) -> Json:
    """`response_format`, which older models do not take beside tools, and none where a call is forced."""
    match body.get("response_format"):
        case {"type": "json_object"}:
            config: Json = {"responseMimeType": "application/json"}
        case {"type": "json_schema", "json_schema": {"schema": dict(schema)}}:
            from handler.providers.google.schema import gemini_schema, limit_items  # not part of a cold start

            config = {"responseMimeType": "application/json", "responseJsonSchema": gemini_schema(schema)}
            limit_items([config["responseJsonSchema"]])
        case {"type": "json_schema"}:
            config = {"responseMimeType": "application/json"}
        case _:
            return {}
    if _in_the_way(body, words):
        raise unsupported("response_format", "this model does not take it beside tools that may be called")
    return config


def takes_format(chat: Json, model: Model) -> bool:
    """Whether this model takes `response_format` in this chat."""
    body = modern(chat)
    return _mode(body) == "NONE" or not _in_the_way(body, {rule.partition(":")[0] for rule in model.rules})


def _in_the_way(body: Json, words: Collection[str]) -> bool:
    """Whether tools rule it out."""
    return bool(body.get("tools")) and ("no_json_tools" in words or _mode(body) == "ANY")


def _thinking(body: Json, words: Mapping[str, str], dropped: list[str]) -> Json:
    """How much it thinks: a level, of older models a budget."""
    effort = body.get("reasoning_effort")
    if effort is None:
        return {}
    said: Json
    if "budget" in words:
        least, most = map(int, words["budget"].split(","))
        budget = {"none": least, **_BUDGETS, **dict.fromkeys(_MOST, most)}.get(effort)
        said, lowered = {"thinkingBudget": budget}, effort == "none" and least > 0
    else:
        level = _LEVELS.get(effort) or _LOWERED.get(effort)
        said, lowered = {"thinkingLevel": level}, effort not in _LEVELS
    dropped += ["reasoning_effort"] if lowered or None in said.values() else []
    if None in said.values():  # an effort nobody knows
        return {}
    return {"thinkingConfig": said}


def _tools(body: Json, words: Mapping[str, str]) -> Json:
    tools = _declarations(body.get("tools") or ())
    mode, names = _mode(body), _allowed(body)
    if not tools and mode == "ANY":
        raise unsupported("tool_choice", "no tool was given that could be called")
    declared: dict[str, Json] = {}
    for tool in tools:
        if declared.setdefault(tool["name"], tool) != tool:
            raise unsupported("tools", f"two different functions are called {tool['name']!r}")
    if mode == "AUTO" and names:
        declared = {name: tool for name, tool in declared.items() if name in names}
    new: Json = {"tools": [{"functionDeclarations": list(declared.values())}]} if declared else {}
    if "web_search_options" in body:  # a row refuses it unless a rule allows it
        if declared and "no_json_tools" in words:
            raise unsupported("web_search_options", "this model does not search beside other tools")
        new["tools"] = [*new.get("tools", ()), {"googleSearch": {}}]
    if declared and (calling := _calling(body, mode, names)):
        new["toolConfig"] = {"functionCallingConfig": calling}
    return new


def _calling(body: Json, mode: str | None, names: list[str]) -> Json:
    if mode == "ANY":
        return {"mode": mode, **({"allowedFunctionNames": names} if names else {})}
    if mode != "NONE" and "response_format" not in body and any(map(_strict, body["tools"])):
        return {"mode": "VALIDATED"}
    return {"mode": mode} if mode else {}


def _mode(body: Json) -> str | None:
    match body.get("tool_choice"):
        case str(word):
            return _MODES.get(word)
        case {"type": "allowed_tools", "allowed_tools": {"mode": str(word)}}:
            return _MODES.get(word)
        case {"type": "function"}:
            return "ANY"
        case {"type": "custom"}:
            raise unsupported("tool_choice", "this model knows only functions")
    return None


def _allowed(body: Json) -> list[str]:
    """The names that a choice of tools leaves."""
    match body.get("tool_choice"):
        case {"type": "function", "function": {"name": str(name)}}:
            return [spelled(name)]
        case {"type": "allowed_tools", "allowed_tools": {"tools": list(tools)}}:
            named = (tool.get("function") for tool in tools)
            return [spelled(one["name"]) for one in named if isinstance(one, dict) and one.get("name")]
    return []


def _declarations(tools: Sequence[Json]) -> list[Json]:
    if not tools:
        return []
    from handler.providers.google.schema import limit_items  # not part of a cold start

    declared = [_declared(tool, f"tools[{place}]") for place, tool in enumerate(tools)]
    limit_items([tool["parametersJsonSchema"] for tool in declared if "parametersJsonSchema" in tool])
    return declared


def _declared(tool: Json, where: str) -> Json:
    function = tool.get("function")
    if not isinstance(function, dict):
        raise unsupported(f"{where}.type", "this model knows only functions")
    new: Json = {"name": spelled(function["name"])}
    if function.get("description"):
        new["description"] = function["description"]
    from handler.providers.google.schema import gemini_schema

    schema = gemini_schema(function.get("parameters"))
    if schema.keys() - {"type", "properties", "additionalProperties"} or schema.get("properties"):
        new["parametersJsonSchema"] = {"type": "object", **schema}
    return new


def _strict(tool: Json) -> bool:
    function = tool.get("function")
    return isinstance(function, dict) and function.get("strict") is True

"""Translates a chat request into the body of generateContent. https://ai.google.dev/api/generate-content

docs/providers.md lists what becomes of each field.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from handler.errors import Json
from handler.providers.google.custom_tools import customs_to_functions
from handler.providers.google.messages import contents_of
from handler.providers.google.tools import calling_mode, tools_of
from handler.providers.legacy_functions import functions_to_tools
from handler.providers.provider import Quirks
from handler.providers.quirks.model_rules import parse_rules
from handler.providers.quirks.parameters import DEFAULTS
from handler.providers.quirks.request import adapt_request
from handler.providers.unsupported import unsupported
from rules import Model

# Fields that other functions translate, and fields that mean nothing to Gemini.
_OTHER_FIELDS = frozenset(
    {
        *("model", "messages", "stream", "stream_options", "tools", "tool_choice", "response_format"),
        *("reasoning_effort", "max_tokens", "n", "modalities", "service_tier", "web_search_options"),
    }
)
# field -> Gemini's name for it, and its value there
_CONFIG_FIELDS: Mapping[str, tuple[str, Callable[[Any], Any]]] = {
    "temperature": ("temperature", lambda value: value),
    "top_p": ("topP", lambda value: value),
    "top_k": ("topK", lambda value: value),
    "presence_penalty": ("presencePenalty", lambda value: value),
    "frequency_penalty": ("frequencyPenalty", lambda value: value),
    "seed": ("seed", lambda value: int(value) % 2**31),  # Gemini's has 32 bits
    "stop": ("stopSequences", lambda value: _stop_sequences(value) or None),
    "logprobs": ("responseLogprobs", lambda value: True),
    "top_logprobs": ("logprobs", int),
}
_LEVELS = {"minimal": "MINIMAL", "low": "LOW", "medium": "MEDIUM", "high": "HIGH", "xhigh": "XHIGH"}
_NEAREST_LEVELS = {"none": "LOW", "max": "HIGH"}  # for a model without the rule `efforts`
_BUDGETS = {"minimal": 512, "low": 1024, "medium": 8192}  # tokens; `none` is the least, the others the most
_MAXIMAL_EFFORTS = ("high", "xhigh", "max")
_SERVICE_TIERS = {"default": "standard", "flex": "flex", "priority": "priority"}


def build_request(chat: Json, model: Model, quirks: Quirks) -> tuple[Json, tuple[str, ...]]:
    """The body, and the names of parameters that were left out or lowered. Raises Unsupported."""
    body, left_out = adapt_request(customs_to_functions(functions_to_tools(chat)), model, quirks)
    body = {name: value for name, value in body.items() if value is not None}
    if body.get("response_format") and calling_mode(body) == "NONE":
        body.pop("tools", None)  # tools that may not be called would still rule out `response_format`
    model_rules = parse_rules(model.rules)
    dropped = [*left_out, *(name for name in body if _is_unknown(name, body[name]))]
    tools, thinking = tools_of(body, model_rules), _thinking(body, model_rules, dropped)
    if thinking and chat.get("reasoning_effort") != "none":
        thinking["thinkingConfig"]["includeThoughts"] = True
    config = {**_config(body, model, dropped), **_response_format(body, model_rules), **thinking}
    new = contents_of(body["messages"], model_rules, call_ids="tool_call_id" not in quirks.message_drop)
    new |= tools
    if config:
        new["generationConfig"] = config
    if tier := _SERVICE_TIERS.get(body.get("service_tier") or ""):
        new["serviceTier"] = tier
    return new, tuple(name for name in dict.fromkeys(dropped) if name in chat or "." in name)


def takes_response_format(chat: Json, model: Model) -> bool:
    """True if this model accepts `response_format` with the tools of this chat."""
    body = customs_to_functions(functions_to_tools(chat))
    if calling_mode(body) == "NONE":
        return True
    return not _tools_rule_out_format(body, parse_rules(model.rules))


def _is_unknown(name: str, value: Any) -> bool:
    known = name in _OTHER_FIELDS or name in _CONFIG_FIELDS
    return not known and not _is_default(name, value)


def _is_default(name: str, value: Any) -> bool:
    return name in DEFAULTS and bool(value == DEFAULTS[name])


def _config(body: Json, model: Model, dropped: list[str]) -> Json:
    """`generationConfig` without thinking and the response format."""
    config: Json = {}
    for name, (gemini_name, convert) in _CONFIG_FIELDS.items():
        if name in body and not _is_default(name, body[name]):
            config[gemini_name] = convert(body[name])
    if "responseLogprobs" not in config:
        config.pop("logprobs", None)
    if (most := body.get("max_tokens")) is not None:
        config["maxOutputTokens"] = min(int(most), model.max_output or int(most))
        if config["maxOutputTokens"] < most:
            dropped += ["max_tokens", "max_completion_tokens"]  # only the client's name for it is reported
    if (count := int(body.get("n", 1))) > 1:
        config["candidateCount"] = count
    return {name: value for name, value in {**config, **_modalities(body)}.items() if value is not None}


def _stop_sequences(stop: Any) -> list[str]:
    """The first five that are not empty."""
    return [one for one in ([stop] if isinstance(stop, str) else stop) if one][:5]


def _modalities(body: Json) -> Json:
    modalities = set(body.get("modalities", ()))
    if not modalities <= {"text", "image"}:
        raise unsupported("modalities", "this model answers only in text and images")
    return {"responseModalities": ["TEXT", "IMAGE"]} if "image" in modalities else {}


def _response_format(body: Json, model_rules: Collection[str]) -> Json:
    """`response_format` as members of `generationConfig`."""
    match body.get("response_format"):
        case {"type": "json_object"}:
            config: Json = {"responseMimeType": "application/json"}
        case {"type": "json_schema", "json_schema": {"schema": dict(schema)}}:
            from handler.providers.google.schema import gemini_schema, limit_max_items  # not at a cold start

            config = {"responseMimeType": "application/json", "responseJsonSchema": gemini_schema(schema)}
            limit_max_items([config["responseJsonSchema"]])
        case {"type": "json_schema"}:
            config = {"responseMimeType": "application/json"}
        case _:
            return {}
    if _tools_rule_out_format(body, model_rules):
        raise unsupported("response_format", "this model does not take it with tools that it may call")
    return config


def _tools_rule_out_format(body: Json, model_rules: Collection[str]) -> bool:
    """True if Gemini refuses `response_format` with these tools: older models with any, others if forced."""
    return bool(body.get("tools")) and ("no_json_tools" in model_rules or calling_mode(body) == "ANY")


def _thinking(body: Json, model_rules: Mapping[str, str], dropped: list[str]) -> Json:
    """`reasoning_effort` as a thinking level, or as a token budget for a model with the rule `budget`."""
    effort = body.get("reasoning_effort")
    if effort is None:
        return {}
    name: str
    value: int | str | None
    if "budget" in model_rules:
        least, most = map(int, model_rules["budget"].split(","))
        budgets = {"none": least, **_BUDGETS, **dict.fromkeys(_MAXIMAL_EFFORTS, most)}
        name, value, lowered = "thinkingBudget", budgets.get(effort), effort == "none" and least > 0
    else:
        name, value = "thinkingLevel", _LEVELS.get(effort) or _NEAREST_LEVELS.get(effort)
        lowered = effort not in _LEVELS
    if lowered or value is None:
        dropped.append("reasoning_effort")
    return {} if value is None else {"thinkingConfig": {name: value}}

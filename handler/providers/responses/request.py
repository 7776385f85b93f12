"""Builds the body of a request to OpenAI's Responses from a chat request.

The provider never stores the answer. https://platform.openai.com/docs/api-reference/responses/create
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from handler.errors import Json
from handler.providers.legacy_functions import functions_to_tools
from handler.providers.provider import Quirks
from handler.providers.quirks.model_rules import apply_parameter_rules, parse_rules
from handler.providers.quirks.parameters import drop, is_negligible, max_tokens_of
from handler.providers.responses.messages import input_items
from handler.providers.responses.tools import convert_choice, convert_tools
from handler.providers.unsupported import unsupported
from rules import Model

_MIN_OUTPUT = 16  # tokens: fewer are refused
_LIMITS = ("max_tokens", "max_completion_tokens")
_ENCRYPTED, _LOGPROBS = "reasoning.encrypted_content", "message.output_text.logprobs"  # of `include`
# Rules of a family that concern Chat Completions alone.
_CHAT_RULES = frozenset({"effort_tools", "max_completion_tokens", "no_stop", "no_penalties"})


def build_request(chat: Json, model: Model, quirks: Quirks) -> tuple[Json, tuple[str, ...]]:
    """Return the body, and the names of parameters that were left out or changed. Raises Unsupported."""
    dropped: list[str] = []
    rules = parse_rules(model.rules)
    applied = [rule for rule in model.rules if rule.partition(":")[0] not in _CHAT_RULES]
    given = drop(apply_parameter_rules(functions_to_tools(chat), applied, dropped), quirks.drop, dropped)
    body: Json = {"model": model.name, "input": input_items(given["messages"]), "store": False}
    if limit := max_tokens_of(given, model, dropped):
        body["max_output_tokens"] = max(limit, _MIN_OUTPUT)
        dropped += _LIMITS if limit < _MIN_OUTPUT else ()
    body |= _tools(given)
    for name, value in given.items():
        if value is None or name in _HANDLED:
            continue
        if name in _SAME:
            body[name] = value
        elif name in _FIELDS:
            _FIELDS[name](value, body)
        elif not is_negligible(name, value):
            dropped.append(name)
    if "efforts" in rules or (model.known and "reasoning" in model.can):
        _include(body, _ENCRYPTED)
    return body, tuple(name for name in dict.fromkeys(dropped) if name in chat or "." in name)


def _tools(chat: Json) -> Json:
    """Return the fields about tools. The choice of one needs tools to choose from."""
    tools, choice = chat.get("tools"), chat.get("tool_choice")
    if not tools:
        if choice not in (None, "none", "auto", {}):
            raise unsupported("tool_choice", "there are no tools to choose from")
        return {}
    parallel = chat.get("parallel_tool_calls")
    return {
        "tools": convert_tools(tools),
        **({"tool_choice": convert_choice(choice)} if choice else {}),
        **({"parallel_tool_calls": parallel} if parallel is not None else {}),
    }


def _include(body: Json, what: str) -> None:
    body.setdefault("include", []).append(what)


def _effort(value: Any, body: Json) -> None:
    body["reasoning"] = {**body.get("reasoning", {}), "effort": value}


def _reasoning(value: Any, body: Json) -> None:
    """Add OpenRouter's form of the effort, and OpenAI's of the summary. `reasoning_effort` counts more."""
    for name in ("effort", "summary"):
        if isinstance(value, dict) and isinstance(value.get(name), str):
            body["reasoning"] = {name: value[name], **body.get("reasoning", {})}


def _verbosity(value: Any, body: Json) -> None:
    body["text"] = {**body.get("text", {}), "verbosity": value}


def _response_format(value: Any, body: Json) -> None:
    match value:
        case {"type": "json_schema", "json_schema": dict(given)}:
            schema = {"type": "object"} if given.get("schema") is None else given["schema"]
            named = {name: one for name, one in given.items() if one is not None}
            value = {"type": "json_schema", **named, "schema": schema}
        case {"type": "json_object"}:
            value = {"type": "json_object"}
        case _:
            return
    body["text"] = {**body.get("text", {}), "format": value}


def _stream(value: Any, body: Json) -> None:
    if value:
        body["stream"] = True


def _logprobs(value: Any, body: Json) -> None:
    if value:
        _include(body, _LOGPROBS)


_SAME = frozenset(
    {
        *("temperature", "top_p", "top_logprobs", "metadata", "moderation", "service_tier"),
        *("prompt_cache_key", "prompt_cache_options", "prompt_cache_retention", "safety_identifier", "user"),
    }
)
_FIELDS: Mapping[str, Callable[[Any, Json], None]] = {
    "stream": _stream,
    "reasoning_effort": _effort,
    "reasoning": _reasoning,
    "verbosity": _verbosity,
    "response_format": _response_format,
    "logprobs": _logprobs,
}
# Fields that are read by name, or have no effect on the body.
_HANDLED = frozenset(
    {
        *("model", "messages", *_LIMITS, "stream_options"),
        *("tools", "tool_choice", "parallel_tool_calls"),
    }
)

"""Translates a Responses request to a chat (docs/api.md, Responses)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from handler.errors import InvalidRequest, Json
from handler.formats.chat.fields import OWN_FIELDS
from handler.formats.chat.foreign_fields import check_headers
from handler.formats.chat.request import Chat, NativeRequest, chat_of
from handler.formats.losses import Losses
from handler.formats.options import Headers
from handler.formats.responses.fields import REQUEST
from handler.formats.responses.items import chat_messages
from handler.formats.responses.tools import chat_tool_choice, read_tools
from handler.formats.validators import validate
from handler.settings import Settings
from handler.wire.strict_json import loads

DIALECT = "responses"

# Fields that mean the same in a chat, under the same name.
_SAME = frozenset(
    {
        *("model", "metadata", "moderation", "prompt_cache_key", "prompt_cache_options", "service_tier"),
        *("prompt_cache_retention", "safety_identifier", "temperature", "top_p", "user", *OWN_FIELDS),
    }
)
_RENAMED = {"max_output_tokens": "max_completion_tokens"}
_HANDLED = frozenset(
    {
        *("input", "instructions", "tools", "tool_choice", "parallel_tool_calls", "reasoning", "text"),
        *("include", "top_logprobs", "store", "stream", "background"),
        "stream_options",  # tunes how OpenAI hides the lengths of texts
        "client_metadata",  # Codex's, for OpenAI's statistics
    }
)
_DEFAULTS: Mapping[str, Any] = {"truncation": "disabled"}


def parse(body: bytes, headers: Headers, settings: Settings) -> Chat:
    """Parse and validate a request, and translate it. Raises InvalidRequest, which names the field."""
    check_headers(headers)
    text, value = loads(body)
    validate(REQUEST, value)
    losses = Losses()
    chat = to_chat(value, losses)
    dropped = tuple(losses.dropped)
    native = NativeRequest(dialect=DIALECT, text=text, body=value, only=losses.only, dropped=dropped)
    return chat_of(text, chat, headers, native)


def to_chat(body: Json, losses: Losses) -> Json:
    """Return the chat of a valid request. It can be sent even if `losses.only` is set."""
    tools = read_tools(body, losses)
    messages = chat_messages(body, tools, losses)
    if not messages:
        if losses.only is None:
            raise InvalidRequest("input: expected at least one message", param="input")
        messages = [{"role": "user", "content": ""}]
    chat: Json = {
        "messages": messages,
        **{name: value for name, value in body.items() if name in _SAME and value is not None},
        **{new: body[old] for old, new in _RENAMED.items() if body.get(old) is not None},
    }
    if tools.by_name:
        chat["tools"] = list(tools.by_name.values())
        choice = chat_tool_choice(body.get("tool_choice"), tools, losses)
        chat |= {} if choice is None else {"tool_choice": choice}
        if body.get("parallel_tool_calls") is not None:
            chat["parallel_tool_calls"] = body["parallel_tool_calls"]
    elif body.get("tool_choice") == "required" or isinstance(body.get("tool_choice"), dict):
        losses.require_native("tool_choice", "the request has no tool that a chat could call")
    chat |= _reasoning(body, losses) | _text(body, losses) | _logprobs(body) | _transport(body)
    for name, value in body.items():
        known = name in _SAME or name in _RENAMED or name in _HANDLED
        if not known and value is not None and _DEFAULTS.get(name) != value:
            losses.drop(name)
    return chat


def _transport(body: Json) -> Json:
    """Return the fields about the answer's way. Nothing is stored, so `store: true` is not passed on."""
    stream = {"stream": True, "stream_options": {"include_usage": True}} if body.get("stream") else {}
    return {**stream, **({"store": False} if body.get("store") is False else {})}


def _reasoning(body: Json, losses: Losses) -> Json:
    reasoning = body.get("reasoning") or {}
    for name, value in reasoning.items():
        if name not in ("effort", "summary", "generate_summary") and value is not None:
            losses.drop(f"reasoning.{name}")
    return {"reasoning_effort": reasoning["effort"]} if reasoning.get("effort") is not None else {}


def _text(body: Json, losses: Losses) -> Json:
    text = body.get("text") or {}
    chat: Json = {"verbosity": text["verbosity"]} if text.get("verbosity") is not None else {}
    match text.get("format"):
        case None | {"type": "text"}:
            return chat
        case {"type": "json_object"}:
            chat["response_format"] = {"type": "json_object"}
        case {"type": "json_schema"} as given:
            names = ("name", "description", "schema", "strict")
            schema = {name: given[name] for name in names if given.get(name) is not None}
            chat["response_format"] = {"type": "json_schema", "json_schema": schema}
        case _:
            losses.require_native("text.format.type", "a chat has no such format")
            return chat
    if body.get("output_schema") is not None:
        problem = "output_schema: use either `output_schema` or `text.format`, not both"
        raise InvalidRequest(problem, param="output_schema")
    return chat


def _logprobs(body: Json) -> Json:
    number = body.get("top_logprobs")
    if "message.output_text.logprobs" not in (body.get("include") or ()) and not number:
        return {}
    return {"logprobs": True, **({} if number is None else {"top_logprobs": number})}

"""Requests that a client posts to /chat/completions in the shape of another format.

Some clients send one format to the path of another: Cursor sends the input of Responses, flat tools, and
tools, choices and blocks of Anthropic's. A shape is translated where it says clearly what it is; everything
else is left to the checks of a chat.
"""

from __future__ import annotations

from typing import Any

from handler.errors import InvalidRequest, Json
from handler.formats.chat.fields import check_chat
from handler.formats.chat.foreign_fields import check_headers
from handler.formats.chat.request import Chat, chat_of
from handler.formats.options import Headers
from handler.formats.validators import validate
from handler.settings import Settings
from handler.wire.splice import dump
from handler.wire.strict_json import loads

_CHOICES = {"auto": "auto", "none": "none", "required": "required", "any": "required"}
_ANTHROPIC_BLOCKS = frozenset({"tool_use", "tool_result", "redacted_thinking"})
_FUNCTION_FIELDS = ("name", "description", "parameters", "strict")
_CUSTOM_FIELDS = ("name", "description")


def parse_chat(body: bytes, headers: Headers, settings: Settings) -> Chat:
    """Parse and validate a request to /chat/completions. Raises InvalidRequest, which names the field."""
    check_headers(headers)
    text, value = loads(body)
    if isinstance(value, dict):
        if value.get("messages") is None and value.get("input") is not None:
            from handler.formats.responses.request import parse  # not at a cold start

            return parse(body, headers, settings)
        chat = as_chat(value)
        text, value = (text, value) if chat is value else (dump(chat), chat)
    check_chat(value, max_n=settings.max_n)
    return chat_of(text, value, headers)


def as_chat(body: Json) -> Json:
    """Return the body with its tools, choice and messages as a chat has them; the same object if they are so.

    Raises InvalidRequest for a block of Anthropic's that is malformed, or that a chat cannot say.
    """
    new = dict(body)
    if isinstance(tools := body.get("tools"), list) and any(map(_is_foreign_tool, tools)):
        new["tools"] = [_tool(tool) if _is_foreign_tool(tool) else tool for tool in tools]
    if isinstance(choice := body.get("tool_choice"), dict):
        new["tool_choice"] = _choice(choice)
    if isinstance(messages := body.get("messages"), list) and any(map(_is_foreign_message, messages)):
        new["messages"] = _messages(messages)
    return body if all(new[name] is value for name, value in body.items()) else new


def _is_foreign_tool(tool: Any) -> bool:
    match tool:
        case {"type": "function" | "custom" as kind, "name": str()} if kind not in tool:
            return True
        case {"name": str(), "input_schema": dict()}:
            return True
    return False


def _tool(tool: Json) -> Json:
    if "input_schema" in tool:
        tool = {**tool, "type": "function", "parameters": tool["input_schema"]}
    kind = tool["type"]
    fields = _FUNCTION_FIELDS if kind == "function" else _CUSTOM_FIELDS
    new = {name: tool[name] for name in fields if tool.get(name) is not None}
    match tool:
        case {"type": "custom", "format": {"type": "grammar", "syntax": syntax, "definition": definition}}:
            new["format"] = {"type": "grammar", "grammar": {"syntax": syntax, "definition": definition}}
    mark = {"cache_control": tool["cache_control"]} if tool.get("cache_control") else {}
    return {"type": kind, kind: new, **mark}


def _choice(choice: Json) -> Any:
    match choice:
        case {"type": "function" | "custom" as kind, "name": str(name)} if kind not in choice:
            return {"type": kind, kind: {"name": name}}
        case {"type": "tool", "name": str(name)}:
            return {"type": "function", "function": {"name": name}}
        case {"type": "auto" | "none" | "required" | "any" as kind}:
            return _CHOICES[kind]
    return choice


def _is_foreign_message(message: Any) -> bool:
    content = message.get("content") if isinstance(message, dict) else None
    return isinstance(content, list) and any(map(_is_foreign_block, content))


def _is_foreign_block(block: Any) -> bool:
    match block:
        case {"type": "image" | "document", "source": dict()} | {"type": "thinking", "signature": str()}:
            return True
        case {"type": str(kind)}:
            return kind in _ANTHROPIC_BLOCKS
    return False


def _messages(messages: list[Any]) -> list[Any]:
    """Translate the messages with blocks of Anthropic's, and leave the others as they are."""
    from handler.formats.anthropic.content import Losses  # few clients need it: not at a cold start
    from handler.formats.anthropic.fields import MESSAGES
    from handler.formats.anthropic.messages import chat_messages

    foreign = [_is_foreign_message(message) for message in messages]
    checked = [
        one if is_foreign else {"role": "user", "content": ""}
        for one, is_foreign in zip(messages, foreign, strict=True)
    ]
    validate(MESSAGES, {"messages": checked})
    losses, after = Losses(), list[Any]()
    for message, is_foreign in zip(messages, foreign, strict=True):
        after += chat_messages({"messages": [message]}, losses) if is_foreign else [message]
    if losses.only is not None:
        path, problem = losses.only
        raise InvalidRequest(f"{path}: {problem}", code="unsupported_parameter", param=path)
    return after

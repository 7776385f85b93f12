"""Custom tools, whose input is a text: Gemini gets them as functions of one text, `custom::name`.

https://ai.google.dev/api/caching#FunctionDeclaration
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from handler.errors import Json

_PREFIX = "custom::"  # no function of OpenAI's has a colon in its name
_TEXT_INPUT = {"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]}


def customs_to_functions(chat: Json) -> Json:
    """Return the chat with custom tools, the choice of one and calls of them as functions."""
    new: Json = {}
    if any(isinstance(tool, dict) and "custom" in tool for tool in chat.get("tools") or ()):
        new["tools"] = [_function(tool) for tool in chat["tools"]]
    match chat.get("tool_choice"):
        case {"type": "custom", "custom": {"name": name}}:
            new["tool_choice"] = {"type": "function", "function": {"name": f"{_PREFIX}{name}"}}
        case {"type": "allowed_tools", "allowed_tools": {"tools": list(tools)} as allowed}:
            functions = [_function(tool) for tool in tools]
            new["tool_choice"] = {"type": "allowed_tools", "allowed_tools": {**allowed, "tools": functions}}
    return {**chat, **new, "messages": [_with_functions(message) for message in chat["messages"]]}


def client_call(name: str, arguments: str) -> Json:
    """Return the type of a call and its content, as the client's tools have them."""
    if not name.startswith(_PREFIX):
        return {"type": "function", "function": {"name": name, "arguments": arguments}}
    text = json.loads(arguments).get("input")
    custom = {"name": name.removeprefix(_PREFIX), "input": text if isinstance(text, str) else arguments}
    return {"type": "custom", "custom": custom}


def _function(tool: Any) -> Any:
    match tool:
        case {"type": "custom", "custom": {"name": name, **custom}}:
            function = {"name": f"{_PREFIX}{name}", "parameters": _TEXT_INPUT}
            if description := _description(custom):
                function["description"] = description
            return {"type": "function", "function": function}
    return tool


def _description(custom: Mapping[Any, Any]) -> str:
    """The description, with the grammar, which Gemini cannot enforce."""
    match custom.get("format"):
        case {"grammar": {"syntax": syntax, "definition": definition}}:
            grammar = f"`input` must follow this {syntax} grammar:\n{definition}"
            return f"{custom.get('description') or ''}\n\n{grammar}".strip()
    return str(custom.get("description") or "")


def _with_functions(message: Json) -> Json:
    calls = message.get("tool_calls")
    if not any(isinstance(call, dict) and "custom" in call for call in calls or ()):
        return message
    return {**message, "tool_calls": [_function_call(call) for call in calls or ()]}


def _function_call(call: Json) -> Json:
    match call:
        case {"custom": {"name": name, "input": text}, **others}:
            arguments = json.dumps({"input": text}, ensure_ascii=False)
            function = {"name": f"{_PREFIX}{name}", "arguments": arguments}
            return {**others, "type": "function", "function": function}
    return call

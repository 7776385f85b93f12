"""Turns entries of the content log into examples that OpenAI's fine-tuning takes as they are.

One example is the conversation with the answer as its last message, and the tools that could be called.
https://platform.openai.com/docs/api-reference/fine-tuning/chat-input (FineTuneChatRequestInput)
Fields that the format does not have are left out, as are examples that it cannot hold.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from handler.errors import Json

# The fields of each role's messages. `developer` has another name there.
_MESSAGE_FIELDS: Mapping[str, tuple[str, ...]] = {
    "system": ("content", "name"),
    "user": ("content", "name"),
    "assistant": ("content", "refusal", "name", "tool_calls", "function_call"),
    "tool": ("content", "tool_call_id"),
    "function": ("content", "name"),
}
_ROLES = {"developer": "system"}
_FUNCTION_FIELDS = ("name", "description", "parameters", "strict")
_PARTS = frozenset({"text", "image_url", "refusal"})
_ENDED = frozenset({"stop", "tool_calls", "function_call"})
_SAYS_SOMETHING = ("content", "refusal", "tool_calls", "function_call")


class NoExample(Exception):
    """An entry that makes no example. The message completes "entries with ..."."""


def example_of(entry: Mapping[str, Any]) -> Json:
    """Return the example of an entry. Raises NoExample."""
    request = entry.get("request")
    if not isinstance(request, dict) or not isinstance(messages := request.get("messages"), list):
        raise NoExample("a request of another format")
    example: Json = {"messages": [*map(_message, messages), _message(_answer(entry))]}
    if tools := request.get("tools"):
        example["tools"] = [{"type": "function", "function": _function(tool)} for tool in tools]
        if isinstance(request.get("parallel_tool_calls"), bool):
            example["parallel_tool_calls"] = request["parallel_tool_calls"]
    elif functions := request.get("functions"):
        example["functions"] = [_some(each, _FUNCTION_FIELDS[:3]) for each in functions]
    return example


def _answer(entry: Mapping[str, Any]) -> Json:
    """Return the message of the first choice, if it is whole."""
    answer = entry.get("answer")
    if entry.get("error") or not isinstance(answer, dict) or entry.get("left") or entry.get("truncated"):
        raise NoExample("no whole answer")
    match answer.get("choices"):
        case [{"message": dict(message), "finish_reason": finish}, *_] if finish in _ENDED:
            return {**message, "role": "assistant"}
        case [{"finish_reason": _}, *_]:
            raise NoExample("an answer that was cut off or filtered")
        case _:
            raise NoExample("an answer of another format")


def _message(message: Any) -> Json:
    role = str(message.get("role")) if isinstance(message, dict) else ""
    role = _ROLES.get(role, role)
    if role not in _MESSAGE_FIELDS:
        raise NoExample("a request of another format")
    made = {"role": role, **_some(message, _MESSAGE_FIELDS[role])}
    if isinstance(made.get("content"), list):
        made["content"] = [_part(part) for part in made["content"]]
    if "tool_calls" in made:
        made["tool_calls"] = [_call(call) for call in made["tool_calls"]]
    if role == "assistant" and not any(made.get(name) for name in _SAYS_SOMETHING):
        raise NoExample("an empty message")
    return made


def _part(part: Any) -> Json:
    kind = part.get("type") if isinstance(part, dict) else None
    if kind not in _PARTS:
        raise NoExample("audio, files or other content than text and images")
    return _some(part, ("type", kind))


def _call(call: Any) -> Json:
    match call:
        case {"id": str(id), "function": {"name": str(name), "arguments": str(arguments)}}:
            return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}
        case _:
            raise NoExample("tools that are not functions")


def _function(tool: Any) -> Json:
    match tool:
        case {"type": "function", "function": dict(function)}:
            return _some(function, _FUNCTION_FIELDS)
        case _:
            raise NoExample("tools that are not functions")


def _some(value: Mapping[str, Any], names: tuple[str, ...]) -> Json:
    return {name: value[name] for name in names if value.get(name) not in (None, [])}

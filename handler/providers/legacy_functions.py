"""Translates the legacy fields `functions` and `function_call` to tools, and answers back to that form.

A provider whose row has the quirk `legacy` gets what the client wrote. For any other, `request()` of the
translator finds the legacy form itself, and `response()` and `stream()` get the parameter `legacy`.
https://platform.openai.com/docs/api-reference/chat/create#chat-create-functions
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from handler.errors import Json

_LEGACY_FIELDS = ("functions", "function_call")


def functions_to_tools(body: Json) -> Json:
    """Return the request with tools instead of functions; the same object if it has no legacy form.

    Messages that have no legacy form are shared with the body.
    """
    changes: Json = {}
    messages, functions, choice = body.get("messages"), body.get("functions"), body.get("function_call")
    if isinstance(messages, list) and any(map(_is_legacy, messages)):
        changes["messages"] = _convert_messages(messages)
    if functions and not body.get("tools"):
        changes["tools"] = [{"type": "function", "function": function} for function in functions]
        if choice is not None:
            changes["tool_choice"] = (
                {"type": "function", "function": choice} if isinstance(choice, dict) else choice
            )
        changes["parallel_tool_calls"] = False  # a legacy answer can hold one call only
    others = {name: value for name, value in body.items() if name not in _LEGACY_FIELDS}
    return {**others, **changes} if changes or len(others) < len(body) else body


def _is_legacy(message: Any) -> bool:
    return isinstance(message, dict) and (message.get("role") == "function" or "function_call" in message)


def _convert_messages(messages: list[Any]) -> list[Any]:
    """Convert legacy messages. A call's id is its place; a result gets the id of its function's last call."""
    ids: dict[Any, str] = {}
    return [
        _convert_message(one, place, ids) if _is_legacy(one) else one for place, one in enumerate(messages)
    ]


def _convert_message(message: Json, place: int, ids: dict[Any, str]) -> Json:
    if message.get("role") == "function":
        name = message.get("name")
        rest = {field: value for field, value in message.items() if field not in ("role", "name")}
        rest["content"] = message.get("content") or ""  # a tool message must not have null
        return {"role": "tool", "tool_call_id": ids.get(name, f"call_{place}"), **rest}
    rest = {field: value for field, value in message.items() if field != "function_call"}
    call = message["function_call"]
    if not isinstance(call, dict):  # null in a message that OpenAI's library wrote
        return rest
    ids[call.get("name")] = f"call_{place}"
    return {**rest, "tool_calls": [{"id": f"call_{place}", "type": "function", "function": call}]}


def to_legacy_completion(completion: Json) -> Json:
    """Return the completion with the first of its tool calls as `function_call`."""
    return _convert_choices(completion, _convert_choice)


def to_legacy_chunk(chunk: Json) -> Json:
    """Return the chunk with the tool call of index 0 as `function_call`, and without any other."""
    return _convert_choices(chunk, _convert_chunk_choice)


def _convert_choices(body: Json, convert: Callable[[Json], Json]) -> Json:
    before = body.get("choices") or []
    after = [convert(choice) if isinstance(choice, dict) else choice for choice in before]
    return body if all(map(operator.is_, before, after)) else {**body, "choices": after}


def _convert_choice(choice: Json) -> Json:
    message = choice.get("message")
    if not isinstance(message, dict) or not (calls := message.get("tool_calls")):
        return choice
    return _convert_finish({**choice, "message": _with_call(message, calls[0])})


def _convert_chunk_choice(choice: Json) -> Json:
    delta = choice.get("delta")
    if isinstance(delta, dict) and (calls := delta.get("tool_calls")):
        first = next((call for call in calls if call.get("index") == 0), None)
        choice = {**choice, "delta": _with_call(delta, first)}
    return _convert_finish(choice)


def _with_call(part: Json, call: Json | None) -> Json:
    """Return a message or a delta with `call` as `function_call` instead of its tool calls."""
    rest = {field: value for field, value in part.items() if field != "tool_calls"}
    return rest if call is None else {**rest, "function_call": call.get("function")}


def _convert_finish(choice: Json) -> Json:
    if choice.get("finish_reason") != "tool_calls":
        return choice
    return {**choice, "finish_reason": "function_call"}

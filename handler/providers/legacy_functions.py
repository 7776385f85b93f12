"""The legacy form of tools, `functions` and `function_call`, for providers that know only the present one.

`modern` makes the request's present form; `legacy_answer` and `legacy_chunk` give the answer back in the form
that was asked in. https://platform.openai.com/docs/api-reference/chat/create#chat-create-functions

A provider whose row takes the legacy form is sent what the client wrote. Otherwise the translator does all of
this: request() sees the form for itself, response() and stream() are told of it by `legacy`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from handler.errors import Json


def functions_to_tools(body: Json) -> Json:
    """The same request with tools. What has no legacy form in it is shared; without any, the body itself."""
    changed: Json = {}
    messages, functions, choice = body.get("messages"), body.get("functions"), body.get("function_call")
    if isinstance(messages, list) and any(map(_is_legacy, messages)):
        changed["messages"] = _modern_messages(messages)
    if functions and not body.get("tools"):
        changed["tools"] = [{"type": "function", "function": function} for function in functions]
        if choice is not None:
            changed["tool_choice"] = (
                {"type": "function", "function": choice} if isinstance(choice, dict) else choice
            )
        changed["parallel_tool_calls"] = False  # the legacy answer has room for one call
    kept = {name: value for name, value in body.items() if name not in ("functions", "function_call")}
    return {**kept, **changed} if changed or len(kept) < len(body) else body


def _is_legacy(message: Any) -> bool:
    return isinstance(message, dict) and (message.get("role") == "function" or "function_call" in message)


def _modern_messages(messages: list[Any]) -> list[Any]:
    """Calls get ids by their place, and a result the id of the last call of its function."""
    ids: dict[Any, str] = {}
    return [
        _modern_message(one, place, ids) if _is_legacy(one) else one for place, one in enumerate(messages)
    ]


def _modern_message(message: Json, place: int, ids: dict[Any, str]) -> Json:
    if message.get("role") == "function":
        name = message.get("name")
        rest = {field: value for field, value in message.items() if field not in ("role", "name")}
        said = {**rest, "content": message.get("content") or ""}  # null is no content of a tool
        return {"role": "tool", "tool_call_id": ids.get(name, f"call_{place}"), **said}
    rest = {field: value for field, value in message.items() if field != "function_call"}
    call = message["function_call"]
    if not isinstance(call, dict):  # the SDK's dump of a message has it as null
        return rest
    ids[call.get("name")] = f"call_{place}"
    return {**rest, "tool_calls": [{"id": f"call_{place}", "type": "function", "function": call}]}


def to_legacy_completion(completion: Json) -> Json:
    """A completion with `function_call` where it has tool calls; of several the first."""
    return _each_choice(completion, _legacy_message)


def to_legacy_chunk(chunk: Json) -> Json:
    """The same for a chunk of a stream, whose tool calls are numbered: only number 0 is told of."""
    return _each_choice(chunk, _legacy_delta)


def _each_choice(body: Json, change: Callable[[Json], Json]) -> Json:
    before = body.get("choices") or []
    after = [change(choice) if isinstance(choice, dict) else choice for choice in before]
    return body if all(map(operator.is_, before, after)) else {**body, "choices": after}


def _legacy_message(choice: Json) -> Json:
    message = choice.get("message")
    if not isinstance(message, dict) or not (calls := message.get("tool_calls")):
        return choice
    return _finished({**choice, "message": _called(message, calls[0])})


def _legacy_delta(choice: Json) -> Json:
    delta = choice.get("delta")
    if isinstance(delta, dict) and (calls := delta.get("tool_calls")):
        first = next((call for call in calls if call.get("index") == 0), None)
        choice = {**choice, "delta": _called(delta, first)}
    return _finished(choice)


def _called(part: Json, call: Json | None) -> Json:
    rest = {field: value for field, value in part.items() if field != "tool_calls"}
    return rest if call is None else {**rest, "function_call": call.get("function")}


def _finished(choice: Json) -> Json:
    return (
        {**choice, "finish_reason": "function_call"}
        if choice.get("finish_reason") == "tool_calls"
        else choice
    )

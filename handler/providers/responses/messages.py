"""Converts chat messages to input items of OpenAI's Responses.

https://platform.openai.com/docs/api-reference/responses/create#responses-create-input
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from typing import Any

from handler.errors import Json
from handler.providers.responses.media import input_content
from handler.providers.responses.reasoning_details import reasoning_items
from handler.providers.unsupported import unsupported

# Of an assistant message. https://platform.openai.com/docs/guides/reasoning: it must come back.
PHASES = ("commentary", "final_answer")
_MAX_CALL_ID = 64  # characters
_MISSING_RESULT = "No result provided."


def input_items(messages: list[Json]) -> list[Json]:
    """Return the items. Each call has a result, and each result has a call. Raises Unsupported."""
    answered = {message["tool_call_id"] for message in messages if message["role"] == "tool"}
    outputs: dict[str, str] = {}  # the type of result of each call so far
    items: list[Json] = []
    for index, message in enumerate(messages):
        where = f"messages[{index}]"
        if message["role"] == "tool":
            items.append(_result(message, outputs, where))
        elif message["role"] == "assistant":
            items += _answer(message, outputs, answered, where)
        else:
            content = input_content(message.get("content"), where)
            items.append({"type": "message", "role": message["role"], "content": content})
    return items


def _answer(message: Json, outputs: dict[str, str], answered: set[str], where: str) -> Iterator[Json]:
    """Yield the items of an assistant message. Reasoning that nothing follows is left out: it is refused."""
    text = _text(message.get("content")) or _text(message.get("refusal"))
    calls = [
        _call(call, f"{where}.tool_calls[{at}]") for at, call in enumerate(message.get("tool_calls") or ())
    ]
    if text or calls:
        yield from reasoning_items(message)
    if text:
        phase = {name: message[name] for name in ("phase",) if message.get(name) in PHASES}
        yield {"type": "message", "role": "assistant", "content": text, **phase}
    yield from (item for _, item in calls)
    for id, item in calls:
        outputs[id] = f"{item['type']}_output"
        if id not in answered:
            yield {"type": outputs[id], "call_id": item["call_id"], "output": _MISSING_RESULT}


def _text(content: Any) -> str:
    """Return the text of an assistant's content. Reasoning in it, Mistral's, is left out."""
    if isinstance(content, list):
        return "".join(part.get("text") or part.get("refusal") or "" for part in content)
    return content if isinstance(content, str) else ""


def _call(call: Json, where: str) -> tuple[str, Json]:
    """Return the client's id of a call, and its item."""
    id: str = call["id"]
    match call:
        case {"custom": {"name": str(name), "input": str(text)}}:
            return id, {"type": "custom_tool_call", "call_id": _call_id(id), "name": name, "input": text}
        case {"function": {"name": str(name)} as function}:
            arguments = function.get("arguments") or "{}"
            return id, {
                "type": "function_call",
                "call_id": _call_id(id),
                "name": name,
                "arguments": arguments,
            }
    raise unsupported(where, "only calls of function and custom tools are supported")


def _result(message: Json, outputs: dict[str, str], where: str) -> Json:
    """Return the item of a tool's result. Without its call it becomes a message of the user."""
    id, output = message["tool_call_id"], input_content(message.get("content"), where)
    if id in outputs:
        return {"type": outputs[id], "call_id": _call_id(id), "output": output}
    parts = [{"type": "input_text", "text": output}] if isinstance(output, str) else output
    head = {"type": "input_text", "text": f"[tool result {id}]"}
    return {"type": "message", "role": "user", "content": [head, *parts]}


def _call_id(id: str) -> str:
    """Return the id, or a hash of one that is too long. A call and its result get the same one."""
    if 0 < len(id) <= _MAX_CALL_ID:
        return id
    return f"call_{sha256(id.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}"

"""Converts the messages of a Converse request to those of a chat.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Message.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from handler.errors import Json
from handler.formats.anthropic.reasoning import restore_reasoning
from handler.formats.anthropic.tools import decode_call_id
from handler.formats.converse.content import (
    add_parts,
    cache_mark,
    citation_text,
    content_of,
    member,
    require_bedrock,
)
from handler.formats.losses import Losses
from handler.wire.splice import dump


def chat_messages(body: Json, losses: Losses) -> list[Json]:
    messages = list(_system(body.get("system") or [], "system", losses))
    for at, message in enumerate(body["messages"]):
        messages += _ROLES[message["role"]](message["content"], f"messages[{at}].content", losses)
    return messages


def thinking_block(reasoning: Json) -> Json:
    """Return a block of reasoning as a thinking block, in which Sluice keeps what models need again."""
    match reasoning:
        case {"reasoningText": {"text": str(text)} as thinking}:
            return {"type": "thinking", "thinking": text, "signature": thinking.get("signature") or ""}
        case {"redactedContent": str(data)}:
            return {"type": "redacted_thinking", "data": data}
    return {"type": "unknown"}


def _system(blocks: list[Json], where: str, losses: Losses) -> Iterator[Json]:
    parts: list[Json] = []
    for index, block in enumerate(blocks):
        add_parts(parts, block, f"{where}[{index}]", losses)
    for part in parts:
        if part["type"] != "text":
            require_bedrock(losses, where, "instructions besides texts")
    if texts := [part for part in parts if part["type"] == "text"]:
        yield {"role": "system", "content": content_of(texts)}


def _user(blocks: list[Json], where: str, losses: Losses) -> Iterator[Json]:
    """Yield a message for each result of a tool, then one with the other blocks."""
    parts: list[Json] = []
    result: Json | None = None  # the block before this one
    results = 0
    for index, block in enumerate(blocks):
        name, value = member(block)
        if name == "cachePoint" and result is not None:
            result["cache_control"] = cache_mark(value)
            continue
        if result is not None:
            yield result
            result = None
        if name == "toolResult":
            result, results = _result(value, f"{where}[{index}]", losses), results + 1
        else:
            add_parts(parts, block, f"{where}[{index}]", losses)
    if result is not None:
        yield result
    if parts or not results:
        yield {"role": "user", "content": content_of(parts)}


def _result(result: Json, where: str, losses: Losses) -> Json:
    parts: list[Json] = []
    for index, block in enumerate(result["content"]):
        add_parts(parts, block, f"{where}.toolResult.content[{index}]", losses, result=True)
    return {
        "role": "tool",
        "tool_call_id": decode_call_id(result["toolUseId"]),
        "content": content_of(parts),
        **({"is_error": True} if result.get("status") == "error" else {}),
    }


def _assistant(blocks: list[Json], where: str, losses: Losses) -> Iterator[Json]:
    texts, calls, thinking = list[Json](), list[Json](), list[Json]()
    message: Json = {"role": "assistant"}
    for index, block in enumerate(blocks):
        match member(block):
            case (("text" | "citationsContent"), value):
                _add_text(texts, value if isinstance(value, str) else citation_text(value))
            case "reasoningContent", dict(reasoning):
                thinking.append(thinking_block(reasoning))
            case "toolUse", dict(call) if call.get("type") is None:
                calls.append(_call(call))
            case "cachePoint", dict(point):
                marked = message if calls else texts[-1] if texts else {}
                marked["cache_control"] = cache_mark(point)
            case "image", _:  # an answer's, which no chat takes back
                losses.drop("messages.content.image")
            case name, _:
                require_bedrock(losses, f"{where}[{index}].{name}", f"`{name}` here")
    message |= {"content": content_of(texts) or (None if calls else "")}
    if calls:
        message["tool_calls"] = calls
    restore_reasoning(message, thinking)
    yield message


def _add_text(texts: list[Json], text: str) -> None:
    """Add a text of an assistant. Neighbours become one, as the signatures of a text count its characters."""
    if not text:
        return
    if texts and "cache_control" not in texts[-1]:
        text = texts.pop()["text"] + text
    texts.append({"type": "text", "text": text})


def _call(call: Json) -> Json:
    function: dict[str, Any] = {"name": call["name"], "arguments": dump(call["input"])}
    return {"id": decode_call_id(call["toolUseId"]), "type": "function", "function": function}


_ROLES: Mapping[str, Callable[[list[Json], str, Losses], Iterator[Json]]] = {
    "system": _system,
    "user": _user,
    "assistant": _assistant,
}

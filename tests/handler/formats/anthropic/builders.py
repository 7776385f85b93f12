"""Builders of Messages requests and of chat answers, and a strict fold of the events of a message."""

from __future__ import annotations

import json
from typing import Any

from handler.errors import Json
from handler.formats.anthropic.format import MESSAGES
from handler.formats.chat.fields import check_chat
from handler.formats.chat.request import Chat, NativeRequest
from handler.settings import Settings
from handler.wire import sse

PNG = "iVBORw0KGgo="
USER: Json = {"role": "user", "content": "Hi"}
MARK: Json = {"cache_control": {"type": "ephemeral"}}


def request(*messages: Json, **fields: Any) -> Json:
    return {"model": "m", "max_tokens": 100, "messages": list(messages) or [USER], **fields}


def parse(body: Any, **headers: str) -> Chat:
    """Parse a request; its chat has to be valid."""
    chat = MESSAGES.parse(json.dumps(body).encode(), headers, Settings())
    check_chat(chat.body, max_n=8)
    return chat


def native(body: Json) -> NativeRequest:
    found = parse(body).native
    assert found is not None
    return found


def chat_of(*messages: Json, **fields: Any) -> Json:
    return parse(request(*messages, **fields)).body


def user(*blocks: Json) -> Json:
    return {"role": "user", "content": list(blocks)}


def assistant(*blocks: Json) -> Json:
    return {"role": "assistant", "content": list(blocks)}


def text(text: str, **more: Any) -> Json:
    return {"type": "text", "text": text, **more}


def tool_use(id: str = "toolu_1", name: str = "look", **input: Any) -> Json:
    return {"type": "tool_use", "id": id, "name": name, "input": input}


def tool_result(id: str = "toolu_1", **more: Any) -> Json:
    return {"type": "tool_result", "tool_use_id": id, **more}


def tool(name: str = "look", **more: Any) -> Json:
    return {"name": name, "input_schema": {"type": "object"}, **more}


def completion(finish_reason: str = "stop", *, usage: Json | None = None, **message: Any) -> Json:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish_reason}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "p/m",
        "choices": [choice],
        "usage": usage or {"prompt_tokens": 10, "completion_tokens": 3, "total_tokens": 13},
    }


def chunk(finish_reason: str | None = None, **delta: Any) -> Json:
    choices = [{"index": 0, "delta": delta, "finish_reason": finish_reason}]
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "p/m",
        "choices": choices,
    }


def call(id: str = "call_1", name: str = "look", arguments: str = "{}", **more: Any) -> Json:
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}, **more}


def pieces(*calls: Json) -> Json:
    """A chunk with pieces of calls."""
    return chunk(tool_calls=list(calls))


def piece(index: int, arguments: str) -> Json:
    return {"index": index, "function": {"arguments": arguments}}


def events_of(data: bytes) -> list[Json]:
    """Return the events, each with the type of its line `event:`."""
    decoder = sse.Decoder()
    found = [*decoder.feed(data), *decoder.close()]
    events = [json.loads(event.data) for event in found]
    assert [event.event for event in found] == [event["type"] for event in events]
    return events


def stream_events(chunks: list[Json], chat: Chat | None = None) -> list[Json]:
    encoder = MESSAGES.encoder(chat or parse(request(stream=True)))
    data = b"".join([*map(encoder.feed, chunks), encoder.close()])
    return events_of(data)


def fold(events: list[Json]) -> Json:
    """Return the message of a stream, as Anthropic's client accumulates it; the order has to be right."""
    assert [event["type"] for event in events[:2]] == ["message_start", "ping"]
    assert [event["type"] for event in events[-2:]] == ["message_delta", "message_stop"]
    message: Json = {**events[0]["message"], "content": []}
    open_input: list[str] | None = None  # of the block that is open
    for event in events[2:-2]:
        if event["type"] == "content_block_start":
            assert (open_input, event["index"]) == (None, len(message["content"]))
            message["content"].append(dict(event["content_block"]))
            open_input = []
        elif event["type"] == "content_block_delta":
            assert open_input is not None
            assert event["index"] == len(message["content"]) - 1
            _add(message["content"][-1], event["delta"], open_input)
        else:
            assert (event["type"], event["index"]) == ("content_block_stop", len(message["content"]) - 1)
            if open_input:
                message["content"][-1]["input"] = _input("".join(open_input))
            open_input = None
    assert open_input is None
    last = events[-2]
    return {
        **message,
        **last["delta"],
        "usage": last["usage"],
        **({"sluice": last["sluice"]} if "sluice" in last else {}),
    }


def _input(text: str) -> Json:
    """Return the input of a call; as a whole answer has it if it was cut off."""
    try:
        value: Json = json.loads(text)
    except ValueError:
        return {"_raw": text}
    return value


def _add(block: Json, delta: Json, open_input: list[str]) -> None:
    match delta:
        case {"type": "text_delta", "text": piece} if block["type"] == "text":
            block["text"] += piece
        case {"type": "citations_delta", "citation": citation} if block["type"] == "text":
            block.setdefault("citations", []).append(citation)
        case {"type": "thinking_delta", "thinking": piece} if block["type"] == "thinking":
            block["thinking"] += piece
        case {"type": "signature_delta", "signature": signature} if block["type"] == "thinking":
            block["signature"] = signature
        case {"type": "input_json_delta", "partial_json": piece} if block["type"] == "tool_use":
            open_input.append(piece)
        case _:
            raise AssertionError(delta)

"""Chats, answers and events of OpenAI's Responses."""

from __future__ import annotations

import json
from typing import Any

from handler.errors import Json
from handler.providers.responses.translator import Responses
from handler.providers.rows.responses import RESPONSES
from rules import load_catalog

PRO = "openai/gpt-5-pro"
NOW = 1764460800
TOOL: Json = {"type": "function", "function": {"name": "look"}}


def user(content: Any) -> Json:
    return {"role": "user", "content": content}


def request(chat: Json, model: str = PRO) -> tuple[Json, tuple[str, ...]]:
    """The body of a request, and the fields that were left out."""
    catalog, (provider, name) = load_catalog(), model.split("/", 1)
    found = catalog.pin(provider, name) or catalog.unlisted(provider, name)
    return Responses().request({"messages": [user("Hi")], **chat}, found, RESPONSES.quirks)


def items(*messages: Json) -> list[Json]:
    """The input items of these messages."""
    found: list[Json] = request({"messages": list(messages)})[0]["input"]
    return found


def response(*output: Json, **fields: Any) -> Json:
    """A whole answer."""
    return {
        "id": "resp_1",
        "created_at": NOW,
        "model": "m",
        "status": "completed",
        "output": [*output],
    } | fields


def message(text: str, **fields: Any) -> Json:
    part = {"type": "output_text", "text": text, "annotations": []}
    return {"type": "message", "id": "msg_1", "role": "assistant", "content": [part], **fields}


def call(name: Any = "look", arguments: Any = "{}", **fields: Any) -> Json:
    return {
        "type": "function_call",
        "id": "fc_1",
        "call_id": "call_1",
        "name": name,
        "arguments": arguments,
    } | fields


def completion(body: Json, **options: Any) -> Json:
    return Responses(clock=lambda: NOW).response(body, RESPONSES.quirks, **options)


CREATED: Json = {"type": "response.created", "response": {"id": "resp_1", "created_at": NOW, "model": "m"}}


def event(kind: str, index: int = 0, **fields: Any) -> Json:
    return {"type": f"response.{kind}", "output_index": index, **fields}


def text_delta(text: str, index: int = 0, **fields: Any) -> Json:
    return event("output_text.delta", index, delta=text, **fields)


def completed(*output: Json, **fields: Any) -> Json:
    return {"type": "response.completed", "response": response(*output, **fields)}


def chunks(*events: Json | str, legacy: bool = False) -> list[Json]:
    decoder = Responses(clock=lambda: NOW).stream(RESPONSES.quirks, legacy=legacy, model="asked")
    data = [one if isinstance(one, str) else json.dumps(one) for one in events]
    return [*(chunk for one in data for chunk in decoder.feed(one)), *decoder.close()]


def deltas(*events: Json | str) -> list[Json]:
    """The deltas of a stream that say something, without the role."""
    found = [choice["delta"] for chunk in chunks(*events) for choice in chunk["choices"]]
    return [delta for delta in found if delta and "role" not in delta]


def finish(*events: Json | str) -> Any:
    found = [choice["finish_reason"] for chunk in chunks(*events) for choice in chunk["choices"]]
    return found[-1]

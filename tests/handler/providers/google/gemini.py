"""Builds chats and Gemini's answers, and translates them."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from handler.errors import Json, UpstreamError
from handler.providers.google.translator import Google
from handler.providers.provider import Quirks
from handler.providers.quirks.model_rules import PLACEHOLDER_SIGNATURE
from handler.providers.rows.builtin import PROVIDERS
from rules import Model, load_catalog
from rules.catalog.catalog import unlisted_model

QUIRKS = PROVIDERS["gemini"].quirks
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n and so on").decode()
SIGNATURE = base64.b64encode(b"an encrypted thought").decode()
HELLO: list[Json] = [{"role": "user", "content": "Hello"}]
TOOL: Json = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
OTHER: Json = {"type": "function", "function": {"name": "2see"}}
FORMAT = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}


def model(name: str = "gemini-3.5-flash") -> Model:
    return load_catalog().get("gemini", name) or unlisted_model("gemini", name)


def translate(chat: Json, name: str = "gemini-3.5-flash", quirks: Quirks = QUIRKS) -> tuple[Json, list[str]]:
    """The request, and the parameters that were dropped. The chat must not change."""
    before = json.dumps(chat)
    body, dropped = Google().request({"messages": HELLO, **chat}, model(name), quirks)
    assert json.dumps(chat) == before
    return body, list(dropped)


def contents(*messages: Json, name: str = "gemini-3.5-flash") -> list[Json]:
    found: list[Json] = translate({"messages": list(messages)}, name)[0]["contents"]
    return found


def refusal_of(chat: Json, name: str = "gemini-3.5-flash") -> UpstreamError:
    with pytest.raises(UpstreamError) as raised:
        translate(chat, name)
    assert raised.value.failure_class == "invalid_request"
    assert raised.value.status == 400
    return raised.value


def from_user(*parts: Json) -> Json:
    return {"role": "user", "parts": list(parts)}


def from_model(*parts: Json) -> Json:
    return {"role": "model", "parts": list(parts)}


def text(words: str) -> Json:
    return {"text": words}


def message(role: str, content: Any = None, **more: Any) -> Json:
    return {"role": role, "content": content, **more}


def chat_part(kind: str, **value: str) -> Json:
    return {"type": kind, kind: value}


def tool_call(id: str, name: str = "look", arguments: Any = "{}", **more: Any) -> Json:
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}, **more}


def assistant(*calls: Json, content: Any = None) -> Json:
    return message("assistant", content, tool_calls=list(calls))


def tool_result(id: str, content: Any = "ok") -> Json:
    return message("tool", content, tool_call_id=id)


def function_call(
    id: str, name: str = "look", *, args: Json | None = None, signature: str | None = PLACEHOLDER_SIGNATURE
) -> Json:
    part: Json = {"functionCall": {"id": id, "name": name, "args": args or {}}}
    return part if signature is None else {**part, "thoughtSignature": signature}


def function_response(id: str, response: Json, name: str = "look", **more: Any) -> Json:
    return {"functionResponse": {"id": id, "name": name, "response": response, **more}}


def response(*parts: Json, finish: str | None = "STOP", **more: Any) -> Json:
    candidate = {"content": {"parts": list(parts), "role": "model"}, "finishReason": finish}
    return {"candidates": [candidate], "responseId": "r", "modelVersion": "m", **more}


def choice_of(body: Json) -> Json:
    (found,) = Google().response(body, QUIRKS)["choices"]
    return dict(found)


def chunks_of(*events: Json) -> list[Json]:
    decoder = Google().stream(QUIRKS)
    return [*(chunk for event in events for chunk in decoder.feed(json.dumps(event))), *decoder.close()]

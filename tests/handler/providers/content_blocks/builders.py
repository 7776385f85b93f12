"""Builders of chat messages, of content blocks, and of requests to models of Anthropic."""

from __future__ import annotations

from typing import Any

from handler.errors import Json
from handler.providers.anthropic.translator import Anthropic
from handler.providers.provider import Quirks
from rules import Model, load_catalog
from rules.catalog.catalog import unlisted_model

NEWEST, FORCEABLE, OLDER = "claude-opus-5-5", "claude-haiku-5-5", "claude-opus-4-6"
BUDGET = "claude-haiku-4-5"
SUMMARIZED = {"type": "adaptive", "display": "summarized"}
TOOL: Json = {
    "type": "function",
    "function": {"name": "look", "parameters": {"type": "object", "properties": {}}},
}
FORCED_CHOICE = {"type": "function", "function": {"name": "look"}}


def model(name: str) -> Model:
    return load_catalog().pin("anthropic", name) or unlisted_model("anthropic", name)


def request(chat: Json, name: str = FORCEABLE) -> tuple[Json, tuple[str, ...]]:
    return Anthropic().request({"messages": [user("Hi")], **chat}, model(name), Quirks())


def turns(*messages: Json, name: str = FORCEABLE, **chat: Any) -> list[tuple[str, Any]]:
    """Return role and content of each turn that is sent. The content of a turn of one text is that text."""
    sent = request({"messages": list(messages), **chat}, name)[0]
    return [(turn["role"], _simplify(turn["content"])) for turn in sent["messages"]]


def _simplify(blocks: list[Json]) -> Any:
    return blocks[0]["text"] if len(blocks) == 1 and blocks[0].keys() == {"type", "text"} else blocks


def user(content: Any, **more: Any) -> Json:
    return {"role": "user", "content": content, **more}


def assistant(content: Any = None, *calls: Json, **more: Any) -> Json:
    return {"role": "assistant", "content": content, **({"tool_calls": list(calls)} if calls else {}), **more}


def call(id: str, arguments: Any = "{}", name: str = "look") -> Json:
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


def tool_message(id: str, content: Any = "ok", **more: Any) -> Json:
    return {"role": "tool", "tool_call_id": id, "content": content, **more}


def text(content: str) -> Json:
    return {"type": "text", "text": content}


def tool_use(id: str, input: Json | None = None, name: str = "look") -> Json:
    return {"type": "tool_use", "id": id, "name": name, "input": input or {}}


def tool_result(id: str, **fields: Any) -> Json:
    return {"type": "tool_result", "tool_use_id": id, **fields}

"""Builders of requests to models of Bedrock."""

from __future__ import annotations

from typing import Any

import pytest

from handler.errors import Json, UpstreamError
from handler.providers.bedrock.translator import Bedrock
from handler.providers.provider import Quirks
from rules import Model, load_catalog
from rules.catalog.catalog import unlisted_model
from tests.handler.providers.content_blocks.builders import user

NOVA, NOVA2 = "amazon.nova-lite-v1:0", "us.amazon.nova-2-lite-v1:0"
CLAUDE, BUDGET = "us.anthropic.claude-sonnet-4-6", "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
MISTRAL, LLAMA, GPT = (
    "mistral.mistral-large-2407-v1:0",
    "meta.llama3-3-70b-instruct-v1:0",
    "us.openai.gpt-5.4",
)


def model(name: str) -> Model:
    return load_catalog().pin("bedrock", name) or unlisted_model("bedrock", name)


def request(chat: Json, name: str = NOVA) -> tuple[Json, tuple[str, ...]]:
    return Bedrock().request({"messages": [user("Hi")], **chat}, model(name), Quirks())


def messages(*chat_messages: Json, name: str = NOVA, **chat: Any) -> list[Any]:
    """Return role and content of each message that is sent."""
    sent = request({"messages": list(chat_messages), **chat}, name)[0]["messages"]
    return [(one["role"], one["content"]) for one in sent]


def function_tool(name: str = "look", **more: Any) -> Json:
    return {"type": "function", "function": {"name": name, **more}}


def refusal(chat: Json, name: str = NOVA) -> UpstreamError:
    with pytest.raises(UpstreamError) as raised:
        request(chat, name)
    assert (raised.value.failure_class, raised.value.status) == ("invalid_request", 400)
    assert raised.value.code == "unsupported_parameter"
    return raised.value

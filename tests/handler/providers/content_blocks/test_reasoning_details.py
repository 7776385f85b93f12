"""Thinking that a client sends back."""

from __future__ import annotations

import pytest

from handler.errors import Json
from tests.handler.providers.content_blocks.builders import (
    BUDGET,
    NEWEST,
    TOOL,
    assistant,
    call,
    request,
    tool_message,
    tool_use,
    user,
)

DETAIL = {
    "type": "reasoning.text",
    "text": "Hm.",
    "signature": "s",
    "format": "anthropic-claude-v1",
    "index": 0,
}
THINKING = {"type": "thinking", "thinking": "Hm.", "signature": "s"}
REDACTED = {"type": "reasoning.encrypted", "data": "d", "format": "anthropic-claude-v1", "index": 1}


@pytest.mark.parametrize(
    ("name", "message", "expected"),
    [
        pytest.param(
            NEWEST,
            {"reasoning_details": [DETAIL, REDACTED]},
            [THINKING, {"type": "redacted_thinking", "data": "d"}],
            id="items of reasoning_details",
        ),
        pytest.param(NEWEST, {"thinking_blocks": [THINKING]}, [THINKING], id="blocks of Anthropic's"),
        pytest.param(
            NEWEST, {"reasoning_details": [{**DETAIL, "model": NEWEST}]}, [THINKING], id="of this model"
        ),
        pytest.param(
            BUDGET,
            {"reasoning_details": [{**DETAIL, "model": "claude-haiku-4-5-20251001"}]},
            [THINKING],
            id="of this model with a date",
        ),
        pytest.param(
            NEWEST, {"reasoning_details": [{**DETAIL, "model": "claude-opus-5"}]}, [], id="of another model"
        ),
        pytest.param(
            NEWEST,
            {"reasoning_details": [{**DETAIL, "format": "google-gemini-v1"}]},
            [],
            id="of another provider",
        ),
        pytest.param(
            NEWEST,
            {"reasoning_details": [{"type": "reasoning.text", "text": "Hm."}]},
            [],
            id="without a signature",
        ),
        pytest.param(NEWEST, {"reasoning_content": "Hm."}, [], id="only reasoning_content"),
    ],
)
def test_thinking_that_a_client_sends_back(name: str, message: Json, expected: list[Json]) -> None:
    messages = [user("A"), assistant(None, call("1"), **message), tool_message("1")]
    sent, _ = request({"messages": messages, "tools": [TOOL], "reasoning_effort": "high"}, name)
    assert sent["messages"][1]["content"] == [*expected, tool_use("1")]
    assert ("thinking" in sent) == (name == NEWEST or bool(expected))

"""Answers of Anthropic's that are sent back, and all its captured requests."""

from __future__ import annotations

import json
from itertools import pairwise

from handler.errors import Json
from tests.handler.providers.content_blocks.builders import (
    TOOL,
    request,
    user,
)
from tests.handler.providers.wire_cases import WIRE, completion_of, read_file


def test_an_answer_that_is_sent_back_becomes_the_same_blocks() -> None:
    for case in WIRE.glob("anthropic/*/whole.json"):
        body = json.loads(case.read_text(encoding="utf-8"))
        kinds = ("thinking", "redacted_thinking", "text", "tool_use")
        received = [one for one in body["content"] if one["type"] in kinds]
        if not received or read_file(case.parent, "about.json").get("legacy"):
            continue
        message = completion_of(case.parent)["choices"][0]["message"]
        chat = {"messages": [user("A"), message, user("B")], "tools": [TOOL], "reasoning_effort": "high"}
        sent = request(chat, body["model"])[0]["messages"][1]["content"]
        assert of_type("tool_use", sent) == of_type("tool_use", received)
        assert "".join(one.get("text", "") for one in sent) == "".join(
            one.get("text", "") for one in received
        )
        if "thinking" in request(chat, body["model"])[0]:
            assert of_type("thinking", sent) == of_type("thinking", received)


def of_type(name: str, blocks: list[Json]) -> list[Json]:
    return [one for one in blocks if name in one["type"]]


def test_roles_alternate_in_every_captured_request() -> None:
    for case in WIRE.glob("anthropic/*/request.json"):
        roles = [turn["role"] for turn in json.loads(case.read_text(encoding="utf-8"))["messages"]]
        assert roles[0] == "user"
        assert all(one != other for one, other in pairwise(roles))

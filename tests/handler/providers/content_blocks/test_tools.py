"""Tools, the choice of a tool, custom tools and strict tools."""

from __future__ import annotations

from typing import Any

import pytest

from handler.errors import Json
from handler.providers.content_blocks.names import encode_name
from tests.handler.providers.content_blocks.builders import (
    FORCED_CHOICE,
    NEWEST,
    TOOL,
    assistant,
    call,
    request,
    tool_message,
    tool_use,
    user,
)


def test_tools_called_in_the_history_are_declared_and_forbidden() -> None:
    sent, _ = request({"messages": [user("A"), assistant(None, call("1")), tool_message("1")]})
    assert sent["tools"] == [{"name": "look", "input_schema": {"type": "object", "properties": {}}}]
    assert sent["tool_choice"] == {"type": "none"}


@pytest.mark.parametrize(
    ("chat", "choice"),
    [
        pytest.param({}, None, id="no choice"),
        pytest.param({"tool_choice": "auto"}, None, id="auto is the default and left out"),
        pytest.param({"tool_choice": "none"}, {"type": "none"}, id="none keeps the tools"),
        pytest.param({"tool_choice": "required"}, {"type": "any"}, id="required"),
        pytest.param({"tool_choice": FORCED_CHOICE}, {"type": "tool", "name": "look"}, id="a function"),
        pytest.param(
            {"parallel_tool_calls": False},
            {"type": "auto", "disable_parallel_tool_use": True},
            id="parallel_tool_calls requires a choice",
        ),
        pytest.param(
            {"tool_choice": "none", "parallel_tool_calls": False},
            {"type": "none"},
            id="none excludes disable_parallel_tool_use",
        ),
        pytest.param(
            {
                "tool_choice": {
                    "type": "allowed_tools",
                    "allowed_tools": {"mode": "required", "tools": [FORCED_CHOICE]},
                }
            },
            {"type": "any"},
            id="allowed tools",
        ),
    ],
)
def test_tool_choice(chat: Json, choice: Json | None) -> None:
    sent, dropped = request({"tools": [TOOL], **chat})
    assert sent.get("tool_choice") == choice
    assert [tool["name"] for tool in sent["tools"]] == ["look"]
    assert dropped == ()


@pytest.mark.parametrize("choice", ["required", FORCED_CHOICE])
def test_a_model_that_cannot_be_forced_to_call_is_instructed_to(choice: Any) -> None:
    other = {"type": "function", "function": {"name": "other"}}
    sent, dropped = request({"tools": [TOOL, other], "tool_choice": choice}, NEWEST)
    assert "tool_choice" not in sent
    assert len(sent["tools"]) == (2 if choice == "required" else 1)
    assert "tool" in sent["system"][-1]["text"]
    assert dropped == ("tool_choice",)


def test_a_strict_tool_gets_a_supported_schema() -> None:
    function = {
        "name": "f",
        "strict": True,
        "parameters": {"properties": {"a": {"type": "integer", "minimum": 1}}},
    }
    sent, _ = request({"tools": [{"type": "function", "function": function}]})
    assert sent["tools"] == [
        {
            "name": "f",
            "input_schema": {
                "properties": {"a": {"type": "integer", "description": "(minimum: 1)"}},
                "type": "object",
                "additionalProperties": False,
            },
            "strict": True,
        }
    ]


CUSTOM = {
    "type": "custom",
    "custom": {
        "name": "sql",
        "format": {"type": "grammar", "grammar": {"syntax": "lark", "definition": "start: x"}},
    },
}


def test_a_custom_tool_receives_its_text_in_an_object() -> None:
    custom_call = {"id": "1", "type": "custom", "custom": {"name": "sql", "input": "select 1"}}
    sent, _ = request(
        {"tools": [CUSTOM], "messages": [user("A"), assistant(None, custom_call), tool_message("1")]}
    )
    assert sent["tools"][0]["name"] == encode_name("sql", custom=True)
    assert "start: x" in sent["tools"][0]["description"]
    assert sent["messages"][1]["content"] == [
        tool_use("1", {"input": "select 1"}, encode_name("sql", custom=True))
    ]

"""Tools, the choice of a tool, and the ids of calls."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.errors import Json
from handler.formats.anthropic.tools import decode_call_id, encode_call_id
from tests.handler.formats.anthropic.builders import MARK, chat_of, native, request, tool

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}

TOOLS = [
    pytest.param({"name": "f"}, {"function": {"name": "f"}}, id="only a name"),
    pytest.param(
        {"type": "custom", "name": "f", "description": "d", "input_schema": SCHEMA, "strict": True},
        {"function": {"name": "f", "description": "d", "parameters": SCHEMA, "strict": True}},
        id="everything that a chat has",
    ),
    pytest.param({"name": "f", **MARK}, {"function": {"name": "f"}, **MARK}, id="a mark"),
    pytest.param(
        {"name": "f", "defer_loading": True, "eager_input_streaming": True, "allowed_callers": ["direct"]},
        {"function": {"name": "f"}},
        id="how Anthropic loads and streams it",
    ),
]


@pytest.mark.parametrize(("given_tool", "expected"), TOOLS)
def test_a_tool_becomes_a_function(given_tool: Json, expected: Json) -> None:
    assert chat_of(tools=[given_tool])["tools"] == [{"type": "function", **expected}]


CHOICES = [
    pytest.param({"type": "auto"}, {"tool_choice": "auto"}, id="auto"),
    pytest.param({"type": "any"}, {"tool_choice": "required"}, id="any"),
    pytest.param({"type": "none"}, {"tool_choice": "none"}, id="none"),
    pytest.param(
        {"type": "tool", "name": "look"},
        {"tool_choice": {"type": "function", "function": {"name": "look"}}},
        id="one tool",
    ),
    pytest.param(
        {"type": "auto", "disable_parallel_tool_use": True},
        {"tool_choice": "auto", "parallel_tool_calls": False},
        id="one call at a time",
    ),
    pytest.param(
        {"type": "any", "disable_parallel_tool_use": False}, {"tool_choice": "required"}, id="many calls"
    ),
]


@pytest.mark.parametrize(("choice", "expected"), CHOICES)
def test_the_choice_of_a_tool(choice: Json, expected: Json) -> None:
    chat = chat_of(tools=[tool()], tool_choice=choice)
    assert {name: chat[name] for name in ("tool_choice", "parallel_tool_calls") if name in chat} == expected


def test_without_a_search_for_tools_the_chat_has_them_all() -> None:
    search = {"type": "tool_search_tool_regex_20251119", "name": "tool_search_tool_regex"}
    found = native(request(tools=[search, tool("a", defer_loading=True)]))
    assert (found.only, found.dropped) == (None, ("tools.tool_search_tool",))
    assert len(chat_of(tools=[search, tool("a", defer_loading=True)])["tools"]) == 1


@given(st.text())
def test_every_id_is_made_valid_and_restored(id: str) -> None:
    encoded = encode_call_id(id)
    assert re.fullmatch(r"[a-zA-Z0-9_-]+", encoded)
    assert decode_call_id(encoded) == id


@pytest.mark.parametrize("id", ["toolu_01A", "call_x-1", "123456789"])
def test_a_valid_id_stays(id: str) -> None:
    assert encode_call_id(id) == decode_call_id(id) == id


@pytest.mark.parametrize(
    "id", ["sluice_!", "sluice_A", "sluice_YQ=", "sluice_\u00e9", "sluice_", "sluice_YQ"]
)
def test_an_id_that_only_looks_encoded(id: str) -> None:
    assert decode_call_id(id) == ("" if id == "sluice_" else id)
    assert decode_call_id(encode_call_id(id)) == id

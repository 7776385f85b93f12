"""Requests to /chat/completions in the shapes of other formats, and what they are taken for."""

from __future__ import annotations

import json
from typing import Any

import pytest

from handler.errors import InvalidRequest
from handler.formats.chat.fields import check_chat
from handler.formats.foreign_shapes import as_chat, parse_chat
from handler.settings import read_settings

SETTINGS = read_settings({})
SCHEMA = {"type": "object", "properties": {"path": {"type": "string"}}}
HI = [{"role": "user", "content": "hi"}]
READ = {"type": "function", "function": {"name": "read", "description": "Reads.", "parameters": SCHEMA}}


def chat(**fields: Any) -> dict[str, Any]:
    return as_chat({"messages": HI, **fields})


@pytest.mark.parametrize(
    ("tool", "expected"),
    [
        pytest.param(READ, READ, id="a tool of a chat"),
        pytest.param(
            {"type": "function", "name": "read", "description": "Reads.", "parameters": SCHEMA},
            READ,
            id="a flat function, as Responses has it",
        ),
        pytest.param(
            {"name": "read", "description": "Reads.", "input_schema": SCHEMA},
            READ,
            id="a tool of Anthropic's without a type",
        ),
        pytest.param(
            {"type": "custom", "name": "read", "description": "Reads.", "input_schema": SCHEMA},
            READ,
            id="a tool of Anthropic's with its type",
        ),
        pytest.param(
            {"type": "function", "name": "read", "strict": True, "parameters": None},
            {"type": "function", "function": {"name": "read", "strict": True}},
            id="a flat function without parameters",
        ),
        pytest.param(
            {"name": "read", "input_schema": SCHEMA, "cache_control": {"type": "ephemeral"}},
            {
                "type": "function",
                "function": {"name": "read", "parameters": SCHEMA},
                "cache_control": {"type": "ephemeral"},
            },
            id="a cache mark stays",
        ),
        pytest.param(
            {"type": "custom", "name": "patch", "format": {"type": "text"}},
            {"type": "custom", "custom": {"name": "patch"}},
            id="a flat custom tool",
        ),
        pytest.param(
            {
                "type": "custom",
                "name": "patch",
                "format": {"type": "grammar", "syntax": "lark", "definition": "start: A"},
            },
            {
                "type": "custom",
                "custom": {
                    "name": "patch",
                    "format": {"type": "grammar", "grammar": {"syntax": "lark", "definition": "start: A"}},
                },
            },
            id="a flat custom tool with a grammar",
        ),
        pytest.param({"type": "web_search"}, {"type": "web_search"}, id="a tool of a provider's own"),
    ],
)
def test_tools(tool: Any, expected: Any) -> None:
    assert chat(tools=[tool])["tools"] == [expected]


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        pytest.param("auto", "auto", id="a text"),
        pytest.param({}, {}, id="an empty object"),
        pytest.param({"type": "auto"}, "auto", id="auto as an object"),
        pytest.param({"type": "any"}, "required", id="any as an object"),
        pytest.param({"type": "none"}, "none", id="none as an object"),
        pytest.param(
            {"type": "tool", "name": "read"},
            {"type": "function", "function": {"name": "read"}},
            id="a tool by Anthropic's name",
        ),
        pytest.param(
            {"type": "function", "name": "read"},
            {"type": "function", "function": {"name": "read"}},
            id="a flat function",
        ),
        pytest.param(
            {"type": "function", "function": {"name": "read"}},
            {"type": "function", "function": {"name": "read"}},
            id="a function of a chat",
        ),
    ],
)
def test_choices(choice: Any, expected: Any) -> None:
    assert chat(tools=[READ], tool_choice=choice)["tool_choice"] == expected


def test_messages_with_blocks_of_anthropics_are_translated_and_the_others_stay() -> None:
    system = {"role": "system", "content": "Be brief."}
    found = as_chat(
        {
            "messages": [
                system,
                {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://a/b.png"}}]},
                {
                    "role": "assistant",
                    "content": [
                        {"type": "text", "text": "I read it."},
                        {"type": "tool_use", "id": "toolu_1", "name": "read", "input": {"path": "a"}},
                    ],
                },
                {
                    "role": "user",
                    "content": [
                        {"type": "tool_result", "tool_use_id": "toolu_1", "content": "A", "is_error": True},
                        {"type": "text", "text": "go on"},
                    ],
                },
                {"role": "assistant", "content": "Done."},
            ],
            "tools": [{"name": "read", "input_schema": SCHEMA}],
        }
    )
    check_chat(found, max_n=8)
    assert found["messages"][0] is system
    assert [message["role"] for message in found["messages"]] == [
        *("system", "user", "assistant", "tool", "user", "assistant")
    ]
    call = found["messages"][2]["tool_calls"][0]
    assert (call["id"], json.loads(call["function"]["arguments"])) == ("toolu_1", {"path": "a"})
    assert found["messages"][3]["tool_call_id"] == "toolu_1"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"messages": HI}, id="a chat"),
        pytest.param({"messages": HI, "tools": [READ], "tool_choice": "auto"}, id="with tools"),
        pytest.param({"messages": "hi", "tools": 1, "tool_choice": {"type": 1}}, id="of wrong types"),
        pytest.param({"messages": [1, None, {"content": [1, {"type": 2}]}], "tools": [None]}, id="of junk"),
        pytest.param(
            {"messages": [{"role": "assistant", "content": [{"type": "thinking", "thinking": []}]}]},
            id="with thinking as Mistral has it",
        ),
    ],
)
def test_any_other_body_is_the_same_object(body: dict[str, Any]) -> None:
    assert as_chat(body) is body


def parsed(body: Any) -> Any:
    return parse_chat(json.dumps(body).encode(), {}, SETTINGS)


def test_the_text_of_a_chat_stays_and_that_of_another_shape_is_written_anew() -> None:
    assert parsed({"messages": HI}).text == json.dumps({"messages": HI})
    found = parsed({"messages": HI, "tool_choice": {"type": "auto"}, "tools": [READ]})
    assert json.loads(found.text) == found.body


def test_a_body_of_responses_becomes_a_chat_without_stored_state() -> None:
    found = parsed({"model": "m", "input": "hi", "instructions": "Be brief.", "stream": True})
    assert [message["content"] for message in found.body["messages"]] == ["Be brief.", "hi"]
    assert found.native.dialect == "responses"
    with pytest.raises(InvalidRequest) as error:
        parsed({"model": "m", "input": "hi", "previous_response_id": "resp_1"})
    assert error.value.param == "previous_response_id"


@pytest.mark.parametrize(
    ("block", "param"),
    [
        pytest.param(
            {"type": "tool_use", "id": "a"}, "messages[1].content[0].name", id="a call without a name"
        ),
        pytest.param(
            {"type": "tool_use", "id": "a", "name": "b", "input": {}, "caller": 1},
            None,
            id="an unknown member is no fault",
        ),
    ],
)
def test_a_malformed_block_is_named_by_its_path(block: Any, param: str | None) -> None:
    body = {"messages": [*HI, {"role": "assistant", "content": [block]}]}
    if param is None:
        assert parsed(body)
        return
    with pytest.raises(InvalidRequest) as error:
        parsed(body)
    assert error.value.param == param


def test_a_block_that_a_chat_cannot_say_is_refused_by_name() -> None:
    source = {"type": "file", "file_id": "file_1"}
    with pytest.raises(InvalidRequest) as error:
        parsed({"messages": [{"role": "user", "content": [{"type": "document", "source": source}]}]})
    assert error.value.code == "unsupported_parameter"
    assert error.value.param == "messages[0].content[0].source.type"

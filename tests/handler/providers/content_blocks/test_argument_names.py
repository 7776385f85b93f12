"""Argument names that Claude refuses are encoded in tools and in the history, and decoded in answers."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.errors import Json, UpstreamError
from handler.providers.anthropic.translator import Anthropic
from handler.providers.content_blocks.names import (
    decode_arguments,
    decode_name,
    encode_name,
    mark_arguments_encoded,
)
from handler.providers.content_blocks.schema import PROPERTY_NAME
from handler.providers.provider import Quirks
from handler.providers.registry import TRANSLATORS
from rules import Model
from tests.handler.providers.wire_cases import fold

PROPERTIES = {"$filter": {"type": "string"}, "first name": {"type": "string"}, "ü_x2e_": {"type": "null"}}
QUERY = {
    "type": "function",
    "function": {
        "name": "query",
        "parameters": {"type": "object", "properties": PROPERTIES, "required": ["$filter"]},
    },
}
LOOK = {"type": "function", "function": {"name": "look", "parameters": {"properties": {"a.b-c": {}}}}}
ARGUMENTS = {"$filter": "a_x2e_b", "first name": "$filter", "other": {"$filter": 1}}
MODEL = Model(provider="anthropic", name="claude-haiku-4-5", can=frozenset({"tools", "json_schema"}))


def sent(**fields: Any) -> Json:
    body: Json = {"messages": [{"role": "user", "content": "Hi"}], "tools": [QUERY, LOOK], **fields}
    return Anthropic().request(body, MODEL, Quirks())[0]


def test_only_argument_names_that_are_refused_are_encoded() -> None:
    query, look = sent()["tools"]
    assert query["name"] == "_xan_query"
    assert [decode_name(name)[0] for name in query["input_schema"]["properties"]] == list(PROPERTIES)
    assert all(map(PROPERTY_NAME.fullmatch, query["input_schema"]["properties"]))
    assert [decode_name(name)[0] for name in query["input_schema"]["required"]] == ["$filter"]
    assert (look["name"], look["input_schema"]["properties"]) == ("look", {"a.b-c": {}})


def test_the_choice_and_the_history_use_the_encoded_names() -> None:
    call = {"id": "1", "type": "function", "function": {"name": "query", "arguments": json.dumps(ARGUMENTS)}}
    history = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "1", "content": "ok"},
    ]
    body = sent(messages=history, tool_choice={"type": "function", "function": {"name": "query"}})
    assert body["tool_choice"] == {"type": "tool", "name": "_xan_query"}
    (use,) = body["messages"][1]["content"]
    assert use["name"] == "_xan_query"
    assert use["input"] == {encode_name(name): value for name, value in ARGUMENTS.items()}


@pytest.mark.parametrize("dialect", ["anthropic", "bedrock"])
def test_an_answer_has_the_clients_names(dialect: str) -> None:
    name, input = (
        mark_arguments_encoded("query"),
        {encode_name(name): value for name, value in ARGUMENTS.items()},
    )
    whole: dict[str, Json] = {
        "anthropic": {
            "id": "m",
            "model": "m",
            "content": [{"type": "tool_use", "id": "1", "name": name, "input": input}],
            "stop_reason": "tool_use",
        },
        "bedrock": {
            "output": {
                "message": {"content": [{"toolUse": {"toolUseId": "1", "name": name, "input": input}}]}
            },
            "stopReason": "tool_use",
        },
    }
    (choice,) = TRANSLATORS[dialect].response(whole[dialect], Quirks())["choices"]
    (call,) = choice["message"]["tool_calls"]
    assert call["function"]["name"] == "query"
    assert json.loads(call["function"]["arguments"]) == ARGUMENTS


@given(st.integers(1, 9))
def test_a_stream_has_the_clients_names(cut: int) -> None:
    text = json.dumps({encode_name(name): value for name, value in ARGUMENTS.items()})
    start = {"type": "tool_use", "id": "1", "name": mark_arguments_encoded("query"), "input": {}}
    pieces = [text[at : at + cut] for at in range(0, len(text), cut)]
    events: list[Json] = [
        {"type": "message_start", "message": {"id": "m", "model": "m", "usage": {}}},
        {"type": "content_block_start", "index": 0, "content_block": start},
        *(
            {
                "type": "content_block_delta",
                "index": 0,
                "delta": {"type": "input_json_delta", "partial_json": piece},
            }
            for piece in pieces
        ),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {}},
        {"type": "message_stop"},
    ]
    decoder = Anthropic().stream(Quirks())
    chunks = [chunk for event in events for chunk in decoder.feed(json.dumps(event))] + list(decoder.close())
    (call,) = fold(chunks)["choices"][0]["message"]["tool_calls"].values()
    assert call["function"]["name"] == "query"
    assert json.loads(call["function"]["arguments"]) == ARGUMENTS


@given(st.dictionaries(st.text(), st.integers() | st.text()))
def test_every_argument_name_decodes_to_itself(arguments: Json) -> None:
    encoded = json.dumps({encode_name(name): value for name, value in arguments.items()})
    assert json.loads(decode_arguments(encoded)) == arguments


@pytest.mark.parametrize("text", ["", "{", "[1]", "3", '{"a": 1e999}'])
def test_arguments_that_are_not_an_object_are_unchanged(text: str) -> None:
    assert decode_arguments(text) == text


@pytest.mark.parametrize("name", ["", "$" * 20, "a" * 65])
def test_a_name_that_cannot_be_encoded_is_refused(name: str) -> None:
    parameters = {"type": "object", "properties": {name: {}}}
    tool = {"type": "function", "function": {"name": "query", "parameters": parameters}}
    with pytest.raises(UpstreamError) as raised:
        sent(tools=[tool])
    assert raised.value.code == "unsupported_parameter"

"""Requests that are refused: the error names the field. Nothing that a client sends raises anything else."""

from __future__ import annotations

import json
from copy import deepcopy
from random import Random
from typing import Any

import pytest

from handler.errors import InvalidRequest, Json
from handler.formats.chat.fields import check_chat
from handler.formats.responses.format import RESPONSES
from handler.settings import Settings
from tests.handler.formats.responses.requests import FUNCTION, USER, parse, random_request

CALL = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"}


def refusal(**fields: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        parse(**fields)
    return caught.value


NEEDS_A_STORE: dict[str, tuple[str, Any]] = {
    "an earlier response": ("previous_response_id", "resp_1"),
    "a conversation": ("conversation", {"id": "conv_1"}),
    "a stored prompt": ("prompt", {"id": "pmpt_1"}),
    "an answer to be fetched later": ("background", True),
}


@pytest.mark.parametrize("case", NEEDS_A_STORE)
def test_what_needs_a_store_is_refused_with_an_alternative(case: str) -> None:
    name, value = NEEDS_A_STORE[case]
    error = refusal(**{name: value})
    assert (error.code, error.param) == ("unsupported_parameter", name)
    assert "Sluice" in error.message


def test_a_reference_is_refused_with_an_alternative() -> None:
    for item in ({"type": "item_reference", "id": "msg_1"}, {"id": "msg_1"}):
        error = refusal(input=[USER, item])
        assert (error.code, error.param) == ("unsupported_parameter", "input[1]")
        assert "send the item itself" in error.message


WRONG: dict[str, tuple[Json, str]] = {
    "no input": ({"input": None}, "input"),
    "an input that is a number": ({"input": 1}, "input"),
    "an empty input": ({"input": []}, "input"),
    "an item that is text": ({"input": ["hi"]}, "input[0]"),
    "an item without a type": ({"input": [{"content": "hi"}]}, "input[0].type"),
    "an item whose type is a list": ({"input": [{"type": ["message"]}]}, "input[0].type"),
    "an unknown role": ({"input": [{"role": "tool", "content": "hi"}]}, "input[0].role"),
    "a message without content": ({"input": [{"role": "user"}]}, "input[0].content"),
    "a part without text": (
        {"input": [{"role": "user", "content": [{"type": "input_text"}]}]},
        "input[0].content[0].text",
    ),
    "an image whose address is an object": (
        {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": {"url": "x"}}]}]},
        "input[0].content[0].image_url",
    ),
    "audio without a format": (
        {"input": [{"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "A"}}]}]},
        "input[0].content[0].input_audio.format",
    ),
    "a call without arguments": ({"input": [{**CALL, "arguments": None}]}, "input[0].arguments"),
    "a call whose arguments are an object": ({"input": [{**CALL, "arguments": {}}]}, "input[0].arguments"),
    "a result without output": (
        {"input": [CALL, {"type": "function_call_output", "call_id": "c1"}]},
        "input[1].output",
    ),
    "a summary that is text": ({"input": [{"type": "reasoning", "summary": "Hm."}]}, "input[0].summary"),
    "state that is an object": (
        {"input": [{"type": "reasoning", "summary": [], "encrypted_content": {}}]},
        "input[0].encrypted_content",
    ),
    "only reasoning": ({"input": [{"type": "reasoning", "summary": []}]}, "input"),
    "tools in an item that are text": (
        {"input": [{"type": "additional_tools", "tools": "f"}]},
        "input[0].tools",
    ),
    "a function without a name": ({"tools": [{"type": "function"}]}, "tools[0].name"),
    "a function as a chat has it": (
        {"tools": [{"type": "function", "function": {"name": "f"}}]},
        "tools[0].name",
    ),
    "a tool without a type": ({"tools": [{"name": "f"}]}, "tools[0].type"),
    "a tool of a namespace without a name": (
        {"tools": [{"type": "namespace", "name": "n", "tools": [{"type": "function"}]}]},
        "tools[0].tools[0].name",
    ),
    "a schema with a reference to the network": (
        {"tools": [{**FUNCTION, "parameters": {"$ref": "https://a"}}]},
        "tools[0].parameters",
    ),
    "a choice that is no word": ({"tool_choice": "maybe"}, "tool_choice"),
    "a choice without a name": ({"tool_choice": {"type": "function"}}, "tool_choice.name"),
    "allowed tools without a mode": (
        {"tool_choice": {"type": "allowed_tools", "tools": []}},
        "tool_choice.mode",
    ),
    "a schema without a name": (
        {"text": {"format": {"type": "json_schema", "schema": {}}}},
        "text.format.name",
    ),
    "two schemas": (
        {"text": {"format": {"type": "json_object"}}, "output_schema": {"type": "object"}},
        "output_schema",
    ),
    "a temperature over 2": ({"temperature": 3}, "temperature"),
    "no output": ({"max_output_tokens": 0}, "max_output_tokens"),
    "an effort that is a number": ({"reasoning": {"effort": 1}}, "reasoning.effort"),
    "include that is text": ({"include": "reasoning.encrypted_content"}, "include"),
    "a misspelt hint": ({"hints": {"prefr": "cheap"}}, "hints.prefr"),
    "a tool that Opper runs": ({"tools": [{"type": "opper:search"}]}, "tools[0].type"),
    "a tool server whose address is a list": (
        {"tools": [{"type": "mcp", "server_url": []}]},
        "tools[0].server_url",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_value_is_refused_with_its_path(case: str) -> None:
    fields, path = WRONG[case]
    assert refusal(**fields).param == path


def test_a_body_that_is_no_object_is_refused() -> None:
    for body in (b"[]", b"1", b'"hi"', b"null", b"", b'{"input": "a", "input": "b"}'):
        with pytest.raises(InvalidRequest):
            RESPONSES.parse(body, {}, Settings())


def test_an_error_has_openais_shape() -> None:
    assert RESPONSES.error(refusal(input=1)) == {
        "error": {
            "message": "input: expected text or a list, got 1",
            "type": "invalid_request_error",
            "param": "input",
            "code": "invalid_value",
        }
    }


JUNK: list[Any] = [
    None,
    True,
    0,
    -1,
    1e300,
    "",
    "x",
    "\ud83d",
    [],
    {},
    [[]],
    {"type": "function"},
    {"type": None},
]


def test_junk_is_refused_with_a_path_or_understood() -> None:
    """Puts junk into random places of valid requests; no other exception is raised, and chats are valid."""
    random = Random(12)
    params: list[str | None] = []
    for _ in range(1000):
        body = deepcopy(random_request(random))
        _corrupt(body, random)
        try:
            chat = RESPONSES.parse(json.dumps(body).encode(), {}, Settings())
        except InvalidRequest as error:
            params.append(error.param)
        else:
            check_chat(chat.body, max_n=8)
            RESPONSES.answer({}, chat)
    assert 150 < len(params) < 950
    assert all(params)


def _corrupt(value: Any, random: Random) -> None:
    """Replace, remove or add one member somewhere inside `value`."""
    while True:
        names = list(value) if isinstance(value, dict) else list(range(len(value)))
        name = random.choice(names) if names else None
        inner = value[name] if name is not None else None
        if not isinstance(inner, dict | list) or not inner or random.random() < 0.25:
            break
        value = inner
    junk = deepcopy(random.choice(JUNK))
    if name is None or random.random() < 0.1:
        if isinstance(value, list):
            value.append(junk)
        else:
            value["type" if random.random() < 0.5 else "more"] = junk
    else:
        value[name] = junk

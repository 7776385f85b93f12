"""Tests of handler/structured/schema_attempt.py: the request of each mode, and the completion made of it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from handler.errors import Json, SchemaMismatch
from handler.providers.registry import TRANSLATORS
from handler.structured.schema_attempt import schema_attempt
from tests.support.structured_output import ALL, CITY, LIST, NODE, USER, attempt, chat, contract, model, row


def test_the_providers_own_json_mode_needs_no_attempt() -> None:
    body = chat(None)
    assert schema_attempt(contract(body), body, model(*ALL), row(), TRANSLATORS["openai"]) is None


def test_native_mode_sends_the_chat_unchanged() -> None:
    body = chat()
    assert attempt(body, *ALL).request(body) is body


def test_tool_mode_forces_one_tool_and_drops_the_fields_that_it_replaces() -> None:
    body = chat(tools=[], tool_choice="auto", functions=[], function_call="auto", temperature=0)
    sent = attempt(body, "tools").request(body)
    function = sent["tools"][0]["function"]
    assert function["parameters"] is CITY
    assert sent == {
        "messages": body["messages"],
        "temperature": 0,
        "tools": [{"type": "function", "function": function}],
        "tool_choice": "required",
    }


@pytest.mark.parametrize(
    ("schema", "inner"),
    [
        pytest.param(LIST, LIST, id="a list"),
        pytest.param(NODE, {"$ref": "#/$defs/n"}, id="a reference, whose definitions stay at the root"),
    ],
)
def test_tool_mode_wraps_a_root_that_is_not_an_object(schema: Json, inner: Json) -> None:
    parameters = attempt(chat(schema), "tools").request(chat(schema))["tools"][0]["function"]["parameters"]
    assert parameters["properties"] == {"value": inner}
    assert parameters["required"] == ["value"]
    assert parameters.get("$defs") == schema.get("$defs")


SYSTEM_MESSAGES = [
    pytest.param([USER], ["system", "user"], id="a new system message"),
    pytest.param(
        [{"role": "system", "content": "Be brief."}, USER], ["system", "user"], id="a system message of text"
    ),
    pytest.param(
        [{"role": "developer", "content": [{"type": "text", "text": "Be brief."}]}, USER],
        ["developer", "user"],
        id="a developer message of parts",
    ),
]


@pytest.mark.parametrize(("messages", "roles"), SYSTEM_MESSAGES)
def test_prompt_mode_adds_the_schema_to_the_end_of_the_system_message(
    messages: list[Json], roles: list[str]
) -> None:
    body = {**chat(), "messages": messages}
    sent = attempt(body).request(body)
    assert [message["role"] for message in sent["messages"]] == roles
    text = json.dumps(sent["messages"][0]["content"])
    assert text.rfind("properties") > text.rfind("Be brief.")
    assert sent["messages"][-1] is USER
    assert "response_format" not in sent


def test_prompt_mode_uses_the_providers_json_mode_for_objects() -> None:
    for schema, response_format in [(CITY, {"type": "json_object"}), (LIST, None)]:
        sent = attempt(chat(schema), "json_object").request(chat(schema))
        assert sent.get("response_format") == response_format


REFUSED = [
    pytest.param((), "native", False, id="no mode is refused: native"),
    pytest.param(("native",), "tool", False, id="native is refused: tool"),
    pytest.param(("native", "tool"), "prompt", True, id="tool is refused too: prompt with JSON mode"),
    pytest.param(("native", "tool", "json"), "prompt", False, id="JSON mode is refused too: prompt alone"),
    pytest.param(("strict",), "native", False, id="only strict tools are refused: native"),
]


@pytest.mark.parametrize(("refused", "mode", "natively_json"), REFUSED)
def test_a_refused_mode_is_not_tried_again(refused: tuple[str, ...], mode: str, natively_json: bool) -> None:
    refusal = SchemaMismatch("refused", answer_text=None)
    refusal.refused_modes = frozenset(refused)
    again = attempt(chat(), *ALL, repair_of=refusal)
    assert (again.mode, again.natively_json) == (mode, natively_json)
    assert len(again.request(chat())["messages"]) == (2 if mode == "prompt" else 1), "no answer to correct"


def completion(message: Json, finish: str = "stop") -> Json:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}
    return {"id": "c", "choices": [choice]}


def tool_call(arguments: str, name: str = "answer") -> Json:
    call = {"id": "c1", "type": "function", "function": {"name": name, "arguments": arguments}}
    return {"content": None, "tool_calls": [call]}


FENCES = [
    pytest.param('```json\n{"city":"Paris"}\n```', id="a fence with a language"),
    pytest.param('```\n{"city":"Paris"}```', id="a fence without a language"),
    pytest.param('\n ```JSON  \n{"city":"Paris"}\n ``` \n', id="a fence with white space around it"),
    pytest.param('{"city":"Paris"}', id="no fence"),
]


@pytest.mark.parametrize("text", FENCES)
def test_prompt_mode_removes_a_code_fence(text: str) -> None:
    answer = attempt(chat()).completion(completion({"content": text}))
    assert answer["choices"][0]["message"]["content"] == '{"city":"Paris"}'


@pytest.mark.parametrize("text", ["```" * 3, "```\n", "``````", "``", " ", "```json\n{}", "```a b\n{}\n```"])
def test_an_incomplete_code_fence_is_a_mismatch(text: str) -> None:
    with pytest.raises(SchemaMismatch):
        attempt(chat()).completion(completion({"content": text}))


def test_a_code_fence_is_a_mismatch_in_native_mode() -> None:
    with pytest.raises(SchemaMismatch):
        attempt(chat(), *ALL).completion(completion({"content": '```json\n{"city":"Paris"}\n```'}))


def test_native_mode_returns_a_matching_completion_unchanged() -> None:
    matching = completion({"content": '{"city": "Paris"}'})
    assert attempt(chat(), *ALL).completion(matching) is matching


def test_tool_mode_turns_the_call_into_content() -> None:
    answer = attempt(chat(), "tools").completion(completion(tool_call('{"city": "Paris"}'), "tool_calls"))
    assert answer["choices"][0] == {
        "index": 0,
        "message": {"role": "assistant", "content": '{"city": "Paris"}'},
        "finish_reason": "stop",
    }


def test_tool_mode_unwraps_the_value() -> None:
    answer = attempt(chat(LIST), "tools").completion(completion(tool_call('{"value": [1, 2]}'), "tool_calls"))
    assert answer["choices"][0]["message"]["content"] == "[1,2]"


def test_tool_mode_accepts_text_instead_of_a_call() -> None:
    answer = attempt(chat(), "tools").completion(completion({"content": '```\n{"city":"Paris"}\n```'}))
    assert answer["choices"][0]["message"]["content"] == '{"city":"Paris"}'


MISMATCHES = [
    pytest.param(
        "tools", tool_call('{"city": 3}'), "$.city: expected string", id="an argument of wrong type"
    ),
    pytest.param("tools", tool_call("{"), "it is not JSON", id="arguments that are not JSON"),
    pytest.param("tools", tool_call("{}", name="other"), "it is not JSON", id="a call of another tool"),
    pytest.param("json_schema", {"content": "Paris"}, "it is not JSON", id="plain text"),
    pytest.param("json_schema", {"content": '{"city": NaN}'}, "it is not JSON", id="NaN"),
    pytest.param("json_schema", {"content": None}, "it is not JSON", id="no content"),
    pytest.param("json_schema", {"content": "[" * 100_000}, "it is not JSON", id="100,000 brackets"),
]


@pytest.mark.parametrize(("can", "message", "problem"), MISMATCHES)
def test_an_answer_that_does_not_match_is_an_error(can: str, message: Json, problem: str) -> None:
    with pytest.raises(SchemaMismatch) as error:
        attempt(chat(), can).completion(completion(message))
    assert error.value.problem == problem


def test_a_list_is_a_mismatch_where_any_object_is_asked_for() -> None:
    with pytest.raises(SchemaMismatch, match="expected object"):
        attempt(chat(None)).completion(completion({"content": "[]"}))


def test_every_choice_is_checked() -> None:
    matching = completion({"content": '{"city":"Paris"}'})
    other = completion({"content": "Paris"})
    both = {**matching, "choices": [*matching["choices"], {**other["choices"][0], "index": 1}]}
    with pytest.raises(SchemaMismatch) as error:
        attempt(chat(n=2), *ALL).completion(both)
    assert error.value.answer_text == "Paris"


UNCHECKED = [
    pytest.param(("json_schema",), {"content": '{"cit'}, "length", id="text that was cut off"),
    pytest.param(("tools",), tool_call('{"cit'), "length", id="a call that was cut off"),
    pytest.param(("json_schema",), {"content": ""}, "content_filter", id="text that was filtered"),
    pytest.param((), {"content": None, "refusal": "No."}, "stop", id="a refusal"),
    pytest.param((), tool_call("{}", name="look"), "tool_calls", id="a call of the client's tool"),
    pytest.param(
        (),
        {"content": None, "function_call": {"name": "look"}},
        "function_call",
        id="a call of the client's function",
    ),
]


@pytest.mark.parametrize(("can", "message", "finish"), UNCHECKED)
def test_calls_refusals_and_unfinished_answers_are_not_checked(
    can: tuple[str, ...], message: Json, finish: str
) -> None:
    answer = attempt(chat(), *can).completion(completion(message, finish))
    assert answer["choices"][0]["finish_reason"] == finish


def test_an_attempt_does_not_modify_the_chat() -> None:
    body = chat(tool_choice="auto")
    before = json.dumps(body)
    for can in ((), ("tools",), ALL):
        first = attempt(body, *can)
        first.request(body)
        replace(first, repair_of=SchemaMismatch("x", answer_text="y")).request(body)
    assert json.dumps(body) == before

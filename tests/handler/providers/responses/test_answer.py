"""Whole answers of OpenAI's Responses."""

from __future__ import annotations

from typing import Any

import pytest

from handler.answers.usage import usage_of
from handler.errors import Json, UpstreamError
from tests.handler.providers.responses.builders import (
    NOW,
    TOOL,
    call,
    completion,
    items,
    message,
    request,
    response,
    user,
)
from tests.handler.providers.wire_cases import WIRE, completion_of, read_file


def first(body: Json) -> Json:
    choice: Json = completion(body)["choices"][0]
    return choice


@pytest.mark.parametrize(
    ("fields", "called", "reason"),
    [
        pytest.param({}, False, "stop", id="completed"),
        pytest.param({}, True, "tool_calls", id="completed with a call"),
        pytest.param({"status": None}, False, "stop", id="no status"),
        pytest.param(
            {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}},
            True,
            "length",
            id="max_output_tokens",
        ),
        pytest.param(
            {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}},
            False,
            "content_filter",
            id="the content filter",
        ),
        pytest.param(
            {"status": "incomplete", "incomplete_details": {"reason": "steered"}},
            False,
            "length",
            id="a new reason",
        ),
        pytest.param({"status": "incomplete", "incomplete_details": None}, False, "length", id="no reason"),
        pytest.param(
            {"status": "completed", "incomplete_details": {"reason": "x"}},
            False,
            "length",
            id="a reason alone",
        ),
        pytest.param({"status": "incomplete", "incomplete_details": []}, False, "length", id="an odd reason"),
    ],
)
def test_an_incomplete_answer_never_looks_complete(fields: Json, called: bool, reason: str) -> None:
    assert first(response(call() if called else message("Hi"), **fields))["finish_reason"] == reason


@pytest.mark.parametrize(
    ("body", "failure_class"),
    [
        pytest.param(
            {"status": "failed", "error": {"code": "server_error", "message": "m"}}, "server", id="failed"
        ),
        pytest.param({"status": "failed", "error": None}, "server", id="failed without an error"),
        pytest.param({"status": "failed", "error": {}}, "server", id="failed with an empty error"),
        pytest.param({"error": {"code": "rate_limit_exceeded", "message": "m"}}, "rate_limit", id="an error"),
        pytest.param(
            {"error": {"code": "invalid_prompt", "message": "m"}}, "content_policy", id="a refused prompt"
        ),
        pytest.param({"error": {"code": "bio_policy", "message": "m"}}, "content_policy", id="a policy"),
        pytest.param(
            {"error": {"code": "invalid_image_url", "message": "m"}}, "invalid_request", id="an image"
        ),
        pytest.param(
            {"error": {"code": "image_too_large", "message": "m"}}, "invalid_request", id="a large image"
        ),
        pytest.param(
            {"error": {"code": "vector_store_timeout", "message": "m"}}, "server", id="another code"
        ),
        pytest.param({"error": {"code": 7, "message": []}}, "server", id="an odd error"),
        pytest.param({"status": "in_progress"}, "protocol", id="an answer that is not complete"),
        pytest.param({"status": "cancelled"}, "protocol", id="an answer that was cancelled"),
        pytest.param({"output": None}, "protocol", id="no output"),
        pytest.param({"output": {"0": {}}}, "protocol", id="an output that is no list"),
        pytest.param({"output": [call(name="")]}, "protocol", id="a call without a name"),
        pytest.param({"output": [call(name=None)]}, "protocol", id="a call with null as its name"),
    ],
)
def test_a_failed_answer_has_its_class(body: Json, failure_class: str) -> None:
    with pytest.raises(UpstreamError) as raised:
        completion(response() | body)
    assert raised.value.failure_class == failure_class


@pytest.mark.parametrize(
    ("body", "failure_class"),
    [
        pytest.param({"error": {"message": "m", "type": "server_error"}}, "server", id="an error object"),
        pytest.param({"error": "m"}, "server", id="an error as a text"),
        pytest.param(
            {"message": "Rate limit", "code": "rate_limit_exceeded"}, "rate_limit", id="a flat error"
        ),
        pytest.param({"choices": []}, "protocol", id="a chat completion"),
        pytest.param({}, "protocol", id="nothing"),
    ],
)
def test_another_body_has_its_class(body: Json, failure_class: str) -> None:
    with pytest.raises(UpstreamError) as raised:
        completion(body)
    assert raised.value.failure_class == failure_class


def test_a_call_of_a_custom_tool_has_text() -> None:
    item = {"type": "custom_tool_call", "id": "ctc_1", "call_id": "c", "name": "run", "input": "ls\n"}
    choice = first(response(item))
    assert choice["message"]["tool_calls"] == [
        {"id": "c", "type": "custom", "custom": {"name": "run", "input": "ls\n"}}
    ]
    assert choice["finish_reason"] == "tool_calls"


@pytest.mark.parametrize(
    ("item", "id", "arguments"),
    [
        pytest.param(call(arguments=""), "call_1", "{}", id="no arguments"),
        pytest.param(call(arguments=None), "call_1", "{}", id="null as arguments"),
        pytest.param(
            call(arguments='{"a', status="incomplete"), "call_1", '{"a', id="arguments that were cut off"
        ),
        pytest.param(call(arguments="", status="incomplete"), "call_1", "", id="arguments that never came"),
        pytest.param(call(call_id=None), "fc_1", "{}", id="no call_id"),
        pytest.param(call(call_id=None, id=None), "", "{}", id="no id at all"),
    ],
)
def test_calls(item: Json, id: str, arguments: str) -> None:
    (found,) = first(response(item))["message"]["tool_calls"]
    assert (found["id"], found["function"]["arguments"]) == (id, arguments)


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        pytest.param({"summary": [{"text": "A"}, {"text": "B"}]}, "A\n\nB", id="a summary of two parts"),
        pytest.param({"summary": [], "content": [{"text": "C"}]}, "C", id="the reasoning itself"),
        pytest.param({"summary": [{"text": "A"}], "content": [{"text": "C"}]}, "A", id="both"),
        pytest.param({"summary": None, "content": "x"}, None, id="odd values"),
    ],
)
def test_the_text_of_reasoning(item: Json, expected: str | None) -> None:
    found = first(response({"type": "reasoning", "id": "rs_1", **item}, message("Hi")))["message"]
    assert found.get("reasoning_content") == expected
    assert "reasoning_details" not in found


@pytest.mark.parametrize(
    ("fields", "head"),
    [
        pytest.param({}, ("resp_1", NOW, "m"), id="complete"),
        pytest.param({"created_at": 1764460800.9}, ("resp_1", NOW, "m"), id="a time with a fraction"),
        pytest.param({"created_at": None}, ("resp_1", NOW, "m"), id="no time"),
        pytest.param({"created_at": "x", "id": 7, "model": None}, ("", NOW, "asked"), id="odd values"),
        pytest.param({"created_at": 10**30}, ("resp_1", NOW, "m"), id="a time that is none"),
    ],
)
def test_the_head_of_an_answer(fields: Json, head: tuple[Any, ...]) -> None:
    found = completion(response(message("Hi"), **fields), model="asked")
    assert (found["id"], found["created"], found["model"]) == head


def test_usage_is_that_of_a_chat() -> None:
    usage = usage_of(completion_of(WIRE / "responses" / "cached-usage"))
    assert usage is not None
    assert (usage.input, usage.cached, usage.cache_write, usage.output) == (2006, 1920, 64, 3)
    assert usage.service_tier == "default"
    assert "usage" not in completion(response(message("Hi"), usage=None))


@pytest.mark.parametrize(
    "usage", [[], "x", {"input_tokens": -5}, {"input_tokens": "7", "output_tokens_details": []}, {"x": {}}]
)
def test_odd_usage_is_no_usage(usage: Any) -> None:
    found = completion(response(message("Hi"), usage=usage)).get("usage")
    assert found is None or (found["prompt_tokens"], found["completion_tokens"]) == (0, 0)


def test_an_answer_that_is_sent_back_becomes_the_same_items() -> None:
    sent = 0
    for case in WIRE.glob("responses/*/whole.json"):
        if read_file(case.parent, "about.json").get("legacy"):
            continue
        body = read_file(case.parent, "whole.json")
        found = items(user("A"), completion_of(case.parent)["choices"][0]["message"], user("B"))
        for kind, names in {
            "function_call": ("call_id", "name", "arguments"),
            "reasoning": ("id", "summary", "encrypted_content"),
        }.items():
            before = [[one[name] for name in names] for one in body["output"] if one["type"] == kind]
            after = [[one[name] for name in names] for one in found if one["type"] == kind]
            assert after == before or len(found) == 2, case.parent.name
            sent += len(after)
    assert sent > 5


def test_the_legacy_form_has_one_function_call() -> None:
    found = completion(response(call()), legacy=True)["choices"][0]
    assert found["message"]["function_call"] == {"name": "look", "arguments": "{}"}
    assert found["finish_reason"] == "function_call"


def test_a_strict_tool_keeps_its_schema() -> None:
    schema = {"type": "object", "properties": {"a": {"$ref": "#/$defs/b"}}, "$defs": {"b": {"const": 1}}}
    function = {**TOOL["function"], "parameters": schema, "strict": True}
    (tool,) = request({"tools": [{"type": "function", "function": function}]})[0]["tools"]
    assert (tool["parameters"], tool["strict"]) == (schema, True)

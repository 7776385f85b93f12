"""Tests of handler/providers/google/request.py."""

from __future__ import annotations

import json

import pytest

from handler.errors import Json
from handler.wire.splice import splice
from tests.handler.providers.google.gemini import FORMAT, HELLO, TOOL, assistant, refusal_of, translate


@pytest.mark.parametrize(
    ("chat", "config", "dropped"),
    [
        pytest.param({"temperature": 0}, {"temperature": 0}, [], id="a temperature of 0"),
        pytest.param({"max_tokens": 7.0}, {"maxOutputTokens": 7}, [], id="a float that is a whole number"),
        pytest.param(
            {"max_completion_tokens": 10**9},
            {"maxOutputTokens": 65536},
            ["max_completion_tokens"],
            id="at most the model's maximum",
        ),
        pytest.param(
            {"stop": ["", "a"]}, {"stopSequences": ["a"]}, [], id="empty stop sequences are left out"
        ),
        pytest.param({"stop": ""}, {}, [], id="an empty stop"),
        pytest.param({"seed": 2**40 + 5}, {"seed": 5}, [], id="the low 31 bits of a seed"),
        pytest.param({"n": 1, "logprobs": False, "frequency_penalty": 0}, {}, [], id="defaults are left out"),
        pytest.param({"n": 3}, {"candidateCount": 3}, [], id="several choices"),
        pytest.param(
            {"logprobs": True, "top_logprobs": 2},
            {"responseLogprobs": True, "logprobs": 2},
            [],
            id="logprobs",
        ),
        pytest.param({"top_logprobs": 2}, {}, [], id="top_logprobs alone"),
        pytest.param({"stop": None, "seed": None}, {}, [], id="null counts as absent"),
        pytest.param({"top_k": 5, "top_p": 0.5}, {"topK": 5, "topP": 0.5}, [], id="top_k and top_p"),
        pytest.param(
            {"logit_bias": {"1": 2}, "user": "u", "min_p": 1, "store": True, "service_tier": "auto"},
            {},
            ["logit_bias", "user", "min_p", "store"],
            id="unknown parameters are dropped and reported",
        ),
        pytest.param(
            {"parallel_tool_calls": False},
            {},
            ["parallel_tool_calls"],
            id="parallel_tool_calls: false is dropped",
        ),
        pytest.param({"modalities": ["text"]}, {}, [], id="text as the only modality"),
        pytest.param(
            {"response_format": {"type": "json_object"}},
            {"responseMimeType": "application/json"},
            [],
            id="a JSON object",
        ),
        pytest.param({"response_format": {"type": "text"}}, {}, [], id="plain text"),
        pytest.param(
            {"response_format": {"type": "json_schema", "json_schema": {"name": "x"}}},
            {"responseMimeType": "application/json"},
            [],
            id="json_schema without a schema",
        ),
    ],
)
def test_parameters(chat: Json, config: Json, dropped: list[str]) -> None:
    body, left_out = translate(chat)
    assert body.get("generationConfig", {}) == config
    assert sorted(left_out) == sorted(dropped)


@pytest.mark.parametrize(
    ("name", "effort", "thinking", "lowered"),
    [
        pytest.param("gemini-3.5-flash", "minimal", {"thinkingLevel": "MINIMAL"}, False, id="flash, minimal"),
        pytest.param("gemini-3.5-flash", "none", {"thinkingLevel": "MINIMAL"}, True, id="flash, none"),
        pytest.param(
            "gemini-3.8-flash", "minimal", {"thinkingLevel": "LOW"}, True, id="newer flash, minimal"
        ),
        pytest.param("gemini-3.1-pro-preview", "none", {"thinkingLevel": "LOW"}, True, id="pro, none"),
        pytest.param("gemini-3.1-pro-preview", "xhigh", {"thinkingLevel": "HIGH"}, True, id="pro, xhigh"),
        pytest.param("gemini-9", "medium", {"thinkingLevel": "MEDIUM"}, False, id="an unknown model, medium"),
        pytest.param("gemini-9", "none", {"thinkingLevel": "LOW"}, True, id="an unknown model, none"),
        pytest.param("gemini-9", "unknown", None, True, id="an unknown effort"),
        pytest.param("gemini-2.5-flash", "none", {"thinkingBudget": 0}, False, id="2.5 flash, none"),
        pytest.param("gemini-2.5-pro", "none", {"thinkingBudget": 128}, True, id="2.5 pro, none"),
        pytest.param("gemini-2.5-flash", "low", {"thinkingBudget": 1024}, False, id="2.5, low"),
        pytest.param("gemini-2.5-flash", "max", {"thinkingBudget": 24576}, False, id="2.5, max"),
    ],
)
def test_reasoning_effort(name: str, effort: str, thinking: Json | None, lowered: bool) -> None:
    body, dropped = translate({"reasoning_effort": effort}, name)
    shown = {} if effort == "none" else {"includeThoughts": True}
    expected = {} if thinking is None else {"thinkingConfig": {**thinking, **shown}}
    assert body.get("generationConfig", {}) == expected
    assert dropped == (["reasoning_effort"] if lowered else [])


@pytest.mark.parametrize(
    ("chat", "name", "param"),
    [
        pytest.param({"modalities": ["audio"]}, "gemini-3.5-flash", "modalities", id="audio output"),
        pytest.param(
            {"tool_choice": "required"}, "gemini-3.5-flash", "tool_choice", id="a forced call without tools"
        ),
        pytest.param(
            {"tools": [TOOL, {"type": "function", "function": {"name": "look", "description": "x"}}]},
            "gemini-3.5-flash",
            "tools",
            id="two functions with the same name",
        ),
        pytest.param(
            {"tools": [TOOL], "response_format": FORMAT},
            "gemini-2.5-flash",
            "response_format",
            id="a schema with tools, for an older model",
        ),
        pytest.param(
            {"tools": [TOOL], "response_format": FORMAT, "tool_choice": "required"},
            "gemini-3.5-flash",
            "response_format",
            id="a schema with a forced call",
        ),
    ],
)
def test_an_unsupported_feature_is_refused(chat: Json, name: str, param: str) -> None:
    error = refusal_of(chat, name)
    assert (error.code, error.param) == ("unsupported_parameter", param)


def test_tools_that_may_not_be_called_are_left_out_for_a_schema() -> None:
    body, _ = translate(
        {"tools": [TOOL], "response_format": FORMAT, "tool_choice": "none"}, "gemini-2.5-flash"
    )
    assert body.keys() == {"contents", "generationConfig"}


@pytest.mark.parametrize("tier", ["flex", "default"])
def test_a_service_tier(tier: str) -> None:
    assert (
        translate({"service_tier": tier})[0]["serviceTier"] == {"flex": "flex", "default": "standard"}[tier]
    )


def test_a_request_can_be_spliced_into_the_clients_text() -> None:
    chat = {"model": "gemini/x", "messages": HELLO, "tools": [TOOL], "temperature": 0.5, "stream": True}
    body, _ = translate(chat)
    sent = json.dumps(chat)
    assert json.loads(splice(sent, json.loads(sent), body)) == body


def test_a_custom_tool_is_a_function_of_one_text() -> None:
    custom = {"type": "custom", "custom": {"name": "x"}}
    called = assistant({"id": "a", "type": "custom", "custom": {"name": "x", "input": "y"}})
    chat = {"messages": [*HELLO, called], "tools": [custom], "tool_choice": custom}
    body, _ = translate(chat, "gemini-3.5-flash")
    (declared,) = body["tools"][0]["functionDeclarations"]
    (part,) = body["contents"][1]["parts"]
    assert declared["name"] == "custom::x"
    assert part["functionCall"] == {"id": "a", "name": "custom::x", "args": {"input": "y"}}
    assert body["toolConfig"]["functionCallingConfig"]["allowedFunctionNames"] == ["custom::x"]

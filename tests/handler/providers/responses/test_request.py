"""The bodies of requests to OpenAI's Responses: parameters, tools, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from handler.errors import Json, UpstreamError
from handler.providers.responses.translator import Responses
from handler.providers.rows.responses import RESPONSES
from rules.catalog.catalog import unlisted_model
from tests.handler.providers.responses.builders import TOOL, request, user
from tests.handler.providers.wire_cases import WIRE

CODEX, PLAIN = "openai/gpt-5.3-codex", "openai/gpt-4.1"
ENCRYPTED = {"include": ["reasoning.encrypted_content"]}


@pytest.mark.parametrize(
    ("model", "chat", "expected", "left_out"),
    [
        pytest.param(CODEX, {"store": True}, {}, ("store",), id="an answer is never stored"),
        pytest.param(CODEX, {"store": False}, {}, (), id="an answer that is not to be stored"),
        pytest.param(
            CODEX, {"max_tokens": 100.0}, {"max_output_tokens": 100}, (), id="max_tokens as a float"
        ),
        pytest.param(
            CODEX, {"max_completion_tokens": 20}, {"max_output_tokens": 20}, (), id="max_completion_tokens"
        ),
        pytest.param(
            CODEX,
            {"max_tokens": 1},
            {"max_output_tokens": 16},
            ("max_tokens",),
            id="max_tokens below the least",
        ),
        pytest.param(
            CODEX,
            {"max_completion_tokens": 1},
            {"max_output_tokens": 16},
            ("max_completion_tokens",),
            id="max_completion_tokens below the least",
        ),
        pytest.param(
            CODEX,
            {"max_tokens": 10**7},
            {"max_output_tokens": 128_000},
            ("max_tokens",),
            id="max_tokens above the model's",
        ),
        pytest.param(
            CODEX,
            {"temperature": 1, "top_p": 0.5, "logprobs": True, "top_logprobs": 2, "logit_bias": {"1": 1}},
            {},
            ("temperature", "top_p", "logprobs", "top_logprobs", "logit_bias"),
            id="a family that takes no sampling",
        ),
        pytest.param(
            PLAIN,
            {"temperature": 1, "top_p": 0.5, "logprobs": True, "top_logprobs": 2},
            {
                "temperature": 1,
                "top_p": 0.5,
                "top_logprobs": 2,
                "include": ["message.output_text.logprobs"],
            },
            (),
            id="a family that takes sampling",
        ),
        pytest.param(PLAIN, {"logprobs": False, "top_logprobs": None}, {}, (), id="no logprobs"),
        pytest.param(
            PLAIN,
            {
                "stop": "x",
                "seed": 1,
                "frequency_penalty": 1,
                "presence_penalty": 0,
                "prediction": {},
                "audio": {},
            },
            {},
            ("stop", "seed", "frequency_penalty", "prediction", "audio"),
            id="fields that do not exist there",
        ),
        pytest.param(
            PLAIN,
            {
                "modalities": ["text"],
                "n": 1,
                "response_format": {"type": "text"},
                "x": None,
                "logit_bias": {},
            },
            {},
            (),
            id="fields with their default",
        ),
        pytest.param(
            PLAIN,
            {"metadata": {"a": "b"}, "user": "u", "prompt_cache_key": "k", "service_tier": "flex"},
            {"metadata": {"a": "b"}, "user": "u", "prompt_cache_key": "k", "service_tier": "flex"},
            (),
            id="fields with the same name",
        ),
        pytest.param(
            PLAIN, {"cache_control": {"type": "ephemeral"}}, {}, ("cache_control",), id="a cache mark"
        ),
        pytest.param(
            CODEX, {"reasoning_effort": "high"}, {"reasoning": {"effort": "high"}}, (), id="an effort"
        ),
        pytest.param(
            CODEX,
            {"reasoning_effort": "max"},
            {"reasoning": {"effort": "xhigh"}},
            ("reasoning_effort",),
            id="an effort above the model's",
        ),
        pytest.param(
            CODEX,
            {"reasoning": {"effort": "low", "summary": "auto", "exclude": True}, "reasoning_effort": "high"},
            {"reasoning": {"effort": "high", "summary": "auto"}},
            (),
            id="reasoning as an object, and an effort",
        ),
        pytest.param(
            CODEX,
            {"reasoning": {"effort": 3, "summary": []}, "verbosity": "low"},
            {"text": {"verbosity": "low"}},
            (),
            id="reasoning with values of other types",
        ),
        pytest.param(
            PLAIN,
            {"response_format": {"type": "json_object"}, "verbosity": "low"},
            {"text": {"format": {"type": "json_object"}, "verbosity": "low"}},
            (),
            id="a JSON object, and verbosity",
        ),
        pytest.param(
            PLAIN,
            {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "strict": None}}},
            {"text": {"format": {"type": "json_schema", "name": "a", "schema": {"type": "object"}}}},
            (),
            id="a response format without a schema",
        ),
        pytest.param(
            PLAIN,
            {"stream": True, "stream_options": {"include_usage": True}},
            {"stream": True},
            (),
            id="a stream",
        ),
        pytest.param(PLAIN, {"stream": False}, {}, (), id="no stream"),
        pytest.param(PLAIN, {"tools": [], "tool_choice": "auto"}, {}, (), id="no tools, and no choice"),
        pytest.param(
            "openai/o3-pro",
            {"tools": [TOOL], "parallel_tool_calls": False},
            {"tools": [{"type": "function", "name": "look", "parameters": ..., "strict": False}]},
            ("parallel_tool_calls",),
            id="a family that takes no parallel_tool_calls",
        ),
    ],
)
def test_parameters(model: str, chat: Json, expected: Json, left_out: tuple[str, ...]) -> None:
    default, _ = request({}, model)
    sent, dropped = request(chat, model)
    for tool in sent.get("tools", ()):
        tool["parameters"] = ...
    assert sent == {**default, **expected}
    assert dropped == left_out


@pytest.mark.parametrize(
    ("model", "included"),
    [
        pytest.param("openai/gpt-5-pro", ENCRYPTED, id="a model that reasons"),
        pytest.param("openai/gpt-9-codex", ENCRYPTED, id="an unlisted model of a family that reasons"),
        pytest.param("openai/gpt-4.1", {}, id="a model that does not reason"),
        pytest.param("openai/some-model", {}, id="a model of which nothing is known"),
    ],
)
def test_a_model_that_reasons_is_asked_for_its_reasoning(model: str, included: Json) -> None:
    sent, _ = request({}, model)
    assert {name: sent[name] for name in ("include",) if name in sent} == included


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        pytest.param("auto", "auto", id="auto"),
        pytest.param("none", "none", id="none"),
        pytest.param("required", "required", id="required"),
        pytest.param("any", "required", id="any"),
        pytest.param({}, None, id="an empty object counts as absent"),
        pytest.param(
            {"type": "function", "function": {"name": "look"}},
            {"type": "function", "name": "look"},
            id="a function",
        ),
        pytest.param(
            {"type": "custom", "custom": {"name": "run"}},
            {"type": "custom", "name": "run"},
            id="a custom tool",
        ),
        pytest.param(
            {
                "type": "allowed_tools",
                "allowed_tools": {"mode": "auto", "tools": [TOOL, {"type": "custom", "name": "run"}, {}]},
            },
            {
                "type": "allowed_tools",
                "mode": "auto",
                "tools": [{"type": "function", "name": "look"}, {"type": "custom", "name": "run"}],
            },
            id="allowed tools, named under their type or next to it",
        ),
    ],
)
def test_the_choice_of_a_tool(choice: Any, expected: Any) -> None:
    sent, _ = request({"tools": [TOOL], "tool_choice": choice})
    assert sent.get("tool_choice") == expected


def test_tools_are_flat_and_strict_is_always_sent() -> None:
    parameters = {"type": "object", "properties": {"a": {"type": "string"}}}
    full = {"name": "a", "description": "D", "parameters": parameters, "strict": True}
    grammar = {"type": "grammar", "grammar": {"syntax": "regex", "definition": "a+"}}
    tools = [
        {"type": "function", "function": full},
        {"type": "function", "function": {"name": "b", "strict": None, "description": None}},
        {"type": "custom", "custom": {"name": "c", "description": "E", "format": grammar}},
        {"type": "custom", "custom": {"name": "d"}},
    ]
    assert request({"tools": tools})[0]["tools"] == [
        {"type": "function", **full},
        {
            "type": "function",
            "name": "b",
            "parameters": {"type": "object", "properties": {}},
            "strict": False,
        },
        {
            "type": "custom",
            "name": "c",
            "description": "E",
            "format": {"type": "grammar", "syntax": "regex", "definition": "a+"},
        },
        {"type": "custom", "name": "d"},
    ]


@pytest.mark.parametrize(
    ("chat", "param"),
    [
        pytest.param(
            {"tools": [TOOL, {"type": "web_search"}]}, "tools[1].type", id="the provider's own tool"
        ),
        pytest.param({"tool_choice": "required"}, "tool_choice", id="a forced call without tools"),
        pytest.param(
            {"tool_choice": {"type": "function", "function": {"name": "look"}}},
            "tool_choice",
            id="a chosen tool without tools",
        ),
        pytest.param(
            {
                "tools": [TOOL],
                "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [{}]}},
            },
            "tool_choice.allowed_tools",
            id="allowed tools without a name",
        ),
        pytest.param(
            {"messages": [user([{"type": "input_audio", "input_audio": {"data": "", "format": "mp3"}}])]},
            "messages[0].content[0].type",
            id="audio",
        ),
        pytest.param(
            {"messages": [user([{"type": "video_url", "video_url": {"url": "https://a.example"}}])]},
            "messages[0].content[0].type",
            id="video",
        ),
        pytest.param(
            {"messages": [user([{"type": "file", "file": {"filename": "a.pdf"}}])]},
            "messages[0].content[0].file",
            id="a file without data",
        ),
        pytest.param(
            {"messages": [{"role": "assistant", "tool_calls": [{"id": "1", "type": "web", "web": {}}]}]},
            "messages[0].tool_calls[0]",
            id="a call of a provider's own tool",
        ),
    ],
)
def test_what_cannot_be_said_is_refused_with_its_param(chat: Json, param: str) -> None:
    with pytest.raises(UpstreamError) as raised:
        request(chat)
    error = raised.value
    assert (error.failure_class, error.status, error.param) == ("invalid_request", 400, param)


def test_the_chat_is_not_modified_and_the_body_is_the_same_every_time() -> None:
    for case in WIRE.glob("responses/*/chat.json"):
        text = case.read_text(encoding="utf-8")
        chat = json.loads(text)
        assert json.dumps(request(chat)) == json.dumps(request(chat))
        assert chat == json.loads(text)


def test_the_row_drops_fields() -> None:
    quirks = RESPONSES.quirks.replaced(drop=frozenset({"metadata"}))
    chat = {"messages": [user("Hi")], "metadata": {"a": "b"}}
    sent, dropped = Responses().request(chat, unlisted_model("xai", "grok-9"), quirks)
    assert "metadata" not in sent
    assert dropped == ("metadata",)

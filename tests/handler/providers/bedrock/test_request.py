"""The bodies of requests to Converse: parameters, tools, and what is refused."""

from __future__ import annotations

import json

import pytest

from handler.errors import Json
from handler.providers.bedrock.translator import Bedrock
from handler.providers.provider import Quirks
from rules import load_catalog
from tests.handler.providers.bedrock.builders import (
    BUDGET,
    CLAUDE,
    GPT,
    LLAMA,
    NOVA,
    NOVA2,
    function_tool,
    refusal,
    request,
)
from tests.handler.providers.bedrock.service_model import operation, violations
from tests.handler.providers.content_blocks.builders import assistant, call, tool_message, user


def test_a_name_that_is_too_long_is_refused() -> None:
    assert refusal({"tools": [function_tool("x" * 65)]}).param == "tools[0].function.name"


@pytest.mark.parametrize(
    ("name", "chat", "expected", "left_out"),
    [
        pytest.param(
            NOVA,
            {"reasoning_effort": "low"},
            {},
            ["reasoning_effort"],
            id="an effort for a model that does not think",
        ),
        pytest.param(NOVA2, {"reasoning_effort": "none"}, {}, [], id="Nova does not think by default"),
        pytest.param(
            NOVA2,
            {"reasoning_effort": "minimal", "max_tokens": 9},
            {
                "additionalModelRequestFields": {
                    "reasoningConfig": {"type": "enabled", "maxReasoningEffort": "low"}
                },
                "inferenceConfig": {"maxTokens": 9},
            },
            ["reasoning_effort"],
            id="an effort below Nova's lowest",
        ),
        pytest.param(
            GPT,
            {"reasoning_effort": "high", "temperature": 0, "top_k": 3},
            {"additionalModelRequestFields": {"reasoning": {"effort": "high"}}},
            ["temperature", "top_k"],
            id="GPT's effort has a field of its own",
        ),
        pytest.param(
            CLAUDE,
            {"reasoning_effort": "none"},
            {"additionalModelRequestFields": {"thinking": {"type": "disabled"}}},
            [],
            id="Claude's thinking is disabled",
        ),
        pytest.param(
            BUDGET,
            {"reasoning_effort": "high", "max_tokens": 3000},
            {
                "inferenceConfig": {"maxTokens": 3000},
                "additionalModelRequestFields": {"thinking": {"type": "enabled", "budget_tokens": 1500}},
            },
            [],
            id="a budget is less than max_tokens",
        ),
        pytest.param(
            CLAUDE,
            {"temperature": 0.5, "top_p": 0.5, "top_k": 4},
            {
                "inferenceConfig": {"temperature": 0.5},
                "additionalModelRequestFields": {"top_k": 4},
            },
            ["top_p"],
            id="Claude accepts only one of temperature and top_p",
        ),
        pytest.param(
            NOVA,
            {"temperature": 0, "stop": ["", " ", "x"], "max_completion_tokens": 99999},
            {"inferenceConfig": {"maxTokens": 10000, "temperature": 0, "stopSequences": ["x"]}},
            ["max_completion_tokens", "stop"],
            id="temperature 0, a blank stop and max_tokens above the model's",
        ),
        pytest.param(
            NOVA,
            {"seed": 1, "logit_bias": {}, "user": "u", "n": 1, "store": False, "service_tier": "scale"},
            {},
            ["seed", "user", "service_tier"],
            id="unknown fields are left out",
        ),
        pytest.param(
            NOVA, {"service_tier": "flex"}, {"serviceTier": {"type": "flex"}}, [], id="a service tier"
        ),
    ],
)
def test_parameters(name: str, chat: Json, expected: Json, left_out: list[str]) -> None:
    body, dropped = request(chat, name)
    assert body == {"messages": [{"role": "user", "content": [{"text": "Hi"}]}], **expected}
    assert sorted(dropped) == sorted(left_out)


def test_a_model_that_cannot_be_forced_to_call_is_instructed_to() -> None:
    body, dropped = request({"tools": [function_tool()], "tool_choice": "required"}, LLAMA)
    assert "toolChoice" not in body["toolConfig"]
    assert "calling at least one" in body["system"][0]["text"]
    assert dropped == ("tool_choice",)


def test_choice_none_becomes_an_instruction_if_the_history_has_calls() -> None:
    history = [user("a"), assistant(None, call("1")), tool_message("1")]
    body = request({"messages": history, "tools": [function_tool(description="d")], "tool_choice": "none"})[0]
    assert body["toolConfig"]["tools"][0]["toolSpec"]["description"] == "d"
    assert "Do not call" in body["system"][-1]["text"]


def test_strict_is_sent_to_models_that_support_schemas() -> None:
    strict = {"tools": [function_tool(strict=True, parameters={"type": "object", "properties": {}})]}
    assert request(strict, CLAUDE)[0]["toolConfig"]["tools"][0]["toolSpec"]["strict"] is True
    assert "strict" not in request(strict, LLAMA)[0]["toolConfig"]["tools"][0]["toolSpec"]


def test_system_messages_become_the_users_where_the_model_has_none() -> None:
    messages = [{"role": "system", "content": "Be brief."}, user("Hi")]
    body = request({"messages": messages}, "mistral.mixtral-8x7b-instruct-v0:1")[0]
    assert "system" not in body
    assert body["messages"] == [{"role": "user", "content": [{"text": "Be brief."}, {"text": "Hi"}]}]


def test_a_prefill_is_refused_for_models_known_not_to_support_it() -> None:
    chat = {"messages": [user("a"), assistant("b")]}
    assert refusal(chat).param == "messages"
    assert request(chat, "some.unknown-model")[0]["messages"][-1]["role"] == "assistant"


def test_every_model_gets_a_valid_request() -> None:
    chat = {
        "messages": [
            {"role": "system", "content": "S"},
            user("a"),
            assistant(None, call("1")),
            tool_message("1"),
            user("b"),
        ],
        "tools": [function_tool(parameters={"type": "object"})],
        "reasoning_effort": "medium",
        "temperature": 0.3,
        "max_tokens": 2000,
    }
    converse = [one for one in load_catalog().all() if one.provider == "bedrock"]
    assert len(converse) > 200
    for one in converse:
        body, _ = Bedrock().request(chat, one, Quirks())
        assert list(violations(body, operation("Converse").input_shape)) == [], one.id
        assert json.loads(json.dumps(body)) == body

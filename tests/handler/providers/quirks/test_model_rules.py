"""The rules of families of models: what they refuse, and what they need."""

from __future__ import annotations

from typing import Any

import pytest

from handler.errors import Json
from handler.providers.quirks.model_rules import MESSAGE_RULES, OTHER_FORMATS, PARAMETER_RULES
from handler.providers.registry import TRANSLATORS
from handler.providers.rows.builtin import PROVIDERS
from rules import load_catalog
from tests.handler.providers.quirks.test_request import ASSISTANT, CHAT, TOOL, USER, adapt

HIGH = {"reasoning_effort": "high"}
NONE = {"reasoning_effort": "none"}
TEMPERATURE = {"temperature": 0.5}
TOOL_CALL = {"role": "assistant", "content": None, "tool_calls": [{"id": "a"}]}
ROWS = [name for name, row in PROVIDERS.items() if row.dialect == "openai"]
SIGNATURE = {"extra_content": {"google": {"thought_signature": "QUJD"}}}
PLACEHOLDER = {"extra_content": {"google": {"thought_signature": "skip_thought_signature_validator"}}}


@pytest.mark.parametrize(
    ("rules", "fields", "expected", "expected_dropped"),
    [
        pytest.param(
            ("max_completion_tokens",),
            {"max_tokens": 5},
            {"max_completion_tokens": 5, **TEMPERATURE},
            (),
            id="max_completion_tokens: max_tokens is renamed",
        ),
        pytest.param(
            ("no_sampling",),
            {"top_p": 0.1, "top_k": 5, "logprobs": True, "logit_bias": {"1": 1}},
            {},
            ("temperature", "top_p", "top_k", "logprobs", "logit_bias"),
            id="no_sampling: all sampling parameters are dropped",
        ),
        pytest.param(
            ("effort_sampling",),
            HIGH,
            HIGH,
            ("temperature",),
            id="effort_sampling: with an effort, sampling is dropped",
        ),
        pytest.param(
            ("effort_sampling",),
            {**NONE, "presence_penalty": 1},
            {**NONE, **TEMPERATURE},
            ("presence_penalty",),
            id="effort_sampling: without effort, penalties are dropped",
        ),
        pytest.param(
            ("effort_sampling",), {}, TEMPERATURE, (), id="effort_sampling: a missing effort counts as none"
        ),
        pytest.param(("no_stop",), {"stop": "x"}, TEMPERATURE, ("stop",), id="no_stop"),
        pytest.param(
            ("no_parallel_tools",),
            {"parallel_tool_calls": False},
            TEMPERATURE,
            ("parallel_tool_calls",),
            id="no_parallel_tools",
        ),
        pytest.param(
            ("effort_tools",),
            {**HIGH, "tools": [TOOL]},
            {**NONE, "tools": [TOOL], **TEMPERATURE},
            ("reasoning_effort",),
            id="effort_tools: with tools, the effort becomes none",
        ),
        pytest.param(
            ("effort_tools",),
            HIGH,
            {**HIGH, **TEMPERATURE},
            (),
            id="effort_tools: without tools, the effort stays",
        ),
        pytest.param(
            ("effort_sampling", "effort_tools"),
            {**HIGH, "tools": [TOOL]},
            {**NONE, "tools": [TOOL]},
            ("temperature", "reasoning_effort"),
            id="rules apply in their order",
        ),
        pytest.param(
            ("efforts:low,high",), HIGH, {**HIGH, **TEMPERATURE}, (), id="efforts: an allowed effort stays"
        ),
        pytest.param(
            ("efforts:low,medium",),
            HIGH,
            {"reasoning_effort": "medium", **TEMPERATURE},
            ("reasoning_effort",),
            id="efforts: the next lower allowed effort",
        ),
        pytest.param(
            ("efforts:low,medium",),
            NONE,
            {"reasoning_effort": "low", **TEMPERATURE},
            ("reasoning_effort",),
            id="efforts: the lowest one if no lower one is allowed",
        ),
        pytest.param(
            ("efforts:low",),
            {"reasoning_effort": "odd"},
            {"reasoning_effort": "odd", **TEMPERATURE},
            (),
            id="efforts: an unknown effort stays",
        ),
        pytest.param(
            ("efforts:none,default",),
            HIGH,
            {"reasoning_effort": "default", **TEMPERATURE},
            ("reasoning_effort",),
            id="efforts: a provider's own effort ranks above none",
        ),
        pytest.param(("unheard_of",), {}, TEMPERATURE, (), id="an unknown rule changes nothing"),
    ],
)
def test_each_parameter_rule(
    rules: tuple[str, ...], fields: Json, expected: Json, expected_dropped: tuple[str, ...]
) -> None:
    body, dropped = adapt({**CHAT, **fields}, None, *rules)
    assert body == {"model": "m", "messages": CHAT["messages"], **expected}
    assert sorted(dropped) == sorted(expected_dropped)


@pytest.mark.parametrize(
    ("messages", "reasoning"),
    [
        pytest.param([USER, ASSISTANT], [None, None], id="without calls nothing is added"),
        pytest.param([USER, TOOL_CALL, ASSISTANT], [None, " ", " "], id="with calls each answer gets some"),
        pytest.param(
            [{**TOOL_CALL, "reasoning_content": "Hm."}, ASSISTANT],
            ["Hm.", " "],
            id="existing reasoning stays",
        ),
    ],
)
def test_missing_reasoning_is_added(messages: list[Json], reasoning: list[str | None]) -> None:
    body, dropped = adapt({"model": "m", "messages": messages}, None, "thoughts_back")
    assert [message.get("reasoning_content") for message in body["messages"]] == reasoning
    assert dropped == ()


def test_every_rule_of_the_catalogue_is_known() -> None:
    served = {name for name, row in PROVIDERS.items() if row.dialect in TRANSLATORS}
    models = (model for model in load_catalog().all() if model.provider in served)
    named = {rule.partition(":")[0] for model in models for rule in model.rules}
    assert named <= PARAMETER_RULES.keys() | OTHER_FORMATS | MESSAGE_RULES.keys()


@pytest.mark.parametrize("provider", ROWS)
def test_message_rules_override_what_a_row_drops(provider: str) -> None:
    """Rows drop reasoning and signatures from messages, but some models refuse a request without them."""
    call = {"id": "abcdefghi", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    reasoning = {"reasoning_content": "Hm.", "tool_calls": [{**call, **SIGNATURE}]}
    history: list[Json] = [
        {"content": None, **reasoning},
        {"content": None, "tool_calls": [call, call]},
        {"content": None, "tool_calls": [{**call, "thought_signature": "REVG"}]},
        {"content": "Done."},
    ]
    messages = [one for each in history for one in (CHAT["messages"][0], {"role": "assistant", **each})]
    quirks = PROVIDERS[provider].quirks

    def answers(*rules: str) -> list[Json]:
        found: list[Json] = adapt({"model": "m", "messages": messages}, quirks, *rules)[0]["messages"][1::2]
        return found

    assert [one["reasoning_content"] for one in answers("thoughts_back")] == ["Hm.", " ", " ", " "]
    signed = [
        [call.get("extra_content") for call in one.get("tool_calls", [])] for one in answers("signatures")
    ]
    own = {"google": {"thought_signature": "REVG"}}
    assert signed == [[SIGNATURE["extra_content"]], [PLACEHOLDER["extra_content"], None], [own], []]
    dropped = "reasoning_content" in quirks.message_drop
    assert any("reasoning_content" in one for one in answers()) is not dropped


@pytest.mark.parametrize("messages", [None, "x", [], [{"role": "assistant", "tool_calls": [1]}]])
def test_messages_that_are_malformed_stay_as_they_are(messages: Any) -> None:
    body, _ = adapt({"model": "m", "messages": messages}, None, "signatures", "thoughts_back")
    assert body["messages"] == messages

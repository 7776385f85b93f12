"""A body that is relayed to Bedrock: without what is Sluice's, with the effects of rules."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from handler.errors import Json
from handler.formats.converse.native import EFFECTS, native_body
from handler.formats.opaque_state import encode_state
from tests.handler.formats.converse.bodies import HI, assistant, random_body, request, user

CLAUDE = {"type": "reasoning.text", "signature": "s", "format": "anthropic-claude-v1"}
HIDDEN = {"type": "reasoning.encrypted", "data": "d", "format": "anthropic-claude-v1"}
OF_OPENAI = {"type": "reasoning.encrypted", "data": "d", "format": "openai-responses-v1"}


def reasoning(signature: str, text: str = "t") -> Json:
    return {"reasoningContent": {"reasoningText": {"text": text, "signature": signature}}}


def redacted(data: str) -> Json:
    return {"reasoningContent": {"redactedContent": data}}


SAME = {
    "no reasoning": request(),
    "Claude's own reasoning": request(HI, assistant(reasoning("c2ln"), redacted("ZGF0YQ=="), {"text": "a"})),
    "reasoning without a signature": request(
        assistant({"reasoningContent": {"reasoningText": {"text": "t"}}})
    ),
    "unknown reasoning": request(assistant({"reasoningContent": {"new": 1}})),
}


@pytest.mark.parametrize("body", SAME.values(), ids=SAME)
def test_such_a_body_stays_as_it_is(body: Json) -> None:
    assert native_body(body) is body


@pytest.mark.parametrize("seed", range(20))
def test_a_random_body_stays_as_it_is(seed: int) -> None:
    body = random_body(Random(seed))
    assert native_body(body) is body


STATES = {
    "Claude's thinking": (reasoning(encode_state({"details": [CLAUDE]})), [reasoning("s")]),
    "Claude's hidden thinking": (redacted(encode_state({"details": [HIDDEN]})), [redacted("d")]),
    "another model's": (redacted(encode_state({"details": [OF_OPENAI]})), []),
    "none": (reasoning(encode_state({})), []),
}


@pytest.mark.parametrize(("block", "expected"), STATES.values(), ids=STATES)
def test_a_state_becomes_what_claude_knows(block: Json, expected: list[Json]) -> None:
    body = request(HI, assistant(block, {"text": "a"}), user({"text": "b"}))
    after = native_body(body)["messages"]
    assert after[1] == assistant(*expected, {"text": "a"})
    assert (after[0] is HI, len(after)) == (True, 3)


def test_a_message_of_nothing_but_state_is_left_out() -> None:
    assert native_body(request(HI, assistant(reasoning(encode_state({}))))) == request(HI)


def test_sluices_own_fields_are_left_out() -> None:
    assert native_body(request(fallback_models=["p/n"], tags={"a": "b"})) == request()


EFFECT_CASES: dict[str, tuple[str, Any, Json, Json]] = {
    "a limit": ("max_tokens", 5, {}, {"inferenceConfig": {"maxTokens": 5}}),
    "a limit beside another field": (
        "max_completion_tokens",
        5,
        {"inferenceConfig": {"topP": 1}},
        {"inferenceConfig": {"topP": 1, "maxTokens": 5}},
    ),
    "no temperature": ("temperature", None, {"inferenceConfig": {"temperature": 1}}, {}),
    "a temperature that Converse does not have": (
        "temperature",
        1.5,
        {},
        {"inferenceConfig": {"temperature": 1}},
    ),
    "one stop sequence": ("stop", "a", {}, {"inferenceConfig": {"stopSequences": ["a"]}}),
    "several stop sequences": ("stop", ["a", "b"], {}, {"inferenceConfig": {"stopSequences": ["a", "b"]}}),
    "a tier": ("service_tier", "flex", {}, {"serviceTier": {"type": "flex"}}),
    "any tier": ("service_tier", "auto", {"serviceTier": {"type": "flex"}}, {}),
}


@pytest.mark.parametrize(("name", "value", "given", "expected"), EFFECT_CASES.values(), ids=EFFECT_CASES)
def test_the_effect_of_a_rule(name: str, value: Any, given: Json, expected: Json) -> None:
    body = request(**given)
    assert EFFECTS[name](body, value) == request(**expected)
    assert body == request(**given)

"""A body that is relayed to Gemini: without what is Sluice's, with the effects of rules."""

from __future__ import annotations

import copy
from random import Random
from typing import Any

import pytest

from handler.errors import Json
from handler.formats.gemini.native import EFFECTS, native_body
from handler.formats.opaque_state import encode_state
from tests.handler.formats.gemini.bodies import HI, agent_body, random_body

PLACEHOLDER = "skip_thought_signature_validator"
CALL = {"functionCall": {"name": "f"}}
DETAILS = encode_state({"reasoning_details": [{}]})


def model(*parts: Json) -> Json:
    return {"contents": [HI, {"role": "model", "parts": list(parts)}]}


@pytest.mark.parametrize("seed", range(20))
def test_a_body_without_anything_of_sluices_is_the_same_object(seed: int) -> None:
    body = random_body(Random(seed))
    assert native_body(body) is body


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(agent_body(), id="a coding agent's"),
        pytest.param({"contents": {"parts": {"text": "hi"}}}, id="objects without lists"),
        pytest.param(
            {"contents": [1, None, {"parts": [1, None, {"thoughtSignature": 1}]}]}, id="wrong types"
        ),
        pytest.param(model({**CALL, "thoughtSignature": "c2ln"}), id="Gemini's signature"),
    ],
)
def test_such_a_body_stays_as_it_is(body: Json) -> None:
    assert native_body(body) is body


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        pytest.param(
            {**CALL, "thoughtSignature": DETAILS}, [{**CALL, "thoughtSignature": PLACEHOLDER}], id="of a call"
        ),
        pytest.param(
            {
                **CALL,
                "thought_signature": encode_state({"reasoning_details": [1], "thought_signature": "c2ln"}),
            },
            [{**CALL, "thought_signature": "c2ln"}],
            id="of a call of Gemini's, behind another provider",
        ),
        pytest.param({"text": "a", "thoughtSignature": DETAILS}, [{"text": "a"}], id="of a text"),
        pytest.param({"text": "", "thoughtSignature": DETAILS}, [], id="of an empty text"),
        pytest.param(
            {
                "text": "",
                "thoughtSignature": encode_state(
                    {"extra_content": {"google": {"thought_signature": "c2ln"}}}
                ),
            },
            [{"text": "", "thoughtSignature": "c2ln"}],
            id="of a text of Gemini's",
        ),
        pytest.param(
            {**CALL, "thoughtSignature": "sluicev1???"},
            [{**CALL, "thoughtSignature": PLACEHOLDER}],
            id="broken",
        ),
    ],
)
def test_a_state_is_removed(part: Json, expected: list[Json]) -> None:
    body = model({"text": "before"}, part)
    before = copy.deepcopy(body)
    new = native_body(body)
    assert body == before, "the client's body is never changed"
    assert new["contents"][1]["parts"] == [{"text": "before"}, *expected]
    assert new["contents"][0] is body["contents"][0]


def test_sluices_own_fields_are_removed() -> None:
    body = {"contents": [HI], "hints": {"prefer": "cheap"}, "tags": {"a": 1}}
    assert native_body(body) == {"contents": [HI]}


@pytest.mark.parametrize(
    ("name", "value", "member", "expected"),
    [
        pytest.param("max_tokens", 5, "maxOutputTokens", 5, id="max_tokens"),
        pytest.param("max_completion_tokens", 5, "maxOutputTokens", 5, id="max_completion_tokens"),
        pytest.param("temperature", 0.5, "temperature", 0.5, id="temperature"),
        pytest.param("top_p", 0.5, "topP", 0.5, id="top_p"),
        pytest.param("top_k", 5, "topK", 5, id="top_k"),
        pytest.param("n", 2, "candidateCount", 2, id="n"),
        pytest.param("stop", "a", "stopSequences", ["a"], id="stop as text"),
        pytest.param("stop", ["a", "b"], "stopSequences", ["a", "b"], id="stop as a list"),
        pytest.param("seed", 5, "seed", 5, id="seed"),
        pytest.param("presence_penalty", 1, "presencePenalty", 1, id="presence_penalty"),
        pytest.param("frequency_penalty", 1, "frequencyPenalty", 1, id="frequency_penalty"),
        pytest.param("logprobs", True, "responseLogprobs", True, id="logprobs"),
        pytest.param("top_logprobs", 2, "logprobs", 2, id="top_logprobs"),
    ],
)
def test_the_effects_of_rules(name: str, value: Any, member: str, expected: Any) -> None:
    body = {"contents": [HI], "generationConfig": {"other": 1}}
    before = copy.deepcopy(body)
    new = EFFECTS[name](body, value)
    assert new["generationConfig"] == {"other": 1, member: expected}
    assert body == before
    assert EFFECTS[name]({"contents": [HI]}, value)["generationConfig"] == {member: expected}
    assert EFFECTS[name](new, None) == body


def test_an_effect_has_the_spelling_of_the_client() -> None:
    body = {"generation_config": {"max_output_tokens": 9, "top_p": 1}}
    assert EFFECTS["max_tokens"](body, 5) == {"generation_config": {"max_output_tokens": 5, "top_p": 1}}
    assert EFFECTS["max_tokens"](body, None) == {"generation_config": {"top_p": 1}}

"""Completions become responses of generateContent."""

from __future__ import annotations

from typing import Any

import pytest

from handler.errors import Json
from handler.formats.gemini.answer import response_of
from handler.formats.gemini.format import GeminiFormat
from handler.formats.opaque_state import decode_state
from tests.handler.formats.gemini.bodies import HI, PIXEL, parse
from tests.handler.formats.gemini.completions import DETAIL, USAGE, call, completion

PLACEHOLDER = "skip_thought_signature_validator"
FUNCTION = {"id": "c1", "name": "f", "args": {"a": 1}}
EXTRA = {"google": {"thought_signature": "c2ln"}}


def parts(*, thoughts: bool = True, **message: Any) -> Any:
    return response_of(completion(**message), thoughts=thoughts)["candidates"][0]["content"]["parts"]


def test_a_whole_answer() -> None:
    assert response_of(completion(content="hello"), thoughts=False) == {
        "candidates": [
            {"content": {"role": "model", "parts": [{"text": "hello"}]}, "finishReason": "STOP", "index": 0}
        ],
        "modelVersion": "openai/gpt-5",
        "responseId": "chatcmpl-1",
        "usageMetadata": {
            "promptTokenCount": 10,
            "candidatesTokenCount": 2,
            "totalTokenCount": 17,
            "thoughtsTokenCount": 5,
            "cachedContentTokenCount": 4,
        },
    }


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        pytest.param({"content": ""}, [{"text": ""}], id="an empty text"),
        pytest.param({"content": None}, [{"text": ""}], id="nothing"),
        pytest.param(
            {"content": "a", "reasoning_content": "t"},
            [{"text": "t", "thought": True}, {"text": "a"}],
            id="thoughts",
        ),
        pytest.param({"content": None, "refusal": "no"}, [{"text": "no"}], id="a refusal"),
        pytest.param(
            {"content": None, "tool_calls": [call()]},
            [{"functionCall": FUNCTION, "thoughtSignature": PLACEHOLDER}],
            id="a call without a signature",
        ),
        pytest.param(
            {"content": "a", "tool_calls": [call(thought_signature="c2ln"), call(id="c2")]},
            [
                {"text": "a"},
                {"functionCall": FUNCTION, "thoughtSignature": "c2ln"},
                {"functionCall": {**FUNCTION, "id": "c2"}},
            ],
            id="parallel calls of Gemini's",
        ),
        pytest.param(
            {"content": None, "tool_calls": [call(extra_content=EXTRA)]},
            [{"functionCall": FUNCTION, "thoughtSignature": "c2ln"}],
            id="a signature where Google's compatible API has it",
        ),
        pytest.param(
            {"content": "a", "extra_content": EXTRA},
            [{"text": "a"}, {"text": "", "thoughtSignature": "c2ln"}],
            id="of a text",
        ),
        pytest.param(
            {
                "content": "a",
                "images": [{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}],
            },
            [{"text": "a"}, {"inlineData": {"mimeType": "image/png", "data": PIXEL}}],
            id="an image",
        ),
        pytest.param(
            {"content": "a", "images": [{"image_url": {"url": "https://a.example/b"}}, {}, 1]},
            [{"text": "a"}, {"fileData": {"fileUri": "https://a.example/b"}}],
            id="an image by its address, and others that cannot be read",
        ),
    ],
)
def test_a_message_becomes_parts(message: Json, expected: list[Json]) -> None:
    assert parts(**message) == expected


def test_thoughts_are_sent_only_to_clients_that_ask_for_them() -> None:
    assert parts(thoughts=False, content="a", reasoning_content="t") == [{"text": "a"}]
    body = {"contents": [HI], "generation_config": {"thinking_config": {"include_thoughts": True}}}
    answer = completion(content="a", reasoning_content="t")
    for config, count in ((body, 2), ({"contents": [HI]}, 1)):
        answered = GeminiFormat("m").answer(answer, parse(config))
        assert len(answered["candidates"][0]["content"]["parts"]) == count


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        pytest.param("", {}, id="none"),
        pytest.param("null", {}, id="null"),
        pytest.param("[1]", {"value": [1]}, id="a list"),
        pytest.param('{"a": "cut of', {"_raw": '{"a": "cut of'}, id="cut off"),
        pytest.param('{"a": NaN}', {"_raw": '{"a": NaN}'}, id="no JSON"),
        pytest.param("[" * 9000, {"_raw": "[" * 9000}, id="too deep"),
        pytest.param("9" * 5000, {"_raw": "9" * 5000}, id="a number of too many digits"),
    ],
)
def test_arguments_are_always_an_object(arguments: str, expected: Json) -> None:
    assert parts(tool_calls=[call(arguments=arguments)])[0]["functionCall"]["args"] == expected


@pytest.mark.parametrize(
    ("message", "place", "state"),
    [
        pytest.param(
            {"tool_calls": [call(), call(id="c2")], "reasoning_details": [DETAIL]},
            0,
            {"reasoning_details": [DETAIL]},
            id="in the first call",
        ),
        pytest.param(
            {"tool_calls": [call(thought_signature="c2ln")], "reasoning_details": [DETAIL]},
            0,
            {"reasoning_details": [DETAIL], "thought_signature": "c2ln"},
            id="with a signature of Gemini's",
        ),
        pytest.param(
            {"tool_calls": [call(thought_signature="not base64!")]},
            0,
            {"thought_signature": "not base64!"},
            id="a signature that clients could not decode",
        ),
        pytest.param(
            {"content": "a", "reasoning_details": [DETAIL]},
            1,
            {"reasoning_details": [DETAIL]},
            id="behind the text",
        ),
        pytest.param(
            {"thoughts": False, "tool_calls": [call()], "reasoning_content": "t"},
            0,
            {"reasoning": "t"},
            id="thoughts that are not shown, in the first call",
        ),
        pytest.param(
            {
                "thoughts": False,
                "tool_calls": [call()],
                "reasoning_content": "t",
                "reasoning_details": [DETAIL],
            },
            0,
            {"reasoning_details": [DETAIL]},
            id="thoughts that are not shown, which are in the details",
        ),
        pytest.param(
            {"content": "a", "extra_content": {"google": {**EXTRA["google"], "thought_signatures": [1]}}},
            1,
            {"extra_content": {"google": {"thought_signature": "c2ln", "thought_signatures": [1]}}},
            id="several signatures of a text",
        ),
    ],
)
def test_the_state_of_the_answer_is_in_a_signature(message: Json, place: int, state: Json) -> None:
    found = parts(**message)
    assert decode_state(found[place]["thoughtSignature"]) == state
    assert [part for part in found if "thoughtSignature" in part] == [found[place]]


@pytest.mark.parametrize(
    ("reason", "message", "expected"),
    [
        pytest.param("stop", {}, {"finishReason": "STOP"}, id="stop"),
        pytest.param("tool_calls", {}, {"finishReason": "STOP"}, id="tool_calls"),
        pytest.param("length", {}, {"finishReason": "MAX_TOKENS"}, id="length"),
        pytest.param("content_filter", {}, {"finishReason": "SAFETY"}, id="content_filter"),
        pytest.param(
            "content_filter",
            {"refusal": "no"},
            {"finishReason": "SAFETY", "finishMessage": "no"},
            id="withheld",
        ),
        pytest.param("new", {}, {"finishReason": "OTHER"}, id="an unknown one"),
        pytest.param(
            "stop",
            {
                "annotations": [
                    {
                        "type": "url_citation",
                        "url_citation": {
                            "url": "https://a.example",
                            "title": "A",
                            "start_index": 1,
                            "end_index": 2,
                        },
                    },
                    {"type": "new"},
                ]
            },
            {
                "finishReason": "STOP",
                "citationMetadata": {
                    "citationSources": [
                        {"uri": "https://a.example", "startIndex": 1, "endIndex": 2, "title": "A"}
                    ]
                },
            },
            id="citations",
        ),
    ],
)
def test_the_end_of_an_answer(reason: str, message: Json, expected: Json) -> None:
    (candidate,) = response_of(completion(reason, content="a", **message), thoughts=True)["candidates"]
    assert {name: value for name, value in candidate.items() if name not in ("content", "index")} == expected


def test_log_probabilities() -> None:
    answer = completion(content="a")
    token = {"token": "a", "logprob": -0.5, "bytes": [97]}
    answer["choices"][0]["logprobs"] = {"content": [{**token, "top_logprobs": [token]}]}
    (candidate,) = response_of(answer, thoughts=False)["candidates"]
    chosen = {"token": "a", "logProbability": -0.5}
    assert candidate["logprobsResult"] == {
        "chosenCandidates": [chosen],
        "topCandidates": [{"candidates": [chosen]}],
    }


def test_the_explanation_and_the_cost_are_passed_on() -> None:
    answer = completion(content="a") | {"sluice": {"reason": "rule"}, "usage": {**USAGE, "cost": 0.5}}
    response = response_of(answer, thoughts=False)
    assert response["sluice"] == {"reason": "rule"}
    assert response["usageMetadata"]["cost"] == 0.5


def test_an_answer_without_usage_has_none() -> None:
    assert "usageMetadata" not in response_of(completion(content="a") | {"usage": None}, thoughts=False)

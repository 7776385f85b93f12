"""Tests of handler/answers/usage.py: usage as providers report it, and its cost in nano-dollars."""

from __future__ import annotations

from typing import Any

import pytest

from handler.answers.usage import Usage, estimated, output_bytes, summed, usage_of
from handler.errors import Json
from rules import Candidate
from tests.support.running_relay import model


def usage_object(prompt: Any = 10, completion: Any = 4, **more: Any) -> dict[str, Any]:
    return {"prompt_tokens": prompt, "completion_tokens": completion, **more}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param({"usage": usage_object()}, Usage(input=10, output=4), id="input and output tokens"),
        pytest.param(
            {"usage": usage_object(prompt_tokens_details={"cached_tokens": 8})},
            Usage(input=10, output=4, cached=8),
            id="cached tokens are a part of the input",
        ),
        pytest.param(
            {"usage": usage_object(prompt_cache_hit_tokens=8, prompt_cache_miss_tokens=2)},
            Usage(input=10, output=4, cached=8),
            id="DeepSeek reports cached tokens as cache hits",
        ),
        pytest.param(
            {"usage": usage_object(prompt_tokens_details={"cached_tokens": 80})},
            Usage(input=10, output=4, cached=10),
            id="cached tokens are at most the input",
        ),
        pytest.param(
            {"usage": usage_object(total_tokens=14, completion_tokens_details={"reasoning_tokens": 3})},
            Usage(input=10, output=4, reasoning=3),
            id="reasoning is a part of the output",
        ),
        pytest.param(
            {"usage": usage_object(total_tokens=34, completion_tokens_details={"reasoning_tokens": 20})},
            Usage(input=10, output=24, reasoning=20),
            id="reasoning that the total counts apart is added to the output",
        ),
        pytest.param(
            {"usage": usage_object(completion_tokens_details=None, prompt_tokens_details=None)},
            Usage(input=10, output=4),
            id="details that are null",
        ),
        pytest.param(
            {"usage": usage_object(None, 4.0)}, Usage(input=0, output=4), id="a count that is null is 0"
        ),
        pytest.param(
            {"usage": usage_object(-1, "x", total_tokens=float("inf"))},
            Usage(),
            id="a count that is not a number of tokens is 0",
        ),
        pytest.param(
            {"choices": [], "x_groq": {"usage": usage_object()}},
            Usage(input=10, output=4),
            id="usage in the field that Groq uses",
        ),
        pytest.param(
            {"choices": [{"usage": usage_object()}]},
            Usage(input=10, output=4),
            id="usage in a choice, as Moonshot sends it",
        ),
        pytest.param(
            {
                "usage": usage_object(
                    10,
                    prompt_tokens_details={
                        "cached_tokens": 3,
                        "cache_write_tokens": 5,
                        "cache_write_1h_tokens": 9,
                        "audio_tokens": 7,
                        "image_tokens": 7,
                    },
                )
            },
            Usage(input=10, output=4, cached=3, cache_write_1h=5, audio_input=2),
            id="parts of the input are at most the input together",
        ),
        pytest.param(
            {
                "usage": usage_object(
                    completion_tokens_details={"reasoning_tokens": 3, "audio_tokens": 3, "image_tokens": 3}
                )
            },
            Usage(input=10, output=4, reasoning=3, audio_output=1),
            id="parts of the output are at most the output together",
        ),
        pytest.param(
            {"usage": usage_object(prompt_tokens_details=[], completion_tokens_details="x")},
            Usage(input=10, output=4),
            id="details that are not objects",
        ),
        pytest.param(
            {"usage": usage_object(), "service_tier": "flex"},
            Usage(input=10, output=4, service_tier="flex"),
            id="the service tier of the answer",
        ),
        pytest.param(
            {"usage": usage_object(), "service_tier": ["flex"]},
            Usage(input=10, output=4),
            id="a service tier that is no text",
        ),
        *(
            pytest.param(
                {"usage": usage_object(**fields)}, Usage(input=10, output=4, stated_cost=nano), id=id
            )
            for fields, nano, id in (
                ({"cost": 0.0000105}, 10_500, "a stated cost"),
                ({"cost": 0}, 0, "a stated cost of 0"),
                ({"cost": -1}, None, "a stated cost below 0"),
                ({"cost": True}, None, "a stated cost that is a flag"),
                ({"cost": float("inf")}, None, "a stated cost that is infinite"),
                ({"cost": 10**400}, None, "a stated cost that is enormous"),
                ({"cost": "0.1"}, None, "a stated cost that is a text"),
                ({"cost": {"total_cost": 0.5}}, 500_000_000, "a stated cost with its parts"),
                ({"cost": {}}, None, "a stated cost without a total"),
                ({"cost": None}, None, "a stated cost that is null"),
                ({"cost_in_usd_ticks": 15}, 2, "a cost in ticks of a tenth of a nano-dollar"),
                ({"cost_in_usd_ticks": -5}, None, "a cost of ticks below 0"),
                ({"cost": 0.001, "is_byok": True, "cost_details": None}, 1_000_000, "a fee without details"),
                (
                    {"cost": 0.001, "is_byok": True, "cost_details": {"upstream_inference_cost": None}},
                    1_000_000,
                    "a fee with details that are null",
                ),
            )
        ),
        pytest.param({"usage": None, "choices": []}, None, id="usage null"),
        pytest.param({"usage": {}}, None, id="empty usage"),
        pytest.param({"usage": 7}, None, id="a number as usage"),
        pytest.param({}, None, id="no usage"),
    ],
)
def test_the_usage_of_an_answer(body: dict[str, Any], expected: Usage | None) -> None:
    assert usage_of(body) == expected


@pytest.mark.parametrize(
    ("usage", "reported"),
    [
        pytest.param({"total_tokens": 5}, False, id="a total alone"),
        pytest.param(usage_object(-1, -2), False, id="negative counts"),
        pytest.param(usage_object(0, 0), False, id="zeros"),
        pytest.param(usage_object(0, 4), True, id="output tokens alone"),
    ],
)
def test_usage_without_tokens_is_false(usage: dict[str, Any], reported: bool) -> None:
    assert bool(usage_of({"usage": usage})) is reported


def test_an_estimate_is_marked_as_estimated() -> None:
    assert estimated(input_tokens=12, output_bytes=9) == Usage(input=12, output=3, estimated=True)
    assert estimated(input_tokens=12, output_bytes=0).output == 0


@pytest.mark.parametrize(
    ("body", "size"),
    [
        pytest.param({"choices": [{"message": {"content": "Grüße"}}]}, 7, id="text in UTF-8"),
        pytest.param(
            {"choices": [{"delta": {"content": "ab"}}, {"delta": {"content": "c"}}]},
            3,
            id="the text of every choice",
        ),
        pytest.param(
            {"choices": [{"delta": {"reasoning_content": "ab", "refusal": "c"}}]},
            3,
            id="reasoning and refusals",
        ),
        pytest.param(
            {"choices": [{"message": {"tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]}}]},
            3,
            id="tool calls",
        ),
        pytest.param(
            {"choices": [{"message": {"function_call": {"name": "f", "arguments": "{}"}}}]},
            3,
            id="a legacy function call",
        ),
        pytest.param(
            {"choices": [{"delta": {"content": "b"}, "message": {"content": "ab"}}]},
            1,
            id="a delta, without the message so far",
        ),
        pytest.param(
            {"choices": [{"message": {"tool_calls": [{"custom": {"name": "f", "input": "ab"}}, 7]}}]},
            3,
            id="a call of a custom tool",
        ),
        pytest.param({"choices": [{"delta": {"content": "\ud83d"}}]}, 3, id="half a surrogate pair"),
        pytest.param(
            {"choices": [{"delta": {"content": None, "tool_calls": None}}, 7]},
            0,
            id="null content, and a choice that is not an object",
        ),
        pytest.param({}, 0, id="no choices"),
    ],
)
def test_the_text_of_an_answer_is_counted_in_bytes(body: dict[str, Any], size: int) -> None:
    assert output_bytes(body) == size


WASTED = [(Candidate(model("one/a")), Usage(input=5, output=3, cached=2, reasoning=1))]


@pytest.mark.parametrize(
    ("usage", "total"),
    [
        pytest.param(
            {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10},
            {"prompt_tokens": 12, "completion_tokens": 6, "total_tokens": 18},
            id="the three counts",
        ),
        pytest.param(
            {"prompt_tokens": 7, "completion_tokens": 0},
            {"prompt_tokens": 12, "completion_tokens": 3},
            id="a count that is absent is not added",
        ),
        pytest.param(
            {"prompt_tokens": 7, "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 4}},
            {"prompt_tokens": 12, "prompt_tokens_details": {"cached_tokens": 2, "audio_tokens": 4}},
            id="details that are present are added up too",
        ),
        pytest.param(
            {"completion_tokens": 9, "completion_tokens_details": {"reasoning_tokens": 8}, "cost_tier": "x"},
            {"completion_tokens": 12, "completion_tokens_details": {"reasoning_tokens": 9}, "cost_tier": "x"},
            id="other members are not changed",
        ),
        pytest.param(
            {"prompt_tokens": None, "total_tokens": "9"},
            {"prompt_tokens": None, "total_tokens": "9"},
            id="a count that is not a number is not changed",
        ),
    ],
)
def test_the_usage_of_earlier_attempts_is_added(usage: Json, total: Json) -> None:
    assert summed(usage, WASTED) == total
    assert summed(usage, []) == usage

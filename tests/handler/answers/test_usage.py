"""Usage as providers tell it, and what it costs in nano-dollars."""

from __future__ import annotations

from typing import Any

import pytest

from handler.answers.usage import Usage, cost, dollars, estimated, output_bytes, summed, usage_of
from handler.errors import Json
from rules import Candidate, Price
from tests.support.running_relay import model


def told(prompt: Any = 10, completion: Any = 4, **more: Any) -> dict[str, Any]:
    return {"prompt_tokens": prompt, "completion_tokens": completion, **more}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param({"usage": told()}, Usage(input=10, output=4), id="tokens in and out"),
        pytest.param(
            {"usage": told(prompt_tokens_details={"cached_tokens": 8})},
            Usage(input=10, output=4, cached=8),
            id="cached tokens are a part of the input",
        ),
        pytest.param(
            {"usage": told(prompt_cache_hit_tokens=8, prompt_cache_miss_tokens=2)},
            Usage(input=10, output=4, cached=8),
            id="DeepSeek calls them hits",
        ),
        pytest.param(
            {"usage": told(prompt_tokens_details={"cached_tokens": 80})},
            Usage(input=10, output=4, cached=10),
            id="not more can be cached than came in",
        ),
        pytest.param(
            {"usage": told(total_tokens=14, completion_tokens_details={"reasoning_tokens": 3})},
            Usage(input=10, output=4, reasoning=3),
            id="reasoning is a part of the output",
        ),
        pytest.param(
            {"usage": told(total_tokens=34, completion_tokens_details={"reasoning_tokens": 20})},
            Usage(input=10, output=24, reasoning=20),
            id="where the total says that it was counted apart, it is added",
        ),
        pytest.param(
            {"usage": told(completion_tokens_details=None, prompt_tokens_details=None)},
            Usage(input=10, output=4),
            id="details that are null tell nothing",
        ),
        pytest.param({"usage": told(None, 4.0)}, Usage(input=0, output=4), id="what is missing is none"),
        pytest.param(
            {"usage": told(-1, "x", total_tokens=float("inf"))},
            Usage(),
            id="what is no count of tokens is none",
        ),
        pytest.param(
            {"choices": [], "x_groq": {"usage": told()}}, Usage(input=10, output=4), id="Groq's own place"
        ),
        pytest.param({"choices": [{"usage": told()}]}, Usage(input=10, output=4), id="Moonshot's own place"),
        pytest.param({"usage": None, "choices": []}, None, id="null is no usage"),
        pytest.param({"usage": {}}, None, id="neither is an empty one"),
        pytest.param({"usage": 7}, None, id="nor a number"),
        pytest.param({}, None, id="nor nothing"),
    ],
)
def test_what_an_answer_used(body: dict[str, Any], expected: Usage | None) -> None:
    assert usage_of(body) == expected


@pytest.mark.parametrize(
    ("usage", "tells"),
    [
        pytest.param({"total_tokens": 5}, False, id="a total alone"),
        pytest.param(told(-1, -2), False, id="negative counts"),
        pytest.param(told(0, 0), False, id="no tokens at all"),
        pytest.param(told(0, 4), True, id="output alone"),
    ],
)
def test_a_usage_without_tokens_tells_nothing(usage: dict[str, Any], tells: bool) -> None:
    assert bool(usage_of({"usage": usage})) is tells


DEAR = Price(input=2_000_000_000, output=8_000_000_000, cached_input=500_000_000)  # $2, $8, $0.50 per million


@pytest.mark.parametrize(
    ("usage", "price", "nano"),
    [
        pytest.param(Usage(input=1000, output=500), DEAR, 6_000_000, id="input and output"),
        pytest.param(
            Usage(input=1000, output=500, cached=600), DEAR, 5_100_000, id="cached input is cheaper"
        ),
        pytest.param(
            Usage(input=1000, output=500, reasoning=400), DEAR, 6_000_000, id="reasoning is paid as output"
        ),
        pytest.param(
            Usage(input=1000, cached=1000),
            Price(input=1_000_000_000, output=0),
            1_000_000,
            id="cached at no price of its own",
        ),
        pytest.param(
            Usage(input=1000, cached=1000),
            Price(input=5, output=0, cached_input=0),
            0,
            id="cached for nothing",
        ),
        pytest.param(Usage(), DEAR, 0, id="nothing used"),
        pytest.param(Usage(input=7), Price(input=75_000, output=0), 1, id="half a nano-dollar is rounded"),
        pytest.param(
            Usage(input=10**12, output=10**12), DEAR, 10_000_000_000_000_000, id="no precision is lost"
        ),
    ],
)
def test_what_it_costs(usage: Usage, price: Price, nano: int) -> None:
    assert cost(usage, price) == nano


def test_dollars_are_for_people() -> None:
    assert dollars(6_000_000) == 0.006


def test_an_estimate_says_that_it_is_one() -> None:
    assert estimated(input_tokens=12, output_bytes=9) == Usage(input=12, output=3, estimated=True)
    assert estimated(input_tokens=12, output_bytes=0).output == 0


@pytest.mark.parametrize(
    ("body", "size"),
    [
        pytest.param(
            {"choices": [{"message": {"content": "Grüße"}}]}, 7, id="the text of an answer, in bytes"
        ),
        pytest.param(
            {"choices": [{"delta": {"content": "ab"}}, {"delta": {"content": "c"}}]}, 3, id="every choice"
        ),
        pytest.param(
            {"choices": [{"delta": {"reasoning_content": "ab", "refusal": "c"}}]}, 3, id="reasoning, refusals"
        ),
        pytest.param(
            {"choices": [{"message": {"tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]}}]},
            3,
            id="calls",
        ),
        pytest.param(
            {"choices": [{"message": {"function_call": {"name": "f", "arguments": "{}"}}}]},
            3,
            id="a legacy call",
        ),
        pytest.param(
            {"choices": [{"delta": {"content": "b"}, "message": {"content": "ab"}}]},
            1,
            id="not the text so far",
        ),
        pytest.param(
            {"choices": [{"message": {"tool_calls": [{"custom": {"name": "f", "input": "ab"}}, 7]}}]},
            3,
            id="a call of a custom tool",
        ),
        pytest.param({"choices": [{"delta": {"content": "\ud83d"}}]}, 3, id="half a surrogate pair"),
        pytest.param({"choices": [{"delta": {"content": None, "tool_calls": None}}, 7]}, 0, id="nothing"),
        pytest.param({}, 0, id="no choices"),
    ],
)
def test_how_much_text_an_answer_brings(body: dict[str, Any], size: int) -> None:
    assert output_bytes(body) == size


SPENT = [(Candidate(model("one/a")), Usage(input=5, output=3, cached=2, reasoning=1))]


@pytest.mark.parametrize(
    ("usage", "all_told"),
    [
        pytest.param(
            {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10},
            {"prompt_tokens": 12, "completion_tokens": 6, "total_tokens": 18},
            id="the three counts",
        ),
        pytest.param(
            {"prompt_tokens": 7, "completion_tokens": 0},
            {"prompt_tokens": 12, "completion_tokens": 3},
            id="what is not there stays away",
        ),
        pytest.param(
            {"prompt_tokens": 7, "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 4}},
            {"prompt_tokens": 12, "prompt_tokens_details": {"cached_tokens": 2, "audio_tokens": 4}},
            id="details that are there count too",
        ),
        pytest.param(
            {"completion_tokens": 9, "completion_tokens_details": {"reasoning_tokens": 8}, "cost_tier": "x"},
            {"completion_tokens": 12, "completion_tokens_details": {"reasoning_tokens": 9}, "cost_tier": "x"},
            id="a provider's own members stay",
        ),
        pytest.param(
            {"prompt_tokens": None, "total_tokens": "9"},
            {"prompt_tokens": None, "total_tokens": "9"},
            id="what is no number stays",
        ),
    ],
)
def test_usage_includes_that_of_earlier_attempts(usage: Json, all_told: Json) -> None:
    assert summed(usage, SPENT) == all_told
    assert summed(usage, []) == usage

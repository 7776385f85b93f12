"""The Response object of a completion: its output, and everything around it."""

from __future__ import annotations

from typing import Any

import pytest

from handler.errors import Json
from handler.formats.responses.format import RESPONSES
from tests.handler.formats.responses.answers import ANSWERS, TOKEN, completion
from tests.handler.formats.responses.events import HEAD, USAGE
from tests.handler.formats.responses.requests import CODEX, TOOLS, parse


def answer(given: Json, **request: Any) -> Json:
    return RESPONSES.answer(given, parse(**request))


@pytest.mark.parametrize("case", ANSWERS)
def test_a_message_becomes_output_items(case: str) -> None:
    given, expected = ANSWERS[case]
    response = answer(given, tools=TOOLS)
    assert response["output"] == expected
    reason = {"length": "max_output_tokens", "content_filter": "content_filter"}.get(
        given["choices"][0]["finish_reason"]
    )
    assert response["status"] == ("incomplete" if reason else "completed")
    assert response["incomplete_details"] == ({"reason": reason} if reason else None)


def test_the_object_has_all_members() -> None:
    response = answer(completion(content="Hello"))
    id = response.pop("id")
    assert id.startswith("resp_")
    assert len(id) <= 64
    del response["output"]
    assert response == {
        "object": "response",
        "created_at": HEAD["created"],
        "status": "completed",
        "model": HEAD["model"],
        "error": None,
        "incomplete_details": None,
        "service_tier": None,
        "background": False,
        "instructions": None,
        "max_output_tokens": None,
        "max_tool_calls": None,
        "metadata": {},
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "prompt_cache_key": None,
        "reasoning": {"effort": None, "summary": None},
        "safety_identifier": None,
        "store": False,
        "temperature": None,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_logprobs": 0,
        "top_p": None,
        "truncation": "disabled",
        "user": None,
        "usage": {
            "input_tokens": 9,
            "input_tokens_details": {"cached_tokens": 2, "cache_write_tokens": 0},
            "output_tokens": 4,
            "output_tokens_details": {"reasoning_tokens": 1},
            "total_tokens": 13,
        },
    }


def test_the_object_repeats_the_request() -> None:
    response = answer(completion(content="Hello"), **CODEX)
    for name in ("tools", "tool_choice", "parallel_tool_calls", "prompt_cache_key"):
        assert response[name] == CODEX[name]
    verbose = answer(completion(content="Hello"), text={"verbosity": "low"}, store=True, truncation="auto")
    assert verbose["text"] == {"format": {"type": "text"}, "verbosity": "low"}
    assert (verbose["store"], verbose["truncation"]) == (False, "disabled")


def test_costs_tier_and_explanation_are_passed_on() -> None:
    usage = {**USAGE, "cost": 0.5, "cost_details": {"input": 0.5}, "cost_estimated": True}
    given = {
        **completion(content="Hello"),
        "usage": usage,
        "service_tier": "flex",
        "sluice": {"reason": "rule"},
    }
    response = answer(given)
    assert (response["service_tier"], response["sluice"]) == ("flex", {"reason": "rule"})
    names = ("cost", "cost_details", "cost_estimated")
    assert [response["usage"][name] for name in names] == [0.5, {"input": 0.5}, True]


def test_probabilities_of_tokens() -> None:
    given = completion(content="Hi", logprobs=[{**TOKEN, "bytes": None, "top_logprobs": [{**TOKEN}]}])
    part = answer(given)["output"][0]["content"][0]
    inner = {"token": "Hi", "logprob": -0.1, "bytes": [72, 105]}
    assert part["logprobs"] == [{"token": "Hi", "logprob": -0.1, "bytes": [], "top_logprobs": [inner]}]


def test_ids_depend_on_the_completion_only() -> None:
    one, same = answer(completion(content="a")), answer(completion(content="b"), model="m")
    other = answer({**completion(content="a"), "id": "chatcmpl-2"})
    assert one["id"] == same["id"] != other["id"]
    assert one["output"][0]["id"] == same["output"][0]["id"] != other["output"][0]["id"]


POOR: dict[str, Json] = {
    "an empty object": {},
    "no choice": {"choices": []},
    "a choice without a message": {"choices": [{}]},
    "members of wrong types": {
        "id": 1,
        "created": "now",
        "model": None,
        "usage": {"prompt_tokens": "9"},
        "choices": [
            {
                "message": {
                    "content": 1,
                    "reasoning_content": [],
                    "reasoning_details": "x",
                    "annotations": "x",
                    "images": [1],
                    "tool_calls": [{"function": None}, {"custom": 1}],
                }
            }
        ],
    },
}


@pytest.mark.parametrize("case", POOR)
def test_a_poor_completion_is_still_an_answer(case: str) -> None:
    assert answer(POOR[case], model="m")["status"] == "completed"

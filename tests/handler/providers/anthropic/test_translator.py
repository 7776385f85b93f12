"""What the Anthropic translator makes of answers and streams, beside its captures, and what goes back."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest

from handler.answers.usage import usage_of
from handler.errors import Json, UpstreamError
from handler.providers.anthropic.translator import Anthropic
from handler.providers.content_blocks.names import encode_name
from handler.providers.provider import Quirks
from tests.handler.providers.anthropic.test_request import NEWEST, TOOL, request, text, use, user
from tests.handler.providers.wire_cases import WIRE, chunks_of, completion_of, events_of, fold, read_file


def message(*blocks: Json, stop: Any = "end_turn", **more: Any) -> Json:
    usage = {"input_tokens": 1, "output_tokens": 1}
    return {
        "id": "m",
        "type": "message",
        "model": NEWEST,
        "content": list(blocks),
        "stop_reason": stop,
        "usage": usage,
        **more,
    }


def response(body: Json, **more: Any) -> Json:
    choice: Json = Anthropic().response(body, Quirks(), **more)["choices"][0]
    return choice


def test_a_custom_tools_call_is_told_as_text() -> None:
    made = use("1", {"input": "select 1"}, encode_name("sql", custom=True))
    expected = {"id": "1", "type": "custom", "custom": {"name": "sql", "input": "select 1"}}
    assert response(message(made))["message"]["tool_calls"] == [expected]
    told = chunks(
        START, *block(made, {"type": "input_json_delta", "partial_json": '{"input":"select 1"}'}), STOP
    )
    assert [one for one in deltas(told) if "tool_calls" in one] == [
        {"tool_calls": [{"index": 0, **expected}]}
    ]


@pytest.mark.parametrize(
    ("stop", "blocks", "expected"),
    [
        pytest.param("pause_turn", [], "stop", id="pause_turn"),
        pytest.param("max_tokens", [use("1")], "length", id="max_tokens after a call"),
        pytest.param("some_day", [use("1")], "tool_calls", id="an unknown reason after a call"),
        pytest.param(None, [text("A")], "stop", id="no reason"),
    ],
)
def test_finish_reasons(stop: Any, blocks: list[Json], expected: str) -> None:
    assert response(message(*blocks, stop=stop))["finish_reason"] == expected


@pytest.mark.parametrize(
    ("body", "failure_class"),
    [
        pytest.param(
            {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
            "overloaded",
            id="an error with status 200",
        ),
        pytest.param({"id": "x"}, "protocol", id="no content"),
        pytest.param({"content": [1]}, "protocol", id="blocks that are not objects"),
    ],
)
def test_an_answer_that_is_none(body: Json, failure_class: str) -> None:
    with pytest.raises(UpstreamError) as raised:
        response(body)
    assert raised.value.failure_class == failure_class


def test_the_cost_knows_what_came_from_the_cache() -> None:
    usage = usage_of(completion_of(WIRE / "anthropic" / "cached-usage"))
    assert usage is not None
    assert (usage.input, usage.cached, usage.output) == (1908, 1800, 4)


def test_too_large_a_request_says_so() -> None:
    error = Anthropic().error(413, {}, b'{"type":"error","error":{"type":"request_too_large","message":"m"}}')
    assert (error.status, error.code) == (413, "request_too_large")


def test_a_key_in_an_error_is_not_shown() -> None:
    body = b'{"type":"error","error":{"type":"authentication_error","message":"sk-ant-api03-abcdefghij"}}'
    assert "sk-ant" not in str(Anthropic().error(401, {}, body))


START: Json = {"type": "message_start", "message": {"id": "m", "model": NEWEST, "usage": {"input_tokens": 1}}}
STOP: Json = {"type": "message_stop"}


def block(start: Json, *steps: Json, index: int = 0) -> list[Json]:
    """The events of one content block."""
    return [
        {"type": "content_block_start", "index": index, "content_block": start},
        *({"type": "content_block_delta", "index": index, "delta": step} for step in steps),
        {"type": "content_block_stop", "index": index},
    ]


def chunks(*told: Json | str) -> list[Json]:
    decoder = Anthropic().stream(Quirks())
    data = [one if isinstance(one, str) else json.dumps(one) for one in told]
    return [*(chunk for one in data for chunk in decoder.feed(one)), *decoder.close()]


def deltas(told: list[Json]) -> list[Json]:
    return [choice["delta"] for chunk in told for choice in chunk["choices"]]


def ended(reason: str) -> Json:
    return {"type": "message_delta", "delta": {"stop_reason": reason}, "usage": {"output_tokens": 5}}


def test_an_input_that_is_there_at_once_is_told_once() -> None:
    told = chunks(START, *block(use("1", {"a": 1})), ended("tool_use"), STOP)
    calls = [one["tool_calls"][0] for one in deltas(told) if "tool_calls" in one]
    assert [one["function"]["arguments"] for one in calls] == ["", '{"a":1}']


def test_the_first_piece_of_an_input_is_empty_and_means_nothing() -> None:
    steps = [{"type": "input_json_delta", "partial_json": piece} for piece in ("", '{"a":', "1}")]
    told = chunks(START, *block(use("1"), *steps), ended("tool_use"), STOP)
    calls = [one["tool_calls"][0] for one in deltas(told) if "tool_calls" in one]
    assert [one["function"]["arguments"] for one in calls] == ["", '{"a":', "1}"]


def test_usage_is_the_latest_of_each_field() -> None:
    late = {
        **ended("end_turn"),
        "usage": {"output_tokens": 9, "input_tokens": 4, "cache_read_input_tokens": None},
    }
    assert chunks(START, ended("end_turn"), late, STOP)[-1]["usage"]["total_tokens"] == 13


def test_a_stream_that_stops_without_a_reason_has_one() -> None:
    assert chunks(START, *block(text("Hi")), STOP)[-2]["choices"][0]["finish_reason"] == "stop"


def test_a_stream_that_ends_after_its_reason_is_whole() -> None:
    assert chunks(START, *block(text("Hi")), ended("end_turn"))[-1]["usage"]["completion_tokens"] == 5


def test_one_event_that_cannot_be_read_is_skipped_and_a_second_is_a_failure() -> None:
    assert (
        chunks(START, "{", "[DONE]", "", ended("end_turn"), STOP)[-2]["choices"][0]["finish_reason"] == "stop"
    )
    with pytest.raises(UpstreamError) as raised:
        chunks(START, "{", json.dumps({"type": "content_block_stop", "index": 7}), STOP)
    assert raised.value.failure_class == "protocol"


def test_an_error_in_a_stream_has_the_class_of_its_type() -> None:
    with pytest.raises(UpstreamError) as raised:
        chunks(
            START,
            {
                "type": "error",
                "error": {"type": "invalid_request_error", "message": "prompt is too long: 2 > 1"},
            },
        )
    assert raised.value.failure_class == "context_length"


def test_thoughts_of_a_stream_are_those_of_the_whole_answer() -> None:
    for name in ("thinking", "thinking-omitted", "several-texts"):
        case = WIRE / "anthropic" / name
        told = [one for delta in deltas(chunks_of(case)) for one in delta.get("reasoning_details", ())]
        assert told == completion_of(case)["choices"][0]["message"]["reasoning_details"]
        assert [one["index"] for one in told] == list(range(len(told)))


def test_what_an_answer_gives_can_be_sent_back() -> None:
    """A turn of an answer, as a client keeps it, goes back as the blocks it came as."""
    for case in WIRE.glob("anthropic/*/whole.json"):
        body = json.loads(case.read_text(encoding="utf-8"))
        kept = [
            one
            for one in body["content"]
            if one["type"] in ("thinking", "redacted_thinking", "text", "tool_use")
        ]
        if not kept or read_file(case.parent, "about.json").get("legacy"):
            continue
        back = completion_of(case.parent)["choices"][0]["message"]
        chat = {"messages": [user("A"), back, user("B")], "tools": [TOOL], "reasoning_effort": "high"}
        sent = request(chat, body["model"])[0]["messages"][1]["content"]
        assert [one for one in sent if one["type"] == "tool_use"] == [
            one for one in kept if one["type"] == "tool_use"
        ]
        assert "".join(one.get("text", "") for one in sent) == "".join(one.get("text", "") for one in kept)
        if "thinking" in request(chat, body["model"])[0]:
            thoughts = [one for one in sent if "thinking" in one["type"]]
            assert thoughts == [one for one in kept if "thinking" in one["type"]]


def test_roles_alternate_in_everything_that_is_sent() -> None:
    for case in WIRE.glob("anthropic/*/request.json"):
        roles = [turn["role"] for turn in json.loads(case.read_text(encoding="utf-8"))["messages"]]
        assert roles[0] == "user"
        assert all(one != other for one, other in pairwise(roles))


def test_a_stream_folds_to_legacy_calls_too() -> None:
    case = WIRE / "anthropic" / "legacy"
    assert list(events_of(case, 7))
    assert fold(chunks_of(case))["choices"][0]["message"]["function_call"]["name"] == "weather"

"""Streams of Anthropic's Messages."""

from __future__ import annotations

import json

import pytest

from handler.errors import Json, UpstreamError
from handler.providers.anthropic.translator import Anthropic
from handler.providers.content_blocks.names import encode_name
from handler.providers.provider import Quirks
from tests.handler.providers.anthropic.test_answer import message, response
from tests.handler.providers.content_blocks.builders import (
    NEWEST,
    text,
    tool_use,
)
from tests.handler.providers.wire_cases import WIRE, chunks_of, completion_of, events_of, fold


def test_a_call_of_a_custom_tool_has_text() -> None:
    block = tool_use("1", {"input": "select 1"}, encode_name("sql", custom=True))
    expected = {"id": "1", "type": "custom", "custom": {"name": "sql", "input": "select 1"}}
    assert response(message(block))["message"]["tool_calls"] == [expected]
    delta = {"type": "input_json_delta", "partial_json": '{"input":"select 1"}'}
    assert calls(START, *block_events(block, delta), STOP) == [{"index": 0, **expected}]


START: Json = {"type": "message_start", "message": {"id": "m", "model": NEWEST, "usage": {"input_tokens": 1}}}
STOP: Json = {"type": "message_stop"}


def block_events(start: Json, *steps: Json, index: int = 0) -> list[Json]:
    """Return the events of one content block."""
    return [
        {"type": "content_block_start", "index": index, "content_block": start},
        *({"type": "content_block_delta", "index": index, "delta": step} for step in steps),
        {"type": "content_block_stop", "index": index},
    ]


def chunks(*stream: Json | str) -> list[Json]:
    decoder = Anthropic().stream(Quirks())
    data = [one if isinstance(one, str) else json.dumps(one) for one in stream]
    return [*(chunk for one in data for chunk in decoder.feed(one)), *decoder.close()]


def deltas(chunks: list[Json]) -> list[Json]:
    return [choice["delta"] for chunk in chunks for choice in chunk["choices"]]


def calls(*stream: Json) -> list[Json]:
    """Return the pieces of tool calls in the chunks of a stream."""
    return [one["tool_calls"][0] for one in deltas(chunks(*stream)) if "tool_calls" in one]


def stop(reason: str) -> Json:
    return {"type": "message_delta", "delta": {"stop_reason": reason}, "usage": {"output_tokens": 5}}


def test_an_input_that_comes_with_the_start_is_sent_once() -> None:
    found = calls(START, *block_events(tool_use("1", {"a": 1})), stop("tool_use"), STOP)
    assert [one["function"]["arguments"] for one in found] == ["", '{"a":1}']


def test_an_empty_piece_of_an_input_is_skipped() -> None:
    steps = [{"type": "input_json_delta", "partial_json": piece} for piece in ("", '{"a":', "1}")]
    found = calls(START, *block_events(tool_use("1"), *steps), stop("tool_use"), STOP)
    assert [one["function"]["arguments"] for one in found] == ["", '{"a":', "1}"]


def test_usage_has_the_latest_value_of_each_field() -> None:
    late = {
        **stop("end_turn"),
        "usage": {"output_tokens": 9, "input_tokens": 4, "cache_read_input_tokens": None},
    }
    assert chunks(START, stop("end_turn"), late, STOP)[-1]["usage"]["total_tokens"] == 13


def test_a_stream_without_a_stop_reason_finishes_with_stop() -> None:
    assert chunks(START, *block_events(text("Hi")), STOP)[-2]["choices"][0]["finish_reason"] == "stop"


def test_a_stream_that_ends_after_its_stop_reason_is_complete() -> None:
    assert chunks(START, *block_events(text("Hi")), stop("end_turn"))[-1]["usage"]["completion_tokens"] == 5


def test_one_malformed_event_is_skipped_and_a_second_is_a_failure() -> None:
    found = chunks(START, "{", "[DONE]", "", stop("end_turn"), STOP)
    assert found[-2]["choices"][0]["finish_reason"] == "stop"
    with pytest.raises(UpstreamError) as raised:
        chunks(START, "{", json.dumps({"type": "content_block_stop", "index": 7}), STOP)
    assert raised.value.failure_class == "protocol"


def test_an_error_event_has_the_class_of_its_type() -> None:
    error = {"type": "invalid_request_error", "message": "prompt is too long: 2 > 1"}
    with pytest.raises(UpstreamError) as raised:
        chunks(START, {"type": "error", "error": error})
    assert raised.value.failure_class == "context_length"


def test_a_stream_has_the_same_reasoning_details_as_the_whole_answer() -> None:
    for name in ("thinking", "thinking-omitted", "several-texts"):
        case = WIRE / "anthropic" / name
        found = [one for delta in deltas(chunks_of(case)) for one in delta.get("reasoning_details", ())]
        assert found == completion_of(case)["choices"][0]["message"]["reasoning_details"]
        assert [one["index"] for one in found] == list(range(len(found)))


def test_a_stream_in_the_legacy_form_has_function_calls() -> None:
    case = WIRE / "anthropic" / "legacy"
    assert list(events_of(case, 7))
    assert fold(chunks_of(case))["choices"][0]["message"]["function_call"]["name"] == "weather"

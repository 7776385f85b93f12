"""The events of a stream: their order, what they add up to, and how a stream ends that broke off."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest

from handler.errors import (
    BudgetExceeded,
    GatewayError,
    InternalError,
    InvalidRequest,
    Json,
    RateLimited,
    UpstreamError,
)
from handler.formats.opaque_state import decode_state
from handler.formats.responses.format import RESPONSES
from handler.wire import sse
from tests.handler.formats.responses.answers import ANSWERS, CALL, DETAIL, TOKEN, completion
from tests.handler.formats.responses.events import HEAD, USAGE, chunks_of, fold, ordered, read, stream
from tests.handler.formats.responses.requests import TOOLS, parse


@pytest.mark.parametrize("case", ANSWERS)
def test_the_folded_stream_equals_the_whole_answer(case: str) -> None:
    chat = parse(tools=TOOLS, stream=True)
    given = ordered(ANSWERS[case][0])
    whole = RESPONSES.answer(given, chat)
    for seed in range(5):
        events = stream(chat, chunks_of(given, Random(seed)))
        assert fold(events) == whole
        assert events[-1]["type"] == f"response.{whole['status']}"


def test_the_events_of_a_text() -> None:
    events = stream(parse(stream=True), chunks_of(completion(content="Hello")))
    assert [event["type"].removeprefix("response.") for event in events] == [
        *("created", "in_progress", "output_item.added", "content_part.added", "output_text.delta"),
        *("output_text.done", "content_part.done", "output_item.done", "completed"),
    ]


def test_the_events_of_reasoning_and_calls() -> None:
    given = completion("tool_calls", reasoning_content="Hm.", tool_calls=[CALL, {**CALL, "id": "c2"}])
    events = stream(parse(stream=True), chunks_of(given))
    assert [event["type"].removeprefix("response.") for event in events[2:]] == [
        *("output_item.added", "reasoning_summary_part.added", "reasoning_summary_text.delta"),
        *("reasoning_summary_text.done", "reasoning_summary_part.done", "output_item.done"),
        *("output_item.added", "function_call_arguments.delta"),
        *("output_item.added", "function_call_arguments.delta"),
        *("function_call_arguments.done", "output_item.done"),
        *("function_call_arguments.done", "output_item.done", "completed"),
    ]


def _stream_of(*deltas: Json) -> Json:
    chunks = [{**HEAD, "choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    return fold(stream(parse(tools=TOOLS, stream=True), chunks))


def test_thinking_between_texts_and_calls_keeps_its_order_and_state() -> None:
    second = {**DETAIL, "text": "Oh.", "index": 1}
    response = _stream_of(
        {"reasoning_content": "Hm."},
        {"reasoning_details": [DETAIL]},
        {"content": "Well."},
        {"reasoning_content": "Oh."},
        {"reasoning_details": [second]},
        {"tool_calls": [{**CALL, "index": 0}]},
    )
    kinds = [item["type"] for item in response["output"]]
    assert kinds == ["reasoning", "message", "reasoning", "function_call"]
    states = [decode_state(response["output"][place]["encrypted_content"]) for place in (0, 2)]
    assert states == [{"reasoning_details": [DETAIL]}, {"reasoning_details": [second]}]


def test_pieces_of_a_detail_are_joined() -> None:
    pieces = [{"type": "reasoning.text", "index": 0, "text": text} for text in ("H", "m", ".")]
    signed = {"type": "reasoning.text", "index": 0, "signature": "s", "text": None}
    sealed = {"type": "reasoning.encrypted", "index": 0, "data": "AA=="}
    response = _stream_of(
        *({"reasoning_details": [one]} for one in (*pieces, signed, sealed)), {"content": "x"}
    )
    state = decode_state(response["output"][0]["encrypted_content"])
    assert state == {
        "reasoning_details": [
            {"type": "reasoning.text", "index": 0, "text": "Hm.", "signature": "s"},
            sealed,
        ]
    }


def test_pieces_of_calls_may_be_mixed() -> None:
    response = _stream_of(
        {"tool_calls": [{**CALL, "index": 0, "function": {"name": "f", "arguments": "{"}}]},
        {"tool_calls": [{**CALL, "id": "c2", "index": 1, "function": {"name": "f", "arguments": "["}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": "}"}}]},
        {"tool_calls": [{"index": 1, "function": {"arguments": "]"}}]},
    )
    assert [item["arguments"] for item in response["output"]] == ["{}", "[]"]


def test_a_piece_that_comes_after_its_call_is_in_the_whole_response() -> None:
    chunks = [
        {**HEAD, "choices": [{"index": 0, "delta": delta}]}
        for delta in (
            {"tool_calls": [{**CALL, "index": 0, "function": {"name": "f", "arguments": "{"}}]},
            {"content": "Well."},
            {"tool_calls": [{"index": 0, "function": {"arguments": "}"}}]},
        )
    ]
    events = stream(parse(tools=TOOLS, stream=True), chunks)
    assert events[-1]["response"]["output"][0]["arguments"] == "{}"


def test_probabilities_come_with_their_text() -> None:
    chunk = {
        **HEAD,
        "choices": [{"index": 0, "delta": {"content": "Hi"}, "logprobs": {"content": [TOKEN]}}],
    }
    events = stream(parse(stream=True), [chunk, chunk])
    assert [event["logprobs"] for event in events if event["type"].endswith("text.delta")] == [[TOKEN]] * 2
    assert fold(events)["output"][0]["content"][0]["logprobs"] == [TOKEN, TOKEN]


def test_other_choices_are_ignored() -> None:
    chunk = {**HEAD, "choices": [{"index": 1, "delta": {"content": "Hi"}}]}
    assert fold(stream(parse(stream=True), [chunk]))["output"] == []


def test_usage_and_explanation_are_in_the_last_event_only() -> None:
    chunks = chunks_of(completion(content="Hello"))
    events = stream(parse(stream=True), [*chunks[:-1], {**chunks[-1], "sluice": {"reason": "rule"}}])
    assert events[-1]["response"]["sluice"] == {"reason": "rule"}
    assert events[-1]["response"]["usage"]["input_tokens"] == USAGE["prompt_tokens"]
    assert events[0]["response"]["usage"] is None


def failed(code: str, message: str) -> Json:
    return {"code": code, "message": message}


FAILURES: dict[str, tuple[GatewayError, Json]] = {
    "a rate limit, with the time that Codex waits": (
        RateLimited("Too many requests.", retry_after=2.5),
        failed("rate_limit_exceeded", "Too many requests. Please try again in 2.5s."),
    ),
    "a context that is too long": (
        InvalidRequest("Too long.", code="context_length_exceeded"),
        failed("context_length_exceeded", "Too long."),
    ),
    "a budget that is used up": (BudgetExceeded("Over."), failed("insufficient_quota", "Over.")),
    "an invalid request, which is not sent again": (
        InvalidRequest("No.", param="input"),
        failed("invalid_prompt", "No."),
    ),
    "a provider that failed": (
        UpstreamError("Broken.", failure_class="server"),
        failed("server_error", "Broken."),
    ),
    "a mistake of ours": (InternalError("Sorry."), failed("server_error", "Sorry.")),
}


@pytest.mark.parametrize("case", FAILURES)
def test_a_failure_is_the_last_event(case: str) -> None:
    error, expected = FAILURES[case]
    for chunks in ([], chunks_of(completion(content="Hello"))[:2]):
        encoder = RESPONSES.encoder(parse(model="m", stream=True))
        events = read(b"".join([*map(encoder.feed, chunks), encoder.fail(error)]))
        assert events[0]["type"] == "response.created"
        last = events[-1]
        assert last["type"] == "response.failed"
        assert last["response"]["status"] == "failed"
        assert last["response"]["error"] == expected
        assert last["response"]["id"] == events[0]["response"]["id"]


def test_a_relayed_stream_that_breaks_off_ends_with_a_failure_of_the_same_response() -> None:
    created = {"type": "response.created", "sequence_number": 0, "response": {"id": "resp_1", "output": []}}
    delta = {"type": "response.output_text.delta", "sequence_number": 1, "delta": "Hi"}
    encoder = RESPONSES.encoder(parse(stream=True))
    frames = [sse.encode(json.dumps(event), str(event["type"])) for event in (created, delta)]
    assert [encoder.relay(frame) for frame in frames] == frames
    events = read(b"".join([*frames, encoder.fail(InternalError("Sorry."))]))
    assert events[2]["type"] == "response.failed"
    assert (events[2]["response"]["id"], events[2]["response"]["status"]) == ("resp_1", "failed")


def test_a_relayed_event_that_cannot_be_read_is_passed_on() -> None:
    for frame in (b"data: {\n\n", b": comment\n\n", b'data: {"response": 1}\n\n'):
        encoder = RESPONSES.encoder(parse(model="m", stream=True))
        assert encoder.relay(frame) == frame
        assert b"response.failed" in encoder.fail(InternalError("Sorry."))


def test_a_stream_without_chunks_is_complete() -> None:
    assert fold(stream(parse(model="m", stream=True), []))["output"] == []


def test_any_text_is_valid_json_and_utf_8() -> None:
    text = "a\u2028b\ud83dc\r\n\x00"
    chunks: list[Any] = chunks_of(completion(content=text))
    assert fold(stream(parse(stream=True), chunks))["output"][0]["content"][0]["text"] == text

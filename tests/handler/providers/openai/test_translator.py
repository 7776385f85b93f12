"""The OpenAI translator: answers and streams that differ from OpenAI's own are corrected."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.answers.usage import output_bytes, usage_of
from handler.errors import ACTIONS, Json, UpstreamError
from handler.providers.openai.translator import OpenAI
from handler.providers.provider import Quirks

LOOK: Json = {"id": "c", "type": "function", "function": {"name": "look", "arguments": "{}"}}


def whole(message: Any = None, finish: Any = "stop", **more: Any) -> Json:
    part = {"role": "assistant", "content": "Hi"} if message is None else message
    head = {"id": "1", "object": "chat.completion", "created": 1}
    return {**head, "choices": [{"index": 0, "message": part, "finish_reason": finish}], **more}


def test_an_answer_that_needs_no_correction_is_the_same_object() -> None:
    usage = {"prompt_tokens": 1, "completion_tokens": 0, "total_tokens": 1}
    body = whole(usage=usage, error=None, base_resp={"status_code": 0})
    assert OpenAI().response(body, Quirks(finish_reasons={"eos": "stop"})) is body


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"choices": []}, id="no choice"),
        pytest.param({"choices": "x"}, id="choices of another type"),
        pytest.param({"choices": [1]}, id="a choice of another type"),
        pytest.param({"choices": [{"index": 0}]}, id="a choice without a message"),
        pytest.param({"choices": [{"message": {"tool_calls": [1]}}]}, id="a call of another type"),
    ],
)
def test_an_answer_without_valid_choices_is_a_protocol_failure(body: Json) -> None:
    with pytest.raises(UpstreamError) as raised:
        OpenAI().response(body, Quirks())
    assert raised.value.failure_class == "protocol"


@pytest.mark.parametrize(
    ("quirks", "finish", "calls", "expected"),
    [
        pytest.param(
            Quirks(finish_reasons={"eos": "stop"}), "eos", [], "stop", id="its finish reason becomes OpenAI's"
        ),
        pytest.param(Quirks(), "odd", [], "stop", id="an unknown reason is ignored"),
        pytest.param(Quirks(), "odd", [LOOK], "tool_calls", id="an unknown reason with a call"),
        pytest.param(Quirks(), "MAX_TOKENS", [], "length", id="another provider's reason"),
        pytest.param(Quirks(), "", [], "stop", id="an empty reason without a call"),
        pytest.param(Quirks(), None, [LOOK], "tool_calls", id="no reason with a call"),
        pytest.param(
            Quirks(), "stop", [LOOK], "stop", id="OpenAI sends stop after a forced call, and that stays"
        ),
        pytest.param(
            Quirks(finish_by_calls=True),
            "stop",
            [LOOK],
            "tool_calls",
            id="stop after a call becomes tool_calls",
        ),
        pytest.param(Quirks(finish_by_calls=True), "length", [LOOK], "length", id="length stays with a call"),
    ],
)
def test_finish_reasons(quirks: Quirks, finish: Any, calls: list[Json], expected: str) -> None:
    message = {"role": "assistant", "content": None, "tool_calls": calls}
    answer = OpenAI().response(whole(message, finish), quirks)
    assert answer["choices"][0]["finish_reason"] == expected


def test_a_finish_reason_that_means_an_error_is_a_failure() -> None:
    with pytest.raises(UpstreamError) as raised:
        OpenAI().response(whole(finish="network_error"), Quirks(finish_reasons={"network_error": "error"}))
    assert raised.value.failure_class == "server"


def chunk(delta: Any = None, finish: Any = None, **more: Any) -> str:
    part = {"content": "Hi"} if delta is None else delta
    return json.dumps({"id": "1", "choices": [{"index": 0, "delta": part, "finish_reason": finish}], **more})


def decode(*data: str) -> list[Json]:
    decoder = OpenAI().stream(Quirks())
    return [*(one for piece in data for one in decoder.feed(piece)), *decoder.close()]


def test_one_event_that_cannot_be_parsed_is_skipped() -> None:
    assert len(decode(chunk(), '{"choices": [', chunk({}, "stop"), "[DONE]")) == 2


@pytest.mark.parametrize("event", ["{", '"x"', '{"choices": 7}', '{"choices": [{"delta"'])
def test_a_second_event_that_cannot_be_parsed_is_a_failure(event: str) -> None:
    with pytest.raises(UpstreamError) as raised:
        decode(chunk(), event, event)
    assert raised.value.failure_class == "protocol"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param((), id="nothing"),
        pytest.param(("[DONE]",), id="only the end"),
        pytest.param((chunk(),), id="content without an end"),
        pytest.param((chunk(), chunk(usage={"prompt_tokens": 1})), id="usage without an end"),
    ],
)
def test_a_stream_that_ends_too_early_is_a_failure(data: tuple[str, ...]) -> None:
    with pytest.raises(UpstreamError) as raised:
        decode(*data)
    assert raised.value.failure_class == "network"


def test_a_stream_with_a_finish_reason_needs_no_done() -> None:
    assert len(decode(chunk(), chunk({}, "stop"))) == 2


def test_events_after_done_are_ignored() -> None:
    assert len(decode(chunk({}, "stop"), "[DONE]", chunk())) == 1


def test_an_error_within_a_stream_is_raised_when_it_comes() -> None:
    decoder = OpenAI().stream(Quirks())
    assert len(list(decoder.feed(chunk()))) == 1
    with pytest.raises(UpstreamError) as raised:
        list(decoder.feed('{"error": {"message": "Overloaded", "code": "server_is_overloaded"}}'))
    assert raised.value.failure_class == "overloaded"


def test_an_event_without_choices_or_id_gives_no_chunk() -> None:
    assert len(decode('{"type": "ping"}', "", chunk({}, "stop"), '{"prompt_filter_results": []}')) == 1


FIELDS = st.sampled_from(
    [
        *("id", "choices", "index", "delta", "message", "content", "role", "tool_calls", "function", "name"),
        *(
            "function_call",
            "arguments",
            "finish_reason",
            "usage",
            "error",
            "code",
            "detail",
            "errors",
            "type",
        ),
        *("success", "base_resp", "status_code", "status_msg", "prompt_tokens", "result", "metadata", "raw"),
    ]
)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS, inner, max_size=4),
    max_leaves=15,
)
CHOICE = st.fixed_dictionaries({"delta": st.dictionaries(FIELDS, JSON), "message": JSON})
CHOICES = st.fixed_dictionaries({"choices": st.lists(CHOICE, max_size=3)})


@given(st.lists(CHOICES | JSON, max_size=4), st.booleans())
def test_an_answer_of_any_shape_is_an_answer_or_a_failure(events: list[Any], legacy: bool) -> None:
    quirks = Quirks(legacy=not legacy, finish_by_calls=True)
    decoder = OpenAI().stream(quirks, legacy=legacy)
    for event in events:
        assert OpenAI().error(400, {}, json.dumps(event).encode()).failure_class in ACTIONS
        try:
            for one in decoder.feed(json.dumps(event)):
                usage_of(one)
                output_bytes(one)
            if isinstance(event, dict):
                output_bytes(OpenAI().response(event, quirks, legacy=legacy))
        except UpstreamError:
            continue


@pytest.mark.parametrize("native", [True, False], ids=["a host that takes functions", "a host of tools only"])
def test_a_client_that_sent_functions_gets_no_tool_calls(native: bool) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    body = {"id": "1", "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}
    quirks = Quirks(legacy=native)
    (whole,) = OpenAI().response(body, quirks, legacy=True)["choices"]
    assert "tool_calls" not in whole["message"]
    assert (whole["message"]["function_call"], whole["finish_reason"]) == (call["function"], "function_call")
    event = {"id": "1", "choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, **call}]}}]}
    chunks = list(OpenAI().stream(quirks, legacy=True).feed(json.dumps(event)))
    assert [chunk["choices"][0]["delta"].get("function_call") for chunk in chunks] == [call["function"]]

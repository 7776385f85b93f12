"""Streams of OpenAI's Responses."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from handler.answers.client_stream import content_of
from handler.errors import Json, UpstreamError
from handler.providers.responses import stream as stream_module
from handler.providers.responses.translator import Responses
from handler.providers.rows.responses import RESPONSES
from tests.handler.providers.responses.builders import (
    CREATED,
    NOW,
    call,
    chunks,
    completed,
    completion,
    deltas,
    event,
    finish,
    message,
    response,
    text_delta,
)
from tests.handler.providers.test_unexpected_values import UNEXPECTED, paths, replace_value
from tests.handler.providers.wire_cases import WIRE, chunks_of, comparable, completion_of, events_of, fold

CUSTOM: Json = {"type": "custom_tool_call", "id": "ctc_1", "call_id": "c", "name": "run", "input": "ls -l"}
REASONING: Json = {
    "type": "reasoning",
    "id": "rs_1",
    "summary": [{"type": "summary_text", "text": "A"}, {"type": "summary_text", "text": "B"}],
    "encrypted_content": "x",
}


def done(item: Json, index: int = 0) -> Json:
    return event("output_item.done", index, item=item)


def added(item: Json, index: int = 0) -> Json:
    return event("output_item.added", index, item=item)


def whole_message(*events: Json | str) -> Json:
    found: Json = comparable(fold(chunks(*events)))["choices"][0][0]
    return found


@pytest.mark.parametrize(
    ("item", "name"),
    [
        pytest.param(message("Hi there"), "content", id="a text"),
        pytest.param(
            {"type": "message", "content": [{"type": "refusal", "refusal": "No."}]}, "refusal", id="a refusal"
        ),
        pytest.param(REASONING, "reasoning_content", id="reasoning"),
        pytest.param(call(arguments='{"a":1}'), "tool_calls", id="a call"),
        pytest.param(CUSTOM, "tool_calls", id="a call of a custom tool"),
    ],
)
@pytest.mark.parametrize(
    "events",
    [
        pytest.param(lambda item: [completed(item)], id="only in the last event"),
        pytest.param(lambda item: [CREATED, done(item), completed(item)], id="only when it is done"),
        pytest.param(lambda item: [done(item), completed()], id="without the first event"),
        pytest.param(lambda item: [CREATED, added(item), completed(item)], id="begun, but never done"),
        pytest.param(
            lambda item: [CREATED, added(item), done(item), done(item), completed(item)],
            id="repeated",
        ),
    ],
)
def test_an_item_that_no_delta_brings_is_sent_once(item: Json, name: str, events: Any) -> None:
    found = deltas(*events(item))
    whole = completion(response(item))["choices"][0]["message"]
    if name == "tool_calls":
        calls = [one["tool_calls"][0] for one in found]
        assert calls[0]["id"] == whole[name][0]["id"]
        kind = whole[name][0]["type"]
        text = {"function": "arguments", "custom": "input"}[kind]
        assert "".join(one[kind][text] for one in calls) == whole[name][0][kind][text]
    else:
        assert "".join(one.get(name, "") for one in found) == whole[name]


def test_a_call_of_a_custom_tool_comes_as_a_whole() -> None:
    pieces = [event("custom_tool_call_input.delta", delta=text) for text in ("ls", " -l")]
    expected = [
        {
            "tool_calls": [
                {"index": 0, "id": "c", "type": "custom", "custom": {"name": "run", "input": "ls -l"}}
            ]
        }
    ]
    begin = added({**CUSTOM, "input": ""})
    assert deltas(CREATED, begin, *pieces, done(CUSTOM), completed(CUSTOM)) == expected
    assert deltas(CREATED, begin, *pieces, done({**CUSTOM, "input": ""}), completed()) == expected


def test_arguments_that_a_delta_lost_are_sent_at_the_end() -> None:
    item = call(arguments='{"a":1}')
    piece = event("function_call_arguments.delta", delta='{"a"')
    found = deltas(CREATED, added({**item, "arguments": ""}), piece, done(item), completed(item))
    assert "".join(one["tool_calls"][0]["function"]["arguments"] for one in found) == '{"a":1}'


def test_a_call_without_arguments_has_an_empty_object() -> None:
    item = call(arguments="")
    found = deltas(CREATED, added(item), done(item), completed(item))
    assert [one["tool_calls"][0]["function"]["arguments"] for one in found] == ["", "{}"]


def test_calls_are_numbered_in_their_order() -> None:
    first, second = call("a", id="1", call_id="c1"), call("b", id="2", call_id="c2")
    found = deltas(CREATED, added(first, 3), added(second, 5), done(second, 5), done(first, 3), completed())
    assert [(one["tool_calls"][0]["index"], one["tool_calls"][0].get("id")) for one in found] == [
        *((0, "c1"), (1, "c2"), (1, None), (0, None)),
    ]


def test_parts_of_the_reasoning_are_separated() -> None:
    pieces = [
        event("reasoning_summary_text.delta", 0, summary_index=0, delta="A"),
        event("reasoning_summary_text.delta", 0, summary_index=0, delta="b"),
        event("reasoning_summary_text.delta", 0, summary_index=1, delta="C"),
        event("reasoning_text.delta", 1, content_index=0, delta="D"),
        event("reasoning_text.delta", 1, content_index=0, delta=""),
    ]
    assert whole_message(CREATED, *pieces, completed())["reasoning_content"] == "Ab\n\nC\n\nD"


def test_the_details_of_the_reasoning_come_with_its_end() -> None:
    summary = event("reasoning_summary_text.delta", summary_index=0, delta="A")
    found = deltas(
        CREATED, added(REASONING), summary, done(REASONING), done({**REASONING, "id": "rs_2"}, 1), completed()
    )
    details = [detail for one in found for detail in one.get("reasoning_details", ())]
    assert [one["index"] for one in details] == list(range(6))
    assert [one["id"] for one in details] == ["rs_1"] * 3 + ["rs_2"] * 3
    assert "".join(one.get("reasoning_content", "") for one in found) == "A\n\nA\n\nB"


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(CREATED, id="the beginning"),
        pytest.param({**CREATED, "type": "response.in_progress"}, id="progress"),
        pytest.param({**CREATED, "type": "response.queued"}, id="the queue"),
        pytest.param(added(message("")), id="the beginning of a message"),
        pytest.param(
            added({"type": "reasoning", "id": "rs_1", "summary": []}), id="the beginning of reasoning"
        ),
        pytest.param(event("content_part.added", part={"type": "output_text", "text": ""}), id="a part"),
        pytest.param(text_delta(""), id="an empty text"),
        pytest.param(event("web_search_call.searching"), id="a search of the provider's own"),
        pytest.param(event("something.new", delta="x"), id="an unknown event"),
        pytest.param({"type": "keepalive", "sequence_number": 3}, id="a keep-alive"),
    ],
)
def test_an_event_without_content_does_not_commit(event: Json) -> None:
    decoder = Responses().stream(RESPONSES.quirks)
    assert all(content_of(chunk) is None for chunk in decoder.feed(json.dumps(event)))


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        pytest.param({"type": "response.completed"}, "stop", id="complete"),
        pytest.param({"type": "response.incomplete"}, "length", id="incomplete"),
    ],
)
def test_the_last_event_finishes(fields: Json, reason: str) -> None:
    last = {**completed(status="incomplete" if reason == "length" else "completed"), **fields}
    assert finish(CREATED, text_delta("Hi"), last) == reason


@pytest.mark.parametrize(
    "events",
    [
        pytest.param([], id="no event"),
        pytest.param([CREATED], id="no content"),
        pytest.param([CREATED, text_delta("Hi")], id="content"),
        pytest.param([CREATED, added(message("Hi")), done(message("Hi"))], id="all items"),
        pytest.param([CREATED, text_delta("Hi"), "[DONE]"], id="[DONE]"),
    ],
)
def test_a_stream_without_its_last_event_ended_too_early(events: list[Json | str]) -> None:
    with pytest.raises(UpstreamError) as raised:
        chunks(*events)
    assert raised.value.failure_class == "network"


def test_what_follows_the_last_event_is_ignored() -> None:
    before = chunks(CREATED, text_delta("Hi"), completed())
    assert chunks(CREATED, text_delta("Hi"), completed(), text_delta("!"), "{", "[DONE]") == before


@pytest.mark.parametrize(
    ("last", "failure_class"),
    [
        pytest.param(
            {"type": "error", "code": "server_error", "message": "m"}, "server", id="an error event"
        ),
        pytest.param(
            {"type": "error", "error": {"code": "slow_down"}}, "overloaded", id="an error in a member"
        ),
        pytest.param({"type": "error", "error": "m"}, "server", id="an error as a text"),
        pytest.param(
            {"error": {"message": "m", "code": "insufficient_quota"}}, "quota", id="an event of a proxy"
        ),
        pytest.param(
            {"type": "response.failed", "response": response(status="failed")}, "server", id="no error"
        ),
        pytest.param({"type": "response.failed", "response": {}}, "server", id="an empty response"),
        pytest.param(
            {
                "type": "response.failed",
                "response": response(error={"code": "invalid_prompt", "message": "m"}),
            },
            "content_policy",
            id="a failed answer",
        ),
        pytest.param(
            {
                "type": "response.completed",
                "response": response(error={"code": "server_error", "message": "m"}),
            },
            "server",
            id="an error in the last event",
        ),
        pytest.param({"type": "response.failed"}, "protocol", id="a failed answer without the answer"),
        pytest.param(done(call(name=None)), "protocol", id="a call without a name"),
    ],
)
def test_a_failure_has_its_class(last: Json, failure_class: str) -> None:
    with pytest.raises(UpstreamError) as raised:
        chunks(CREATED, text_delta("Hi"), last, completed())
    assert raised.value.failure_class == failure_class


def test_usage_and_tier_are_those_of_the_last_event() -> None:
    usage = {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}
    first = {**CREATED, "response": {**CREATED["response"], "service_tier": "auto", "usage": None}}
    found = chunks(first, text_delta("Hi"), completed(usage=usage, service_tier="flex"))
    assert [("usage" in chunk, chunk.get("service_tier")) for chunk in found[-2:]] == [
        (False, None),
        (True, "flex"),
    ]
    assert found[-1]["usage"]["total_tokens"] == 5
    assert found[-1]["choices"] == []


def test_a_stream_without_the_first_event_has_one_id_and_time() -> None:
    found = chunks(text_delta("Hi"), CREATED, completed())
    assert {(chunk["id"], chunk["created"], chunk["model"]) for chunk in found} == {("", NOW, "asked")}
    assert sum("role" in choice["delta"] for chunk in found for choice in chunk["choices"]) == 1


def test_annotations_and_the_phase_come_once() -> None:
    citation = {"type": "url_citation", "url": "u", "title": "t", "start_index": 0, "end_index": 1}
    part = {"type": "output_text", "text": "Hi", "annotations": [citation]}
    items = [message("", content=[part], phase=phase, id=phase) for phase in ("commentary", "final_answer")]
    found = deltas(CREATED, *(done(item, at) for at, item in enumerate(items)), completed(*items))
    nested = {"type": "url_citation", "url_citation": {name: citation[name] for name in [*citation][1:]}}
    assert [one for one in found if "phase" in one] == [
        {"annotations": [nested] * 2, "phase": "final_answer"}
    ]


def test_a_stream_has_the_same_details_as_the_whole_answer() -> None:
    for name in ("reasoning", "tool", "two-messages", "only-reasoning", "search", "logprobs"):
        case = WIRE / "responses" / name
        whole = completion_of(case)["choices"][0]
        choices = [choice for chunk in chunks_of(case) for choice in chunk["choices"]]
        for field in ("reasoning_details", "annotations"):
            found = [one for choice in choices for one in choice["delta"].get(field, ())]
            assert found == whole["message"].get(field, []), name
        logprobs = [one for choice in choices for one in (choice.get("logprobs") or {}).get("content", ())]
        assert logprobs == (whole["logprobs"] or {}).get("content", [])


def test_a_stream_in_the_legacy_form_has_function_calls() -> None:
    found = [
        one for chunk in chunks(CREATED, done(call()), completed(), legacy=True) for one in chunk["choices"]
    ]
    assert any("function_call" in one["delta"] for one in found)
    assert found[-1]["finish_reason"] == "function_call"


def test_the_memory_of_a_stream_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_module, "MAX_ITEMS", 50)
    monkeypatch.setattr(stream_module, "MAX_BUFFERED", 10_000)
    pieces = [event("custom_tool_call_input.delta", delta="x" * 100)] * 100
    for events in ([text_delta("x", at) for at in range(60)], [added(CUSTOM), *pieces]):
        with pytest.raises(UpstreamError) as raised:
            chunks(CREATED, *events, completed())
        assert raised.value.failure_class == "protocol"


def test_random_events_are_translated_or_fail() -> None:
    """Events are lost, repeated, reordered and spoilt; a stream that is translated still has one end."""
    source = random.Random(11)
    streams = [list(events_of(case.parent, 10**6)) for case in sorted(WIRE.glob("responses/*/stream.sse"))]
    translated = 0
    for _ in range(1500):
        events = [
            text for text in source.choice(streams) for _ in range(source.choice((0, 1, 1, 1, 1, 1, 2)))
        ]
        if source.random() < 0.3:
            source.shuffle(events)
        if source.random() < 0.5 and events:
            at = source.randrange(len(events))
            value = json.loads(events[at])
            events[at] = json.dumps(
                replace_value(value, source.choice(paths(value)), source.choice(UNEXPECTED))
            )
        try:
            found = chunks(*events)
        except UpstreamError:
            continue
        translated += 1
        choices = [choice for chunk in found for choice in chunk["choices"]]
        assert sum(choice["finish_reason"] is not None for choice in choices) == 1
        assert sum("role" in choice["delta"] for choice in choices) == 1
        assert len({(chunk["id"], chunk["created"]) for chunk in found}) == 1
    assert translated > 100

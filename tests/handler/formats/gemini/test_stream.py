"""Chunks become a stream of responses, which add up to the whole answer."""

from __future__ import annotations

import json
from random import Random

import pytest

from handler.errors import Json, RateLimited, UpstreamError
from handler.formats.client_format import StreamEncoder
from handler.formats.gemini.answer import response_of
from handler.formats.gemini.format import GeminiFormat
from handler.formats.gemini.stream import MAX_COLLECTED, GeminiStream
from tests.handler.formats.gemini.bodies import HI, parse
from tests.handler.formats.gemini.completions import (
    call,
    chunks_of,
    completion,
    encode,
    events_of,
    fold,
    joined,
    random_completion,
)

RELAYED = b'data: {"candidates": []}\n\n'


@pytest.mark.parametrize("events", [pytest.param(True, id="events"), pytest.param(False, id="an array")])
@pytest.mark.parametrize("thoughts", [True, False])
def test_a_stream_adds_up_to_the_whole_answer(events: bool, thoughts: bool) -> None:
    for seed in range(50):
        whole = random_completion(Random(seed))
        streamed = fold(encode(chunks_of(whole, Random(seed)), thoughts=thoughts, events=events))
        expected = response_of(whole, thoughts=thoughts)
        for candidate in expected["candidates"]:
            candidate["content"]["parts"] = joined(candidate["content"]["parts"])
        assert streamed == expected, seed


@pytest.mark.parametrize(
    ("finish_reason", "message"),
    [
        pytest.param("content_filter", {"refusal": "no"}, id="a withheld answer"),
        pytest.param("stop", {"refusal": "I cannot."}, id="a refusal"),
        pytest.param("stop", {"content": ""}, id="an empty answer"),
        pytest.param(
            "stop",
            {"content": "a", "images": [{"index": 0, "image_url": {"url": "data:image/png;base64,AAAA"}}]},
            id="an image",
        ),
        pytest.param(
            "stop",
            {"content": "a", "annotations": [{"url_citation": {"url": "https://a.example"}}]},
            id="a citation",
        ),
    ],
)
def test_the_same_for_rarer_answers(finish_reason: str, message: dict[str, object]) -> None:
    whole = completion(finish_reason, **message)
    assert fold(encode(chunks_of(whole, Random(1)))) == response_of(whole, thoughts=True)


def test_texts_come_at_once_and_calls_are_whole() -> None:
    encoder = GeminiStream(thoughts=True, events=True)
    whole = completion("tool_calls", content="hello", tool_calls=[call(arguments='{"a": "long text"}')])
    *fed, last = [*map(encoder.feed, chunks_of(whole, Random(1))), encoder.close()]
    texts = [part["text"] for data in fed for event in events_of(data) for part in _parts(event)]
    assert "".join(texts) == "hello"
    assert [part.get("functionCall") for part in _parts(*events_of(last))] == [
        {"id": "c1", "name": "f", "args": {"a": "long text"}}
    ]


def _parts(event: Json) -> list[Json]:
    return [part for candidate in event["candidates"] for part in candidate["content"]["parts"]]


def test_only_the_last_event_has_a_finish_reason_and_the_usage() -> None:
    *events, last = encode(chunks_of(completion(content="hello"), Random(1)))
    assert not [event for event in events if "usageMetadata" in event]
    assert not [one for event in events for one in event["candidates"] if "finishReason" in one]
    assert last["candidates"][0]["finishReason"] == "STOP"
    assert last["usageMetadata"]["promptTokenCount"] == 10


def test_every_event_has_parts_since_clients_count_others_as_invalid() -> None:
    for seed in range(20):
        for event in encode(chunks_of(random_completion(Random(seed)), Random(seed))):
            assert all(candidate["content"]["parts"] for candidate in event["candidates"])


def test_the_explanation_is_in_the_last_event() -> None:
    chunks = [*chunks_of(completion(content="a"), Random(1)), {"choices": [], "sluice": {"reason": "rule"}}]
    assert encode(chunks)[-1]["sluice"] == {"reason": "rule"}


def test_an_event_is_one_line_whatever_a_client_takes_for_a_line_end() -> None:
    encoder = GeminiStream(thoughts=False, events=True)
    data = encoder.feed({"choices": [{"index": 0, "delta": {"content": "a\u2028b\u2029c\n\ud83d"}}]})
    text = data.decode()
    assert text.endswith("\n\n")
    assert len(text.splitlines()) == 2
    (event,) = events_of(data)
    assert event["candidates"][0]["content"]["parts"] == [{"text": "a\u2028b\u2029c\n\ud83d"}]


@pytest.mark.parametrize(
    ("events", "media_type", "keep_alive"),
    [
        pytest.param(True, "text/event-stream", b"\n\n", id="events"),
        pytest.param(False, "application/json", b"\n", id="an array"),
    ],
)
def test_white_space_keeps_a_stream_alive(events: bool, media_type: str, keep_alive: bytes) -> None:
    encoder = GeminiFormat("m", stream=True, sse=events).encoder(parse({"contents": [HI]}))
    protocol: StreamEncoder = encoder
    assert (protocol.media_type, protocol.keep_alive) == (media_type, keep_alive)
    chunks = chunks_of(completion(content="hello"), Random(1))
    data = keep_alive.join([b"", *map(encoder.feed, chunks), encoder.close(), b""])
    assert fold(events_of(data, events=events)) == response_of(completion(content="hello"), thoughts=False)


@pytest.mark.parametrize("events", [True, False])
@pytest.mark.parametrize("begun", [True, False])
def test_a_broken_stream_ends_with_an_error(events: bool, begun: bool) -> None:
    encoder = GeminiStream(thoughts=False, events=events)
    chunks = [*chunks_of(completion(content="hello"), Random(1))][: 3 if begun else 0]
    data = b"".join([*map(encoder.feed, chunks), encoder.fail(RateLimited("Slow down.", retry_after=2))])
    *before, last = events_of(data, events=events)
    assert bool(before) == begun
    assert last["error"]["status"] == "RESOURCE_EXHAUSTED"
    assert not [one for event in before for one in event["candidates"] if "finishReason" in one]


@pytest.mark.parametrize(
    ("events", "pieces", "expected"),
    [
        pytest.param(True, [RELAYED, RELAYED], RELAYED * 2, id="events as they are"),
        pytest.param(False, [RELAYED, RELAYED], b'[{"candidates": []},\n{"candidates": []}]', id="an array"),
        pytest.param(
            False,
            [RELAYED[:9], RELAYED[9:] + RELAYED],
            b'[{"candidates": []},\n{"candidates": []}]',
            id="other pieces",
        ),
        pytest.param(False, [RELAYED.rstrip()], b'[{"candidates": []}]', id="no blank line at the end"),
        pytest.param(False, [], b"[]", id="no events"),
    ],
)
def test_geminis_own_events_are_passed_on(events: bool, pieces: list[bytes], expected: bytes) -> None:
    encoder = GeminiStream(thoughts=False, events=events)
    assert b"".join(map(encoder.relay, [*pieces, b""])) == expected


def test_a_stream_that_breaks_off_after_geminis_own_events() -> None:
    encoder = GeminiStream(thoughts=False, events=False)
    data = encoder.relay(RELAYED) + encoder.fail(UpstreamError("Lost.", failure_class="network"))
    assert [list(event) for event in json.loads(data)] == [["candidates"], ["error"]]


def test_what_is_collected_is_bounded() -> None:
    encoder = GeminiStream(thoughts=False, events=True)
    piece = {"index": 0, "function": {"arguments": "x" * (MAX_COLLECTED // 2 - 100)}}
    chunk = {"choices": [{"index": 0, "delta": {"tool_calls": [piece]}}]}
    assert encoder.feed(chunk) + encoder.feed(chunk) == b""
    with pytest.raises(UpstreamError) as caught:
        encoder.feed(chunk)
    assert caught.value.failure_class == "protocol"

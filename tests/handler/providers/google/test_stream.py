"""Tests of handler/providers/google/stream.py."""

from __future__ import annotations

import json

import pytest

from handler.answers.client_stream import ClientStream, content_of
from handler.errors import UpstreamError
from handler.providers.google.translator import Google
from tests.handler.providers.google.gemini import QUIRKS, chunks_of, response, text


def test_done_is_ignored_and_one_unreadable_event_is_skipped() -> None:
    decoder = Google().stream(QUIRKS)
    events = ["", "[DONE]", "{", json.dumps(response(text("Hi")))]
    chunks = [chunk for data in events for chunk in decoder.feed(data)]
    assert [content_of(chunk) for chunk in chunks] == [2]
    with pytest.raises(UpstreamError, match="could not be understood"):
        list(decoder.feed('{"unknown":1}'))


def test_calls_are_numbered_across_the_events_of_a_stream() -> None:
    call = {"functionCall": {"name": "x", "args": {"a": 1}}}
    chunks = chunks_of(response(call, finish=None), response(text(""), finish=None), response(call))
    calls = [one for chunk in chunks for c in chunk["choices"] for one in c["delta"].get("tool_calls", ())]
    assert [one["index"] for one in calls] == [0, 1]
    assert calls[0]["id"] != calls[1]["id"]
    assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"


def test_a_breakdown_after_nothing_but_thoughts_is_a_failure() -> None:
    thought = {"text": "Hm.", "thought": True}
    with pytest.raises(UpstreamError):
        chunks_of(response(thought, finish=None), response(finish="MALFORMED_FUNCTION_CALL"))


def test_a_refusal_is_the_first_content_of_a_stream() -> None:
    chunks = chunks_of({"promptFeedback": {"blockReason": "SAFETY"}, "responseId": "r"})
    assert [content_of(chunk) is not None for chunk in chunks] == [True]
    assert chunks[0]["choices"][0]["finish_reason"] == "content_filter"


def test_the_chunks_that_a_client_gets() -> None:
    stream = ClientStream(Google().stream(QUIRKS), model="gemini/m", wants_usage=True)
    event = response(text("Hi"), usageMetadata={"promptTokenCount": 1, "candidatesTokenCount": 1})
    sent = stream.feed(f"data: {json.dumps(event)}\r\n\r\n".encode()) + stream.close()
    chunks = [json.loads(line.removeprefix("data: ")) for line in sent.decode().split("\n\n") if line]
    assert [chunk["model"] for chunk in chunks] == ["gemini/m"] * 3
    assert stream.usage is not None
    assert stream.failure is None
    assert stream.ended

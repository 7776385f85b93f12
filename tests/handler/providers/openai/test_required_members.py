"""The client gets every member that OpenAI's answers have, whatever a host leaves out."""

from __future__ import annotations

import collections
import json
from typing import Any

import pytest

from handler.answers.client_stream import ClientStream
from handler.answers.usage import Usage, usage_of
from handler.errors import Json, UpstreamError
from handler.providers.openai.required_members import REQUIRED, add_required
from handler.providers.openai.translator import OpenAI
from handler.providers.provider import Quirks
from tests.handler.providers.openai.host_answers import (
    CALL_EVENTS,
    HOST_ANSWERS,
    TEXT_EVENTS,
    HostAnswer,
    call,
    piece,
)

PARTS = {"call": {"id", "type"}, "function": {"name", "arguments"}}


def client_chunks(events: list[Json], *, wants_usage: bool = True) -> tuple[list[Json], ClientStream]:
    """The chunks that a client gets, and the stream that they come from."""
    stream = ClientStream(
        OpenAI().stream(Quirks()), model="host/m", wants_usage=wants_usage, stateless_text=True
    )
    data = [f"data: {json.dumps(event)}\n\n".encode() for event in events] + [b"data: [DONE]\n\n"]
    sent = b"".join([*map(stream.feed, data), b"" if stream.ended else stream.close()])
    assert stream.failure is None, stream.failure
    return [json.loads(line[6:]) for line in sent.decode().split("\n\n") if line], stream


def merge_chunks(chunks: list[Json]) -> Json:
    """Merge the chunks of one choice as the official clients do, and check every required member."""
    message: Json = {"content": "", "calls": []}
    for chunk in chunks:
        assert all(chunk[name] for name in REQUIRED["chunk"])
        assert (chunk["id"], chunk["created"]) == (chunks[0]["id"], chunks[0]["created"])
        for choice in chunk["choices"]:
            assert (choice["index"], type(choice["delta"])) == (0, dict)
            add(choice["delta"], message)
            message["finish"] = choice.get("finish_reason") or message.get("finish")
    return message


def add(delta: Json, message: Json) -> None:
    message["content"] += delta.get("content") or ""
    if "role" in delta:
        assert "role" not in message, "the role comes once"
        message["role"] = delta["role"]
    for one in delta.get("tool_calls") or ():
        if one["index"] == len(message["calls"]):
            assert PARTS["call"] < one.keys()
            assert one["function"].keys() >= PARTS["function"]
            message["calls"].append({**one, "arguments": ""})
        else:
            assert not {"id", "type", "name"} & (one.keys() | one["function"].keys()), "they come once"
        message["calls"][one["index"]]["arguments"] += one["function"].get("arguments") or ""
    for name in ("images", "annotations"):
        assert all(isinstance(item["index"], int) for item in delta.get(name) or ())


def named_calls(calls: list[Json]) -> tuple[tuple[str, Any], ...]:
    ids = [one["id"] for one in calls]
    assert all(ids)
    assert len(set(ids)) == len(ids)
    assert all(one["type"] == "function" for one in calls)
    return tuple((one["function"]["name"], json.loads(one["arguments"])) for one in calls)


def tokens(body: Json) -> tuple[int, int, int] | None:
    usage = body.get("usage")
    return usage and tuple(usage[name] for name in REQUIRED["usage"])


@pytest.mark.parametrize("answer", [one for one in HOST_ANSWERS if one.whole], ids=lambda one: one.name)
def test_a_whole_answer_has_every_member(answer: HostAnswer) -> None:
    assert answer.whole is not None
    body = OpenAI().response(answer.whole, Quirks())
    (choice,) = body["choices"]
    message = choice["message"]
    assert all(body[name] for name in REQUIRED["completion"])
    assert (choice["index"], message["role"]) == (0, "assistant")
    assert message["content"] == answer.text if answer.text else not message["content"]
    calls = [{**one, "arguments": one["function"]["arguments"]} for one in message.get("tool_calls", [])]
    assert (named_calls(calls), tokens(body)) == (answer.calls, answer.usage)
    assert choice["finish_reason"] == answer.expected["finish"]


@pytest.mark.parametrize("answer", [one for one in HOST_ANSWERS if one.events], ids=lambda one: one.name)
def test_a_stream_has_every_member(answer: HostAnswer) -> None:
    assert answer.events is not None
    chunks, stream = client_chunks(answer.events)
    message = merge_chunks(chunks)
    assert (message["role"], message["content"], named_calls(message["calls"])) == (
        "assistant",
        answer.text,
        answer.calls,
    )
    assert message["finish"] == answer.expected["finish"]
    assert tokens(chunks[-1]) == answer.usage
    assert [chunk for chunk in chunks[:-1] if chunk.get("usage")] == []
    assert bool(stream.usage) is (answer.usage is not None)
    without_usage, _ = client_chunks(answer.events, wants_usage=False)
    assert len(without_usage) == len(chunks) - bool(answer.usage)
    assert not any(chunk.get("usage") for chunk in without_usage)


@pytest.mark.parametrize("events", [TEXT_EVENTS, CALL_EVENTS], ids=["a text", "calls"])
def test_a_complete_event_is_the_same_object(events: list[Json]) -> None:
    decoder = OpenAI().stream(Quirks())
    for event in events:
        assert [chunk is decoder.event for chunk in decoder.feed(json.dumps(event))] == [True]


@pytest.mark.parametrize(
    ("usage", "whole"),
    [
        pytest.param({"prompt_tokens": 3, "total_tokens": 5}, (3, 2, 5), id="completion_tokens is the rest"),
        pytest.param({"completion_tokens": 2, "total_tokens": 5}, (3, 2, 5), id="prompt_tokens is the rest"),
        pytest.param({"prompt_tokens": 3, "completion_tokens": 2}, (3, 2, 5), id="total_tokens is the sum"),
        pytest.param({"total_tokens": 5}, (5, 0, 5), id="a total alone counts as input"),
        pytest.param({"prompt_tokens": None, "completion_tokens": 2}, (0, 2, 2), id="an unknown count is 0"),
    ],
)
def test_missing_counts_of_usage_are_calculated(usage: Json, whole: tuple[int, int, int]) -> None:
    made = add_required("usage", usage)
    assert tuple(made.values()) == whole or tokens({"usage": made}) == whole
    assert isinstance(usage_of({"usage": made}), Usage)


@pytest.mark.parametrize("name", [None, ""])
@pytest.mark.parametrize("finish", ["stop", "tool_calls"])
def test_a_call_whose_name_never_comes_fails(name: str | None, finish: str) -> None:
    nameless = [{**call(None, "{}", "c1", 0), "function": {"name": name, "arguments": "{}"}}]
    decoder = OpenAI().stream(Quirks())
    assert all(
        not chunk["choices"][0]["delta"].get("tool_calls")
        for chunk in decoder.feed(json.dumps(piece({"tool_calls": nameless})))
    )
    with pytest.raises(UpstreamError) as raised:
        list(decoder.feed(json.dumps(piece({}, finish))))
    assert raised.value.failure_class == "protocol"
    with pytest.raises(UpstreamError):
        OpenAI().response({"choices": [{"message": {"tool_calls": nameless}}]}, Quirks())


def test_a_call_that_is_cut_off_before_its_name_is_dropped() -> None:
    chunks, _ = client_chunks([piece({"tool_calls": [call(None, "{", "c1", 0)]}), piece({}, "length")])
    assert merge_chunks(chunks)["calls"] == []


def test_arguments_without_a_name_are_buffered_up_to_a_limit() -> None:
    decoder = OpenAI().stream(Quirks())
    data = json.dumps(piece({"tool_calls": [call(None, "x" * 10_000, "c1", 0)]}))
    assert [list(decoder.feed(data)) for _ in range(50)]
    with pytest.raises(UpstreamError) as raised:
        collections.deque((list(decoder.feed(data)) for _ in range(150)), maxlen=0)
    assert raised.value.failure_class == "protocol"


def test_a_stream_that_continues_after_a_finish_reason_and_breaks_off_fails() -> None:
    decoder = OpenAI().stream(Quirks())
    for event in (piece({"content": "a"}, "stop"), piece({"content": "b"})):
        list(decoder.feed(json.dumps(event)))
    with pytest.raises(UpstreamError) as raised:
        list(decoder.close())
    assert raised.value.failure_class == "network"

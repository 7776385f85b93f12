"""Streams through the relay: the frames of the client, and the ways in which a stream may end."""

from __future__ import annotations

import asyncio
import hashlib
import json
from typing import Any

import pytest

from handler.answers.client_stream import END_WAIT, USAGE_WAIT, ClientStream
from handler.providers.openai.translator import OpenAI
from handler.providers.provider import Quirks
from handler.upstream.pool import MIN_IDLE
from rules import Candidate
from tests.handler.relay.exchanges import read_events, stream_chat, text_of
from tests.support.canned_answers import (
    HEAD,
    USAGE,
    Act,
    Piece,
    Reply,
    chunk,
    finish,
    role,
    sse,
    stream,
    texts,
    usage,
    whole,
)
from tests.support.running_relay import CHAT, RunningRelay, call, classes, frames_of, model
from tests.support.scripted_transport import ScriptedTransport, receive, reply_with
from tests.support.virtual_clock import run

SOON = 0.08  # seconds: a time limit that a test can wait for
CUTS = (1, 2, 3, 7, 64, 1_000_000)


async def test_frames_are_forwarded_as_they_arrive(relay: RunningRelay) -> None:
    """The upstream sends the next chunk only after the client has read the last one."""
    was_read = [asyncio.Event() for _ in range(3)]
    pieces = [piece for at, event in enumerate(was_read) for piece in (sse(chunk(str(at))), event)]
    relay.upstream.script("a", stream(*pieces, finish()))
    answer = await relay.complete(call("one/a", stream=True, timeouts={"idle": 1}))
    at = 0
    async for frame in answer.frames():
        if at < len(was_read):
            assert text_of([json.loads(text) for text in texts([frame])]) == str(at)
            was_read[at].set()
            at += 1
    assert classes(answer) == ["one/a ok"]


async def test_a_failed_candidate_leaves_nothing_in_the_stream(relay: RunningRelay) -> None:
    relay.upstream.script("a", stream({**role(), "id": "first"}, Act.CUT))
    relay.upstream.script("b", stream({**role(), "id": "second"}, chunk("Hello"), finish()))
    events = await read_events(await relay.complete(call("one/a", "two/b", stream=True)))
    assert {(event["id"], event["model"]) for event in events[:-1]} == {("second", "two/b")}


async def test_an_answer_that_continues_after_a_finish_reason_is_complete(relay: RunningRelay) -> None:
    """Some hosts send one too early or with every chunk. The pauses add up to more than END_WAIT."""
    early, thought = chunk("l"), chunk(reasoning_content="th")
    for one in (early, thought):
        one["choices"][0]["finish_reason"] = "stop"
    for first in (chunk("l"), early, thought):
        for then in (chunk("l"), early):
            pieces = [part for _ in range(4) for part in (END_WAIT - 1, sse(then))]
            pause = [] if first is early else [END_WAIT + 1]
            events = await stream_chat(relay, role(), first, *pause, *pieces, finish())
            assert text_of(events) in ("llll", "lllll")
            assert events[-1] == "[DONE]"
            assert events[-2]["choices"][0]["finish_reason"] == "stop"


# How a stream may end.

ENDINGS: list[Any] = [
    pytest.param([finish()], True, id="normal"),
    pytest.param([finish()], False, id="without [DONE]"),
    pytest.param([finish(), Act.CUT], False, id="cut after the finish reason"),
    pytest.param([finish(), Act.RESET], False, id="reset after the finish reason"),
    pytest.param([finish(), b"data: [DONE]"], False, id="[DONE] without a blank line"),
    pytest.param([finish(), b"data:[DONE]\r\n\r\n"], False, id="[DONE] without a space"),
    pytest.param([finish(), b"data: [DONE]\n\n", b"data: [DONE]\n\n"], True, id="with [DONE] three times"),
    pytest.param([finish(), b"data: [DONE]\n\n", sse(chunk("more"))], False, id="with content after [DONE]"),
    pytest.param(
        [finish(), b"data: [DONE]\n\n", sse({"error": {"message": "x"}})], False, id="an error after [DONE]"
    ),
    pytest.param([finish(), b"data: [DONE]\n\n", Act.CUT], False, id="cut after [DONE]"),
    pytest.param([finish(), b"data: [DONE]\n\n", Act.STALL], False, id="a connection left open after [DONE]"),
    pytest.param([finish(), b": bye\n\n"], True, id="with a comment"),
    pytest.param(["{not json", finish()], True, id="after an event with invalid JSON"),
    pytest.param([b"event: ping\n\ndata:\n\n", finish()], True, id="after empty events"),
]


@pytest.mark.parametrize(("ending", "done"), ENDINGS)
async def test_a_complete_answer_ends_with_one_done(
    relay: RunningRelay, ending: list[Any], done: bool
) -> None:
    events = await stream_chat(relay, role(), chunk("Hello"), *ending, done=done)
    assert text_of(events) == "Hello"
    assert [event for event in events if event == "[DONE]"] == ["[DONE]"]
    assert events[-1] == "[DONE]"
    assert events[-2]["choices"][0]["finish_reason"] == "stop"


BREAKS: list[Any] = [
    pytest.param([], "network", 502, id="end of stream"),
    pytest.param([Act.CUT], "network", 502, id="cut"),
    pytest.param([Act.RESET], "network", 502, id="reset"),
    pytest.param([b'data: {"id":"x","cho', Act.CUT], "network", 502, id="cut within an event"),
    pytest.param(["{not", "json}"], "protocol", 502, id="events with invalid JSON"),
    pytest.param(["x" * 8_100_000], "protocol", 502, id="an endless event"),
    pytest.param([{"error": {"message": "No.", "code": 500}}], "server", 502, id="an error event"),
    pytest.param(
        [{"error": {"message": "No.", "code": 429}}], "rate_limit", 429, id="a rate limit as an error event"
    ),
    pytest.param(
        [{"error": {"message": "Bad key", "code": 401}}],
        "auth",
        502,
        id="a refused credential as an error event",
    ),
    pytest.param(
        [{"error": {"message": "No.", "code": "content_filter"}}],
        "content_policy",
        400,
        id="a content filter as an error event",
    ),
    pytest.param([finish("error")], "server", 502, id="an error as a finish reason"),
    pytest.param([Act.STALL], "timeout_idle", 504, id="silence"),
]
TYPES = {502: "upstream_error", 504: "timeout_error", 429: "rate_limit_error", 400: "invalid_request_error"}


@pytest.mark.parametrize(("ending", "failure_class", "status"), BREAKS)
async def test_an_answer_that_breaks_off_ends_with_an_error_and_without_done(
    relay: RunningRelay, ending: list[Any], failure_class: str, status: int
) -> None:
    relay.upstream.script("z", whole(status=401))
    relay.upstream.script("a", stream(role(), chunk("Hel"), chunk("lo"), *ending, done=False))
    answer = await relay.complete(call("two/z", "one/a", "two/z", stream=True, timeouts={"idle": SOON}))
    events = await read_events(answer)
    assert text_of(events) == "Hello"
    assert "[DONE]" not in events
    error = events[-1]["error"]
    assert error["type"] == TYPES[status]
    assert error["metadata"]["origin"] == "provider"
    assert error["metadata"]["provider"] == "one"
    assert [one["class"] for one in error["metadata"]["attempts"]] == ["auth", failure_class]
    assert classes(answer) == ["two/z auth", f"one/a {failure_class}"]
    assert len(relay.upstream.requests) == 2
    assert answer.usage is not None
    assert (answer.usage.estimated, answer.usage.output) == (True, 2)


async def test_bytes_of_any_kind_keep_a_stream_alive(relay: RunningRelay) -> None:
    drip: list[Piece] = [b": wait\n\n", SOON / 5] * 6
    assert (
        text_of(await stream_chat(relay, chunk("Hel"), *drip, chunk("lo"), finish(), timeouts={"idle": SOON}))
        == "Hello"
    )


async def test_an_endless_stream_ends_at_the_deadline(relay: RunningRelay) -> None:
    drip: list[Piece] = [sse(chunk("x")), SOON / 10] * 100
    events = await stream_chat(relay, *drip, timeouts={"total": SOON})
    assert events[-1]["error"]["code"] == "deadline_exceeded"
    assert events[-1]["error"]["metadata"]["class"] == "timeout_total"
    await relay.upstream.until("gone", 1)


async def test_a_credential_in_an_error_event_is_redacted(relay: RunningRelay) -> None:
    relay.rows["one"] = relay.rows["one"].replaced(credential="ONE_KEY")
    relay.credentials["ONE_KEY"] = "canary value"
    refusal = {"error": {"message": "Not with canary value.", "code": "content_filter"}}
    events = await stream_chat(relay, chunk("Hello"), refusal)
    assert events[-1]["error"]["message"] == "one/a: Not with [redacted]."


@pytest.mark.parametrize(
    "ending",
    [
        pytest.param([Act.STALL], id="silence"),
        pytest.param([usage(), Act.STALL], id="usage, then silence"),
        pytest.param([b": wait\n\n", 1.0] * 100, id="comments"),
    ],
)
def test_a_complete_answer_ends_soon_even_if_the_connection_stays_open(ending: list[Any]) -> None:
    transport = ScriptedTransport(
        {"a": [reply_with(stream(role(), chunk("Hello"), finish(), *ending, done=False))]}
    )
    received = run(receive(transport, call("one/a", stream=True)))
    assert (received.text, received.done) == ("Hello", True)
    assert received.seconds <= 5.2
    assert received.classes == ["one/a ok"]


def test_a_complete_choice_does_not_cut_off_another() -> None:
    slow: list[Any] = [chunk("x"), finish(), 9.0, chunk("y", index=1), finish(index=1)]
    transport = ScriptedTransport({"a": [reply_with(stream(role(), *slow))]})
    body = {"messages": [{"role": "user", "content": "Hi"}], "n": 2}
    received = run(receive(transport, call("one/a", stream=True, body=body)))
    assert (received.text, received.done) == ("xy", True)


@pytest.mark.parametrize(
    "late",
    [
        pytest.param([usage()], id="usage"),
        pytest.param([0.05, usage(), Act.STALL], id="usage, a little later"),
        pytest.param(
            [{"error": {"message": "x"}}, chunk("more"), "{not", "[]", usage()], id="other events first"
        ),
        pytest.param(["[DONE]", usage()], id="another [DONE]"),
        pytest.param([1.0, usage()], id="usage, much later"),
        pytest.param([Act.STALL], id="silence"),
        pytest.param([Act.CUT], id="a cut"),
    ],
)
@pytest.mark.parametrize("finished", [True, False], ids=["with a finish reason", "without a finish reason"])
def test_after_done_only_usage_is_read_and_only_briefly(late: list[Any], finished: bool) -> None:
    events: list[Any] = [role(), chunk("Hello"), *([finish()] if finished else []), "[DONE]"]
    transport = ScriptedTransport({"a": [reply_with(stream(*events, *late, done=False))]})
    body = {"messages": [{"role": "user", "content": "Hi"}], "stream_options": {"include_usage": True}}
    received = run(receive(transport, call("one/a", stream=True, body=body)))
    assert (received.text, received.done) == ("Hello", True)
    assert [one["finish_reason"] for one in received.choices if one["finish_reason"]] == ["stop"]
    assert received.events.count("[DONE]") == 1
    assert received.seconds <= 0.31
    in_time = late[0] in (usage(), 0.05) or "{not" in late
    assert [one["usage"] for one in received.chunks if one.get("usage")] == ([USAGE] if in_time else [])
    assert received.answer is not None
    assert received.answer.usage is not None
    assert received.answer.usage.estimated is not in_time


# Cancellation.


async def test_a_client_disconnect_closes_the_upstream(relay: RunningRelay) -> None:
    relay.upstream.script("a", stream(chunk("Hello " * 4), Act.STALL))
    answer = await relay.complete(call("one/a", stream=True))
    task = asyncio.ensure_future(frames_of(answer))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await relay.upstream.until("gone", 1)
    assert classes(answer) == ["one/a cancelled"]
    assert answer.usage is not None
    assert (answer.usage.input, answer.usage.output, answer.usage.estimated) == (5, 6, True)


@pytest.mark.parametrize("started", [False, True], ids=["before a frame", "between two frames"])
async def test_closing_an_answer_closes_the_upstream(relay: RunningRelay, started: bool) -> None:
    relay.upstream.script("a", stream(chunk("Hello"), Act.STALL))
    answer = await relay.complete(call("one/a", stream=True))
    frames = answer.frames()
    if started:
        await anext(frames)
    await answer.aclose()
    await answer.aclose()
    await relay.upstream.until("gone", 1)
    await frames.aclose()
    assert classes(answer) == ["one/a cancelled"]


async def test_a_connection_is_reused_after_a_stream(relay: RunningRelay) -> None:
    for _ in range(5):
        await stream_chat(relay, role(), chunk("Hello"), finish(), usage())
        await asyncio.sleep(2 * MIN_IDLE)
    assert relay.upstream.connections == 1


@pytest.mark.parametrize(
    "ending",
    [[Act.STALL], [{"error": {"message": "No.", "code": 500}}, Act.STALL]],
    ids=["silence", "an error event"],
)
async def test_resuming_a_stream_closes_the_first_upstream(relay: RunningRelay, ending: list[Any]) -> None:
    relay.upstream.script("a", stream(role(), chunk("Hel"), *ending))
    relay.upstream.script("b", stream(role(), chunk("Hello"), finish()))
    answer = await relay.complete(
        call("one/a", "two/b", stream=True, recovery="resume", timeouts={"idle": SOON})
    )
    events = await read_events(answer)
    assert (text_of(events), events[-1]) == ("Hello", "[DONE]")
    await relay.upstream.until("gone", 1)


@pytest.mark.parametrize("started", [False, True], ids=["before its head", "after its head"])
async def test_the_loser_of_a_hedge_is_closed_at_once(relay: RunningRelay, started: bool) -> None:
    silent = stream(role(), Act.STALL) if started else Reply(status=None, pieces=(Act.STALL,))
    relay.upstream.script("a", silent)
    relay.upstream.script("b", stream(role(), chunk("Hello"), Act.STALL))
    answer = await relay.complete(call("one/a", "two/b", stream=True, hedge_after=SOON))
    await relay.upstream.until("gone", 1, seconds=0.1)
    assert classes(answer) == ["one/a cancelled", "two/b ok"]
    await answer.aclose()
    await relay.upstream.until("gone", 2, seconds=0.1)


# The frames of the client.

WORDS = [
    "H\u00e9",
    "l\u2028",
    "\U0001f600",
    '"model":"m"',
    '\\"model\\":\\"m\\"',
    "</",
    "\u0000",
    "data: x\n\n",
    ".",
]
CHUNKS = [{**event, "model": "@@"} for event in (role(), *map(chunk, WORDS))]
# Events of the upstream, with @@ in place of its model.
EVENTS = [
    *(json.dumps(event, ensure_ascii=False, separators=(",", ":")) for event in CHUNKS),
    '{"id" : "chatcmpl-1", "model": "@@" ,"created":1763600000,"object":"chat.completion.chunk",'
    '"choices":[{"index":0,"delta":{"content":"\\u00e9\\/"},"x":1.50}]}',
    json.dumps({**CHUNKS[1], "obfuscation": "aaa", "usage": None}),
    '{"deep":{"model":"m"},"choices":[{"index":0,"delta":{"content":"x","model":"m"}}],"id":"chatcmpl-1","created":1763600000,'
    '"object":"chat.completion.chunk","model":"@@"}',
    '{"choices":[{"index":0,"delta":{"content":"x"}}],"id":"chatcmpl-1","created":1763600000,'
    '"object":"chat.completion.chunk","mod\\u0065l":"@@"}',
    json.dumps({**finish(), "model": "@@"}),
]
TEXTS = [text.replace("@@", "m") for text in EVENTS]


async def test_every_chunk_has_the_id_of_the_candidate_as_its_model(relay: RunningRelay) -> None:
    nameless = {name: value for name, value in chunk("x").items() if name != "model"}
    events = await stream_chat(
        relay, chunk("x"), {**chunk("x"), "model": "m2"}, nameless, chunk("x"), finish()
    )
    assert {event["model"] for event in events[:-1]} == {"one/a"}


@pytest.mark.parametrize("cut", CUTS)
async def test_only_the_model_changes_however_the_bytes_are_cut(relay: RunningRelay, cut: int) -> None:
    relay.upstream.script("a", stream(*TEXTS, cut_every=cut))
    actual = b"".join(await frames_of(await relay.complete(call("one/a", stream=True))))
    expected = b"".join(sse(text.replace("@@", "one/a")) for text in EVENTS) + b"data: [DONE]\n\n"
    assert hashlib.sha256(actual).hexdigest() == hashlib.sha256(expected).hexdigest(), (actual, expected)


def feed(data: bytes, cut: int, *, wants_usage: bool = True) -> tuple[bytes, ClientStream]:
    frames = ClientStream(OpenAI().stream(Quirks()), model="one/a", wants_usage=wants_usage)
    out = b"".join(frames.feed(data[at : at + cut]) for at in range(0, len(data), cut))
    return out + (b"" if frames.ended else frames.close()), frames


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize(
    "tail",
    [
        pytest.param(b"data: [DONE]\n\n", id="complete"),
        pytest.param(b"", id="broken off"),
        pytest.param(sse({"error": {"message": "x", "code": 500}}) + sse(chunk("after")), id="failed"),
    ],
)
def test_frames_do_not_depend_on_how_the_bytes_are_cut(tail: bytes, cut: int) -> None:
    data = b": hi\r\n\r\n" + b"".join(map(sse, TEXTS[:-1])) + sse(usage()) + tail
    (out, frames), (all_at_once, reference) = feed(data, cut), feed(data, len(data))
    assert out == all_at_once
    assert (frames.content, frames.usage) == (reference.content, reference.usage)
    assert type(frames.failure) is type(reference.failure)


async def test_the_usage_chunk_is_sent_only_on_request(relay: RunningRelay) -> None:
    pieces = (role(), chunk("Hello"), finish(), usage())
    plain = await stream_chat(relay, *pieces)
    assert not any("usage" in event for event in plain[:-1])
    assert relay.upstream.requests[0].json["stream_options"] == {"include_usage": True}
    body = {"messages": [{"role": "user", "content": "x"}], "stream_options": {"include_usage": True}}
    with_usage = await stream_chat(relay, *pieces, body=body)
    assert with_usage[-2] == {**usage(), "model": "one/a"}


@pytest.mark.parametrize(
    ("after", "received"),
    [
        pytest.param(END_WAIT + 1, True, id="later than END_WAIT"),
        pytest.param(USAGE_WAIT - 1, True, id="just before USAGE_WAIT"),
        pytest.param(USAGE_WAIT + 1, False, id="later than USAGE_WAIT"),
    ],
)
@pytest.mark.parametrize("n", [1, 2])
async def test_requested_usage_of_a_complete_answer_is_waited_for(
    relay: RunningRelay, after: float, received: bool, n: int
) -> None:
    relay.rows["one"] = relay.rows["one"].replaced(quirks=Quirks(unable=frozenset({"n"})))
    body = {**CHAT, "n": n, "stream_options": {"include_usage": True}}
    events = await stream_chat(
        relay, chunk("Hello"), finish(), after, sse(usage()), Act.STALL, done=False, body=body
    )
    assert events[-1] == "[DONE]"
    counts = [event["usage"]["prompt_tokens"] for event in events[:-1] if event.get("usage")]
    assert counts == ([7 * n] if received else [])


async def test_usage_is_recorded_without_a_usage_chunk(relay: RunningRelay) -> None:
    relay.upstream.script("a", stream(chunk("Hello"), finish(), usage()))
    answer = await relay.complete(call("one/a", stream=True))
    await frames_of(answer)
    assert answer.usage is not None
    assert (answer.usage.input, answer.usage.output, answer.usage.estimated) == (7, 3, False)
    assert answer.cost == (7 * 1 + 3 * 2) * 1000


async def test_the_cost_is_in_the_usage_chunk(relay: RunningRelay) -> None:
    body = {"messages": [{"role": "user", "content": "x"}], "usage": {"include": True}}
    events = await stream_chat(relay, chunk("Hello"), finish(), usage(), body=body)
    assert events[-2]["usage"] == {
        **USAGE,
        "cost": 1.3e-05,
        "cost_details": {"input": 7e-06, "output": 6e-06},
    }


@pytest.mark.parametrize("with_usage", [False, True], ids=["alone", "in the usage chunk"])
async def test_the_explanation_is_in_the_last_chunk(relay: RunningRelay, with_usage: bool) -> None:
    body: dict[str, Any] = {"messages": [{"role": "user", "content": "x"}]}
    if with_usage:
        body["stream_options"] = {"include_usage": True}
    events = await stream_chat(
        relay, chunk("Hello"), finish(), usage(), body=body, explanation={"reason": "rule"}
    )
    assert [event for event in events[:-1] if "sluice" in event] == [events[-2]]
    assert events[-2]["sluice"] == {"reason": "rule"}
    assert (events[-2]["id"], events[-2]["model"], events[-2]["choices"]) == (HEAD["id"], "one/a", [])
    assert ("usage" in events[-2]) is with_usage


async def test_an_answer_that_breaks_off_has_no_explanation(relay: RunningRelay) -> None:
    events = await stream_chat(relay, chunk("Hello"), Act.CUT, done=False, explanation={"reason": "rule"})
    assert not any("sluice" in event for event in events)


async def test_a_whole_answer_has_no_frames(relay: RunningRelay) -> None:
    relay.upstream.script("a", whole())
    answer = await relay.complete(call("one/a"))
    assert await frames_of(answer) == []
    await answer.aclose()


def test_a_price_adds_the_cost_to_usage() -> None:
    frames = ClientStream(
        OpenAI().stream(Quirks()), model="one/a", wants_usage=True, charged=Candidate(model("one/a"))
    )
    out = frames.feed(sse(chunk("x")) + sse(finish()) + sse(usage()))
    assert texts([out])[-1].endswith('"cost":1.3e-05,"cost_details":{"input":7e-06,"output":6e-06}}}')


def test_a_reply_can_be_extended() -> None:
    assert Reply().but(Act.CUT).pieces == (Act.CUT,)

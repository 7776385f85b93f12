"""Streams through the relay: the commit point, the client's frames, every way in which a stream may end."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from handler.answers.answer import Answer
from handler.answers.client_stream import END_WAIT, USAGE_WAIT, ClientStream, content_of
from handler.providers.openai.translator import OpenAI
from handler.providers.provider import Quirks
from handler.upstream.pool import MIN_IDLE
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
from tests.support.running_relay import (
    CHAT,
    CHAT_WITH_TOOL,
    PRICE,
    RunningRelay,
    call,
    classes,
    frames_of,
    run_relay,
)

SOON = 0.08  # seconds: a time limit that a test can wait for
CUTS = (1, 2, 3, 7, 64, 1_000_000)


@pytest.fixture
async def relay() -> AsyncIterator[RunningRelay]:
    async with run_relay() as made:
        yield made


async def read(answer: Answer) -> list[Any]:
    """The data of each frame, parsed but for `[DONE]`."""
    return [text if text == "[DONE]" else json.loads(text) for text in texts(await frames_of(answer))]


async def chat(relay: RunningRelay, *pieces: Any, done: bool = True, **how: Any) -> list[Any]:
    """What the client reads of one stream."""
    relay.upstream.script("a", stream(*pieces, done=done))
    return await read(await relay.complete(call("one/a", stream=True, **how)))


def text_of(events: list[Any]) -> str:
    choices = [choice for event in events if isinstance(event, dict) for choice in event.get("choices", ())]
    return "".join(choice["delta"].get("content") or "" for choice in choices)


# The commit point.

CONTENT = [
    pytest.param(chunk("x"), id="text"),
    pytest.param(chunk(" "), id="a blank"),
    pytest.param(
        chunk(
            None,
            tool_calls=[
                {"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": ""}}
            ],
        ),
        id="a tool call",
    ),
    pytest.param(chunk(None, function_call={"name": "f"}), id="a legacy call"),
    pytest.param(chunk(None, reasoning_content="x"), id="reasoning_content"),
    pytest.param(chunk(None, reasoning="x"), id="reasoning"),
    pytest.param(
        chunk(None, reasoning_details=[{"type": "reasoning.text", "index": 0}]), id="reasoning details"
    ),
    pytest.param(chunk(None, refusal="x"), id="a refusal"),
    pytest.param(chunk(None, audio={"id": "x"}), id="audio"),
    pytest.param(chunk("x", role="assistant", index=1), id="text of another choice"),
]
SPELLED = {"reasoning": "reasoning_content"}
NO_CONTENT = [
    pytest.param(role(), id="a role"),
    pytest.param(chunk(""), id="empty text"),
    pytest.param(chunk(None), id="an empty delta"),
    pytest.param(chunk(None, refusal=None, tool_calls=[], function_call=None), id="nulls"),
    pytest.param({**HEAD, "choices": []}, id="no choices"),
    pytest.param({**HEAD, "choices": [], "prompt_filter_results": [{}]}, id="Azure's first chunk"),
    pytest.param({**HEAD, "choices": [None, "x", {"delta": None}]}, id="nonsense"),
]


@pytest.mark.parametrize("first", CONTENT)
async def test_content_commits(relay: RunningRelay, first: dict[str, Any]) -> None:
    """After it a failure is told in band: the next candidate is not asked."""
    relay.upstream.script("a", stream(role(), first, Act.CUT))
    legacy = "function_call" in first["choices"][0]["delta"]
    body = {**CHAT, "functions": [{"name": "f"}]} if legacy else CHAT_WITH_TOOL
    answer = await relay.complete(call("one/a", "two/b", body=body, stream=True))
    events = await read(answer)
    first_delta, second_delta = first["choices"][0]["delta"], events[1]["choices"][0]["delta"]
    assert second_delta == {SPELLED.get(name, name): value for name, value in first_delta.items()}
    assert events[-1]["error"]["metadata"]["class"] == "network"
    assert content_of(first) is not None


@pytest.mark.parametrize("first", NO_CONTENT)
async def test_anything_else_does_not(relay: RunningRelay, first: dict[str, Any]) -> None:
    assert content_of(first) is None
    relay.upstream.script("a", stream(first, Act.CUT))
    relay.upstream.script("b", stream(chunk("Hello"), finish()))
    answer = await relay.complete(call("one/a", "two/b", stream=True, retries=0))
    assert classes(answer) == ["one/a network", "two/b ok"]
    assert text_of(await read(answer)) == "Hello"


async def test_the_answer_is_there_with_its_first_content_and_not_before(relay: RunningRelay) -> None:
    relay.upstream.script("a", stream(role(), 0.05, sse(chunk("Hello")), Act.STALL))
    answer = await relay.complete(call("one/a", stream=True))
    assert answer.first_token is not None
    assert answer.first_token >= 0.05
    assert answer.waited >= 0.05
    frames = answer.frames()
    assert text_of([json.loads(text) for text in texts([await anext(frames)])]) == "Hello"
    await answer.aclose()
    await frames.aclose()


async def test_frames_are_handed_on_as_they_come(relay: RunningRelay) -> None:
    """The upstream says nothing more until the client has read what it said."""
    read_events = [asyncio.Event() for _ in range(3)]
    pieces = [piece for at, event in enumerate(read_events) for piece in (sse(chunk(str(at))), event)]
    relay.upstream.script("a", stream(*pieces, finish()))
    answer = await relay.complete(call("one/a", stream=True, timeouts={"idle": 1}))
    at = 0
    async for frame in answer.frames():
        if at < len(read_events):
            assert text_of([json.loads(text) for text in texts([frame])]) == str(at)
            read_events[at].set()
            at += 1
    assert classes(answer) == ["one/a ok"]


@pytest.mark.parametrize("reason", ["stop", "length", "content_filter"])
async def test_an_answer_may_be_empty(relay: RunningRelay, reason: str) -> None:
    events = await chat(relay, role(), finish(reason))
    assert [event["choices"][0]["finish_reason"] for event in events[:-1]] == [None, reason]
    assert events[-1] == "[DONE]"


async def test_a_candidate_that_failed_leaves_nothing_in_the_stream(relay: RunningRelay) -> None:
    relay.upstream.script("a", stream({**role(), "id": "first"}, Act.CUT))
    relay.upstream.script("b", stream({**role(), "id": "second"}, chunk("Hello"), finish()))
    events = await read(await relay.complete(call("one/a", "two/b", stream=True)))
    assert {(event["id"], event["model"]) for event in events[:-1]} == {("second", "two/b")}


async def test_an_answer_that_goes_on_after_a_finish_reason_is_relayed_whole(relay: RunningRelay) -> None:
    """Some hosts give one too early, or with every piece; the pauses are longer than its end may take."""
    early, thought = chunk("l"), chunk(reasoning_content="th")
    for one in (early, thought):
        one["choices"][0]["finish_reason"] = "stop"
    for first in (chunk("l"), early, thought):
        for then in (chunk("l"), early):
            pieces = [part for _ in range(4) for part in (END_WAIT - 1, sse(then))]
            pause = [] if first is early else [END_WAIT + 1]
            events = await chat(relay, role(), first, *pause, *pieces, finish())
            assert text_of(events) in ("llll", "lllll")
            assert events[-1] == "[DONE]"
            assert events[-2]["choices"][0]["finish_reason"] == "stop"


# How a stream may end.

ENDINGS: list[Any] = [
    pytest.param([finish()], True, id="as it should"),
    pytest.param([finish()], False, id="without [DONE]"),
    pytest.param([finish(), Act.CUT], False, id="cut after the finish reason"),
    pytest.param([finish(), Act.RESET], False, id="reset after the finish reason"),
    pytest.param([finish(), b"data: [DONE]"], False, id="without a blank line"),
    pytest.param([finish(), b"data:[DONE]\r\n\r\n"], False, id="without a space"),
    pytest.param([finish(), b"data: [DONE]\n\n", b"data: [DONE]\n\n"], True, id="with [DONE] thrice"),
    pytest.param([finish(), b"data: [DONE]\n\n", sse(chunk("more"))], False, id="with content after [DONE]"),
    pytest.param(
        [finish(), b"data: [DONE]\n\n", sse({"error": {"message": "x"}})], False, id="an error after it"
    ),
    pytest.param([finish(), b"data: [DONE]\n\n", Act.CUT], False, id="cut after [DONE]"),
    pytest.param([finish(), b"data: [DONE]\n\n", Act.STALL], False, id="a connection left open"),
    pytest.param([finish(), b": bye\n\n"], True, id="with a comment"),
    pytest.param(["{not json", finish()], True, id="after an event that cannot be read"),
    pytest.param([b"event: ping\n\ndata:\n\n", finish()], True, id="after events of nothing"),
]


@pytest.mark.parametrize(("ending", "done"), ENDINGS)
async def test_a_complete_answer_ends_in_one_done(relay: RunningRelay, ending: list[Any], done: bool) -> None:
    events = await chat(relay, role(), chunk("Hello"), *ending, done=done)
    assert text_of(events) == "Hello"
    assert [event for event in events if event == "[DONE]"] == ["[DONE]"]
    assert events[-1] == "[DONE]"
    assert events[-2]["choices"][0]["finish_reason"] == "stop"


BREAKS: list[Any] = [
    pytest.param([], "network", 502, id="no more"),
    pytest.param([Act.CUT], "network", 502, id="cut"),
    pytest.param([Act.RESET], "network", 502, id="reset"),
    pytest.param([b'data: {"id":"x","cho', Act.CUT], "network", 502, id="cut within an event"),
    pytest.param(["{not", "json}"], "protocol", 502, id="events that cannot be read"),
    pytest.param(["x" * 8_100_000], "protocol", 502, id="an endless event"),
    pytest.param([{"error": {"message": "No.", "code": 500}}], "server", 502, id="an error event"),
    pytest.param(
        [{"error": {"message": "No.", "code": 429}}], "rate_limit", 429, id="a limit as an error event"
    ),
    pytest.param([{"error": {"message": "Bad key", "code": 401}}], "auth", 502, id="our credential"),
    pytest.param(
        [{"error": {"message": "No.", "code": "content_filter"}}],
        "content_policy",
        400,
        id="a filter's event",
    ),
    pytest.param([finish("error")], "server", 502, id="an error as a finish reason"),
    pytest.param([Act.STALL], "timeout_idle", 504, id="silence"),
]
TYPES = {502: "upstream_error", 504: "timeout_error", 429: "rate_limit_error", 400: "invalid_request_error"}


@pytest.mark.parametrize(("ending", "failure_class", "status"), BREAKS)
async def test_an_answer_that_breaks_off_ends_in_an_error_and_never_in_done(
    relay: RunningRelay, ending: list[Any], failure_class: str, status: int
) -> None:
    relay.upstream.script("z", whole(status=401))
    relay.upstream.script("a", stream(role(), chunk("Hel"), chunk("lo"), *ending, done=False))
    answer = await relay.complete(call("two/z", "one/a", "two/z", stream=True, timeouts={"idle": SOON}))
    events = await read(answer)
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
        text_of(await chat(relay, chunk("Hel"), *drip, chunk("lo"), finish(), timeouts={"idle": SOON}))
        == "Hello"
    )


async def test_an_endless_stream_ends_at_the_deadline(relay: RunningRelay) -> None:
    drip: list[Piece] = [sse(chunk("x")), SOON / 10] * 100
    events = await chat(relay, *drip, timeouts={"total": SOON})
    assert events[-1]["error"]["code"] == "deadline_exceeded"
    assert events[-1]["error"]["metadata"]["class"] == "timeout_total"
    await relay.upstream.until("gone", 1)


async def test_a_credential_in_the_middle_of_a_stream_is_taken_out(relay: RunningRelay) -> None:
    relay.rows["one"] = replace(relay.rows["one"], credential="ONE_KEY")
    relay.credentials["ONE_KEY"] = "canary value"
    refusal = {"error": {"message": "Not with canary value.", "code": "content_filter"}}
    events = await chat(relay, chunk("Hello"), refusal)
    assert events[-1]["error"]["message"] == "one/a: Not with [redacted]."


# Leaving.


async def test_a_client_who_leaves_takes_the_upstream_along(relay: RunningRelay) -> None:
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
async def test_an_answer_that_is_closed_lets_go_of_the_upstream(relay: RunningRelay, started: bool) -> None:
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


async def test_a_connection_serves_again_after_a_stream(relay: RunningRelay) -> None:
    for _ in range(5):
        await chat(relay, role(), chunk("Hello"), finish(), usage())
        await asyncio.sleep(2 * MIN_IDLE)
    assert relay.upstream.connections == 1


@pytest.mark.parametrize(
    "ending",
    [[Act.STALL], [{"error": {"message": "No.", "code": 500}}, Act.STALL]],
    ids=["silence", "an error"],
)
async def test_a_stream_that_another_finishes_lets_go_of_the_first(
    relay: RunningRelay, ending: list[Any]
) -> None:
    relay.upstream.script("a", stream(role(), chunk("Hel"), *ending))
    relay.upstream.script("b", stream(role(), chunk("Hello"), finish()))
    answer = await relay.complete(
        call("one/a", "two/b", stream=True, recovery="resume", timeouts={"idle": SOON})
    )
    events = await read(answer)
    assert (text_of(events), events[-1]) == ("Hello", "[DONE]")
    await relay.upstream.until("gone", 1)


@pytest.mark.parametrize("started", [False, True], ids=["before its head", "in the middle of it"])
async def test_the_loser_of_a_hedge_is_let_go_at_once(relay: RunningRelay, started: bool) -> None:
    silent = stream(role(), Act.STALL) if started else Reply(status=None, pieces=(Act.STALL,))
    relay.upstream.script("a", silent)
    relay.upstream.script("b", stream(role(), chunk("Hello"), Act.STALL))
    answer = await relay.complete(call("one/a", "two/b", stream=True, hedge_after=SOON))
    await relay.upstream.until("gone", 1, seconds=0.1)
    assert classes(answer) == ["one/a cancelled", "two/b ok"]
    await answer.aclose()
    await relay.upstream.until("gone", 2, seconds=0.1)


# What the client gets of it.

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
SAID = [{**event, "model": "@@"} for event in (role(), *map(chunk, WORDS))]
# Events as they come; where the upstream's model stands, @@.
EVENTS = [
    *(json.dumps(event, ensure_ascii=False, separators=(",", ":")) for event in SAID),
    '{"id" : "chatcmpl-1", "model": "@@" ,"created":1763600000,"object":"chat.completion.chunk",'
    '"choices":[{"index":0,"delta":{"content":"\\u00e9\\/"},"x":1.50}]}',
    json.dumps({**SAID[1], "obfuscation": "aaa", "usage": None}),
    '{"deep":{"model":"m"},"choices":[{"index":0,"delta":{"content":"x","model":"m"}}],"id":"chatcmpl-1","created":1763600000,'
    '"object":"chat.completion.chunk","model":"@@"}',
    '{"choices":[{"index":0,"delta":{"content":"x"}}],"id":"chatcmpl-1","created":1763600000,'
    '"object":"chat.completion.chunk","mod\\u0065l":"@@"}',
    json.dumps({**finish(), "model": "@@"}),
]
TEXTS = [text.replace("@@", "m") for text in EVENTS]


async def test_a_model_that_changes_its_name_and_one_without(relay: RunningRelay) -> None:
    nameless = {name: value for name, value in chunk("x").items() if name != "model"}
    events = await chat(relay, chunk("x"), {**chunk("x"), "model": "m2"}, nameless, chunk("x"), finish())
    assert {event["model"] for event in events[:-1]} == {"one/a"}


@pytest.mark.parametrize("cut", CUTS)
async def test_only_the_model_is_another_however_the_bytes_are_cut(relay: RunningRelay, cut: int) -> None:
    relay.upstream.script("a", stream(*TEXTS, cut_every=cut))
    got = b"".join(await frames_of(await relay.complete(call("one/a", stream=True))))
    want = b"".join(sse(text.replace("@@", "one/a")) for text in EVENTS) + b"data: [DONE]\n\n"
    assert hashlib.sha256(got).hexdigest() == hashlib.sha256(want).hexdigest(), (got, want)


def fed(data: bytes, cut: int, *, wants_usage: bool = True) -> tuple[bytes, ClientStream]:
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
    (out, frames), (all_at_once, reference) = fed(data, cut), fed(data, len(data))
    assert out == all_at_once
    assert (frames.content, frames.usage) == (reference.content, reference.usage)
    assert type(frames.failure) is type(reference.failure)


async def test_the_usage_chunk_is_for_who_asked(relay: RunningRelay) -> None:
    pieces = (role(), chunk("Hello"), finish(), usage())
    silent = await chat(relay, *pieces)
    assert not any("usage" in event for event in silent[:-1])
    assert relay.upstream.requests[0].json["stream_options"] == {"include_usage": True}
    body = {"messages": [{"role": "user", "content": "x"}], "stream_options": {"include_usage": True}}
    counted = await chat(relay, *pieces, body=body)
    assert counted[-2] == {**usage(), "model": "one/a"}


@pytest.mark.parametrize(
    ("after", "there"),
    [
        pytest.param(END_WAIT + 1, True, id="later than an end may come"),
        pytest.param(USAGE_WAIT - 1, True, id="very late"),
        pytest.param(USAGE_WAIT + 1, False, id="never, as far as anybody can tell"),
    ],
)
@pytest.mark.parametrize("n", [1, 2])
async def test_the_usage_of_a_whole_answer_is_waited_for_where_it_is_asked_for(
    relay: RunningRelay, after: float, there: bool, n: int
) -> None:
    relay.rows["one"] = replace(relay.rows["one"], quirks=Quirks(unable=frozenset({"n"})))
    body = {**CHAT, "n": n, "stream_options": {"include_usage": True}}
    events = await chat(
        relay, chunk("Hello"), finish(), after, sse(usage()), Act.STALL, done=False, body=body
    )
    assert events[-1] == "[DONE]"
    counts = [event["usage"]["prompt_tokens"] for event in events[:-1] if event.get("usage")]
    assert counts == ([7 * n] if there else [])


async def test_usage_is_known_although_the_client_is_not_told(relay: RunningRelay) -> None:
    relay.upstream.script("a", stream(chunk("Hello"), finish(), usage()))
    answer = await relay.complete(call("one/a", stream=True))
    await frames_of(answer)
    assert answer.usage is not None
    assert (answer.usage.input, answer.usage.output, answer.usage.estimated) == (7, 3, False)
    assert answer.cost_dollars == pytest.approx((7 * 1 + 3 * 2) / 1e6)


async def test_the_cost_is_in_the_usage_chunk(relay: RunningRelay) -> None:
    body = {"messages": [{"role": "user", "content": "x"}], "usage": {"include": True}}
    events = await chat(relay, chunk("Hello"), finish(), usage(), body=body)
    assert events[-2]["usage"] == {**USAGE, "cost": 1.3e-05}


@pytest.mark.parametrize("with_usage", [False, True], ids=["alone", "in the usage chunk"])
async def test_the_explanation_is_in_the_last_chunk(relay: RunningRelay, with_usage: bool) -> None:
    body: dict[str, Any] = {"messages": [{"role": "user", "content": "x"}]}
    if with_usage:
        body["stream_options"] = {"include_usage": True}
    events = await chat(relay, chunk("Hello"), finish(), usage(), body=body, explanation={"reason": "rule"})
    assert [event for event in events[:-1] if "sluice" in event] == [events[-2]]
    assert events[-2]["sluice"] == {"reason": "rule"}
    assert (events[-2]["id"], events[-2]["model"], events[-2]["choices"]) == (HEAD["id"], "one/a", [])
    assert ("usage" in events[-2]) is with_usage


async def test_no_explanation_is_given_of_an_answer_that_broke_off(relay: RunningRelay) -> None:
    events = await chat(relay, chunk("Hello"), Act.CUT, done=False, explanation={"reason": "rule"})
    assert not any("sluice" in event for event in events)


async def test_a_whole_answer_has_no_frames(relay: RunningRelay) -> None:
    relay.upstream.script("a", whole())
    answer = await relay.complete(call("one/a"))
    assert await frames_of(answer) == []
    await answer.aclose()


async def test_a_stream_without_end_that_holds_nothing_is_bounded(relay: RunningRelay) -> None:
    filler = sse({**HEAD, "choices": [], "filler": "x" * 1_000_000})
    relay.upstream.script("a", stream(*[filler] * 9, Act.STALL))
    relay.upstream.script("b", stream(chunk("Hello"), finish()))
    answer = await relay.complete(call("one/a", "two/b", stream=True))
    assert classes(answer) == ["one/a protocol", "two/b ok"]
    await answer.aclose()


def test_a_price_is_given_only_to_tell_the_cost() -> None:
    frames = ClientStream(OpenAI().stream(Quirks()), model="one/a", wants_usage=True, price=PRICE)
    out = frames.feed(sse(chunk("x")) + sse(finish()) + sse(usage()))
    assert texts([out])[-1].endswith('"cost":1.3e-05}}')


def test_a_reply_can_be_continued() -> None:
    assert Reply().but(Act.CUT).pieces == (Act.CUT,)

"""Reading a provider's response: a whole answer, a stream to its first content, or a failure."""

from __future__ import annotations

import json
from typing import Any

import pytest

from handler.answers.client_stream import content_of
from handler.relay.response import MAX_ANSWER
from tests.handler.relay.exchanges import (
    BOTH,
    error_reply,
    failure_classes,
    good_reply,
    read_answer,
    read_error,
    read_events,
    stream_chat,
    text_of,
)
from tests.support.canned_answers import (
    HEAD,
    Act,
    Reply,
    chunk,
    completion,
    finish,
    role,
    sse,
    stream,
    texts,
    usage,
    whole,
)
from tests.support.running_relay import CHAT, CHAT_WITH_TOOL, RunningRelay, call, classes
from tests.support.scripted_transport import ScriptedTransport, answer_with, receive, reply_with
from tests.support.virtual_clock import run

TEXT = "The quick brown fox jumps over the lazy dog."


def completion_with(more: str) -> str:
    """A valid completion with one more field."""
    return json.dumps(completion())[:-1] + f", {more}}}"


CLOSED = Reply(status=None, pieces=(Act.CUT,))
# A reply, the failure class of the attempt, and the number of attempts before failover.
FAULTS = [
    pytest.param(error_reply(500), "server", 2, id="500"),
    pytest.param(error_reply(502), "server", 2, id="502"),
    pytest.param(error_reply(408), "server", 2, id="408"),
    pytest.param(error_reply(425), "server", 2, id="425"),
    pytest.param(error_reply(503), "overloaded", 2, id="503"),
    pytest.param(error_reply(529), "overloaded", 2, id="529"),
    pytest.param(whole("<html>Bad Gateway</html>", status=502), "server", 2, id="an error page"),
    pytest.param(whole(b"", status=500), "server", 2, id="an error without a body"),
    pytest.param(whole(b"\xff\x00" * 2_000_000, status=500), "server", 2, id="an error of megabytes"),
    pytest.param(error_reply(401), "auth", 1, id="401"),
    pytest.param(error_reply(403), "permission", 1, id="403"),
    pytest.param(error_reply(404), "not_found", 1, id="404"),
    pytest.param(error_reply(402), "quota", 1, id="402"),
    pytest.param(error_reply(429, code="insufficient_quota"), "quota", 1, id="a 429 for a spent quota"),
    pytest.param(error_reply(429), "rate_limit", 1, id="429"),
    pytest.param(CLOSED, "network", 2, id="closed without an answer"),
    pytest.param(Reply(status=None, pieces=(Act.RESET,)), "network", 2, id="reset before the head"),
    pytest.param(
        Reply(status=200, chunked=True, pieces=(Act.RESET,)), "network", 2, id="reset after the head"
    ),
    pytest.param(
        Reply(status=200, chunked=True, pieces=(b'{"a', Act.CUT)), "network", 2, id="cut in the body"
    ),
    pytest.param(Reply(status=200, headers={"content-length": "x"}), "network", 2, id="invalid HTTP"),
    pytest.param(whole("", status=302, headers={"location": "http://127.0.0.1:9/"}), "protocol", 1, id="302"),
    pytest.param(whole("", status=304), "protocol", 1, id="304"),
    pytest.param(
        whole("", headers={"content-encoding": "gzip"}), "protocol", 1, id="compressed although not requested"
    ),
    pytest.param(whole(b""), "protocol", 1, id="an empty 200"),
    pytest.param(whole("<html>Hello</html>"), "protocol", 1, id="an HTML page"),
    pytest.param(whole(b"\xff\xfe{}"), "protocol", 1, id="broken UTF-8"),
    pytest.param(whole("[" * 100_000), "protocol", 1, id="a body too deep"),
    pytest.param(whole("[]"), "protocol", 1, id="a list"),
    pytest.param(whole(completion_with('"x":NaN')), "protocol", 1, id="NaN in an unused field"),
    pytest.param(whole(completion_with('"x":[-Infinity]')), "protocol", 1, id="minus Infinity"),
    pytest.param(whole(completion_with('"choices":[]')), "protocol", 1, id="repeated choices"),
    pytest.param(
        whole(completion_with('"x":{"a":1,"\\u0061":2}')), "protocol", 1, id="a repeated name, once escaped"
    ),
    pytest.param(whole({"id": "x"}), "protocol", 1, id="no choices"),
    pytest.param(whole({"error": {"message": "No.", "code": 500}}), "server", 2, id="200 with an error"),
    pytest.param(
        whole({"error": {"message": "No.", "code": 429}}), "rate_limit", 1, id="200 with a rate limit"
    ),
]


@BOTH
@pytest.mark.parametrize(("fault", "failure_class", "times"), FAULTS)
async def test_a_fault_is_retried_by_its_class_before_failover(
    relay: RunningRelay, fault: Reply, failure_class: str, times: int, streamed: bool
) -> None:
    relay.upstream.script("a", fault)
    relay.upstream.script("b", good_reply(streamed))
    answer = await read_answer(relay, call("one/a", "two/b", stream=streamed))
    assert answer.candidate.id == "two/b"
    assert classes(answer) == [f"one/a {failure_class}"] * times + ["two/b ok"]
    assert len(relay.upstream.requests_for("a")) == times
    assert relay.slept == [0.25] * (times - 1)


@BOTH
@pytest.mark.parametrize(("fault", "failure_class", "times"), FAULTS)
async def test_a_single_fault_costs_one_retry(
    relay: RunningRelay, fault: Reply, failure_class: str, times: int, streamed: bool
) -> None:
    relay.upstream.script("a", fault, good_reply(streamed))
    chat_call = call("one/a", stream=streamed)
    if times == 1 and failure_class != "rate_limit":
        assert failure_classes(await read_error(relay, chat_call)) == [f"one/a {failure_class}"]
    else:
        assert classes(await read_answer(relay, chat_call)) == [f"one/a {failure_class}", "one/a ok"]


async def test_a_byte_order_mark_is_accepted(relay: RunningRelay) -> None:
    relay.upstream.script("a", whole(b"\xef\xbb\xbf" + json.dumps(completion()).encode()))
    assert classes(await read_answer(relay, call("one/a"))) == ["one/a ok"]


@BOTH
async def test_an_emoji_next_to_a_large_image_is_accepted(relay: RunningRelay, streamed: bool) -> None:
    more = {"caption": "\U0001f642", "image": "a" * 7_500_000}
    made = {**(chunk("Hello") if streamed else completion()), **more}
    text = json.dumps(made, ensure_ascii=False).encode()
    event = b"data: " + text + b"\n\n"
    relay.upstream.script("a", stream(role(), event, finish(), usage()) if streamed else whole(text))
    assert classes(await read_answer(relay, call("one/a", stream=streamed))) == ["one/a ok"]


async def test_a_whole_answer_has_a_size_limit(relay: RunningRelay) -> None:
    relay.upstream.script("a", whole(b" " * (MAX_ANSWER + 1)))
    assert failure_classes(await read_error(relay, call("one/a"))) == ["one/a protocol"]


@BOTH
def test_an_endless_answer_is_cut_off(streamed: bool) -> None:
    endless: list[Any] = [sse(chunk("x" * 1000)), 0.1] * 6000 if streamed else [b" " * 1_000_000] * 30
    script = reply_with(
        Reply(headers={"content-type": "text/event-stream"} if streamed else {}, pieces=endless)
    )
    received = run(
        receive(ScriptedTransport({"a": [script]}), call("one/a", stream=streamed, timeouts={"total": 50.0}))
    )
    assert received.seconds <= 50.001
    assert received.failure["metadata"]["class"] == ("timeout_total" if streamed else "protocol")


STREAM_FAULTS = [
    pytest.param(stream(done=False), "protocol", 1, id="no event"),
    pytest.param(stream(b": hello\n\n", done=False), "protocol", 1, id="only a comment"),
    pytest.param(stream(), "protocol", 1, id="only [DONE]"),
    pytest.param(stream(Act.CUT), "network", 2, id="cut before any event"),
    pytest.param(stream(role(), done=False), "network", 2, id="only a role"),
    pytest.param(stream(role(), Act.CUT), "network", 2, id="cut after the role"),
    pytest.param(stream(role(), Act.RESET), "network", 2, id="reset after the role"),
    pytest.param(
        stream(role(), {"error": {"message": "No.", "code": 503}}), "overloaded", 2, id="an error event"
    ),
    pytest.param(
        stream(role(), {"error": {"message": "No.", "code": 429}}),
        "rate_limit",
        1,
        id="a rate limit as an event",
    ),
    pytest.param(stream("{not", "json}"), "protocol", 1, id="events with invalid JSON"),
    pytest.param(stream("<html>", "</html>"), "protocol", 1, id="HTML as events"),
    pytest.param(stream("x" * 8_100_000), "protocol", 1, id="an endless event"),
    pytest.param(whole(completion()), "protocol", 1, id="a whole answer instead of a stream"),
]


@pytest.mark.parametrize(("fault", "failure_class", "times"), STREAM_FAULTS)
async def test_a_stream_fails_over_before_its_first_content(
    relay: RunningRelay, fault: Reply, failure_class: str, times: int
) -> None:
    relay.upstream.script("a", fault)
    relay.upstream.script("b", good_reply(True))
    answer = await read_answer(relay, call("one/a", "two/b", stream=True))
    assert classes(answer) == [f"one/a {failure_class}"] * times + ["two/b ok"]


def test_an_html_page_instead_of_a_stream_is_not_retried() -> None:
    page = reply_with(whole("<html>Hello</html>", headers={"content-type": "text/html; charset=utf-8"}))
    received = run(
        receive(
            ScriptedTransport({"a": [page], "b": [answer_with(TEXT)]}), call("one/a", "two/b", stream=True)
        )
    )
    assert received.classes == ["one/a protocol", "two/b ok"]


FRAMINGS = [
    pytest.param(lambda data: data.replace(b"\n", b"\r\n"), id="CRLF"),
    pytest.param(lambda data: data.replace(b"\n", b"\r"), id="CR"),
    pytest.param(lambda data: b"\xef\xbb\xbf" + data, id="BOM"),
    pytest.param(
        lambda data: data.replace(b"data: {", b": hi\nevent: x\nid: 7\ndata: {"), id="comments and fields"
    ),
    pytest.param(lambda data: data.replace(b',"choices"', b'\ndata: ,"choices"'), id="data of several lines"),
    pytest.param(lambda data: data.replace(b"data: ", b"data:"), id="no space"),
]


@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("size", [1, 2, 1000])
@pytest.mark.parametrize("recovery", ["error", "resume", "buffer"])
def test_events_are_read_in_every_valid_framing(framing: Any, size: int, recovery: str) -> None:
    data = framing(
        b"".join(
            p for p in answer_with(TEXT)({"messages": [{"role": "user"}]}).pieces if isinstance(p, bytes)
        )
    )
    cut = [data[at : at + size] for at in range(0, len(data), size)]
    transport = ScriptedTransport({"a": [reply_with(stream(*cut, done=False))]})
    received = run(receive(transport, call("one/a", stream=True, recovery=recovery)))
    assert (received.text, received.done) == (TEXT, True)


# The first content of a stream.

CONTENT = [
    pytest.param(chunk("x"), id="text"),
    pytest.param(chunk(" "), id="a space"),
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
RENAMED = {"reasoning": "reasoning_content"}
NO_CONTENT = [
    pytest.param(role(), id="a role"),
    pytest.param(chunk(""), id="empty text"),
    pytest.param(chunk(None), id="an empty delta"),
    pytest.param(chunk(None, refusal=None, tool_calls=[], function_call=None), id="nulls"),
    pytest.param({**HEAD, "choices": []}, id="no choices"),
    pytest.param({**HEAD, "choices": [], "prompt_filter_results": [{}]}, id="Azure's first chunk"),
    pytest.param({**HEAD, "choices": [None, "x", {"delta": None}]}, id="invalid choices"),
]


@pytest.mark.parametrize("first", CONTENT)
async def test_content_commits(relay: RunningRelay, first: dict[str, Any]) -> None:
    """After it, a failure becomes an error event, and no other candidate is tried."""
    relay.upstream.script("a", stream(role(), first, Act.CUT))
    legacy = "function_call" in first["choices"][0]["delta"]
    body = {**CHAT, "functions": [{"name": "f"}]} if legacy else CHAT_WITH_TOOL
    answer = await relay.complete(call("one/a", "two/b", body=body, stream=True))
    events = await read_events(answer)
    first_delta, second_delta = first["choices"][0]["delta"], events[1]["choices"][0]["delta"]
    assert second_delta == {RENAMED.get(name, name): value for name, value in first_delta.items()}
    assert events[-1]["error"]["metadata"]["class"] == "network"
    assert content_of(first) is not None


@pytest.mark.parametrize("first", NO_CONTENT)
async def test_a_chunk_without_content_does_not_commit(relay: RunningRelay, first: dict[str, Any]) -> None:
    assert content_of(first) is None
    relay.upstream.script("a", stream(first, Act.CUT))
    relay.upstream.script("b", stream(chunk("Hello"), finish()))
    answer = await relay.complete(call("one/a", "two/b", stream=True, retries=0))
    assert classes(answer) == ["one/a network", "two/b ok"]
    assert text_of(await read_events(answer)) == "Hello"


async def test_an_answer_starts_with_its_first_content(relay: RunningRelay) -> None:
    relay.upstream.script("a", stream(role(), 0.05, sse(chunk("Hello")), Act.STALL))
    answer = await relay.complete(call("one/a", stream=True))
    assert answer.first_token is not None
    assert answer.first_token >= 0.05
    assert answer.waited >= 0.05
    frames = answer.frames()
    assert text_of([json.loads(text) for text in texts([await anext(frames)])]) == "Hello"
    await answer.aclose()
    await frames.aclose()


@pytest.mark.parametrize("reason", ["stop", "length", "content_filter"])
async def test_an_answer_may_be_empty(relay: RunningRelay, reason: str) -> None:
    events = await stream_chat(relay, role(), finish(reason))
    assert [event["choices"][0]["finish_reason"] for event in events[:-1]] == [None, reason]
    assert events[-1] == "[DONE]"


async def test_an_endless_stream_without_content_is_cut_off(relay: RunningRelay) -> None:
    filler = sse({**HEAD, "choices": [], "filler": "x" * 1_000_000})
    relay.upstream.script("a", stream(*[filler] * 9, Act.STALL))
    relay.upstream.script("b", stream(chunk("Hello"), finish()))
    answer = await relay.complete(call("one/a", "two/b", stream=True))
    assert classes(answer) == ["one/a protocol", "two/b ok"]
    await answer.aclose()

"""The relay over real sockets: one attempt loop for whole answers and for streams."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from handler import __version__
from handler.answers.answer import Answer
from handler.errors import GatewayError, Json, Unavailable
from handler.providers.provider import Provider
from handler.relay.call import Call
from handler.relay.response import MAX_ANSWER
from handler.relay.timeouts import deadline_of, limits_of
from handler.upstream.pool import MIN_IDLE
from handler.upstream.request import USER_AGENT
from rules import Model
from tests.fault_injection.provider import self_signed
from tests.support.canned_answers import (
    Act,
    Piece,
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
from tests.support.misframing import MisframingProvider
from tests.support.running_relay import CHAT, RunningRelay, call, classes, frames_of, model, run_relay
from tests.support.virtual_clock import clock

SOON = 0.08  # seconds: a time limit that a test can wait for
BOTH = pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])


@pytest.fixture
async def relay() -> AsyncIterator[RunningRelay]:
    async with run_relay() as made:
        yield made


def good(streamed: bool, text: str = "Hello") -> Reply:
    return stream(role(), chunk(text), finish(), usage()) if streamed else whole(completion(text))


def error(status: int, **fields: Any) -> Reply:
    return whole({"error": {"message": "No.", **fields}}, status=status)


async def read_answer(relay: RunningRelay, chat_call: Call) -> Answer:
    """The answer, read to its end and found to be whole."""
    answer = await relay.complete(chat_call)
    if chat_call.chat.stream:
        events = [json.loads(text) for text in texts(await frames_of(answer))[:-1]]
        text = "".join(choice["delta"].get("content") or "" for one in events for choice in one["choices"])
    else:
        text = json.loads(answer.body)["choices"][0]["message"]["content"]
    assert text == "Hello"
    return answer


async def read_refusal(relay: RunningRelay, chat_call: Call) -> GatewayError:
    with pytest.raises(GatewayError) as caught:
        await relay.complete(chat_call)
    return caught.value


def tried(error: GatewayError) -> list[str]:
    return [f"{one['model']} {one['class']}" for one in error.metadata["attempts"]]


def odd(more: str) -> str:
    """A completion with this in it, which is right in all else."""
    return json.dumps(completion())[:-1] + f", {more}}}"


# What a provider may do, its class, and how often it is asked before the next one is.
NO_ANSWER = Reply(status=None, pieces=(Act.CUT,))
FAULTS = [
    pytest.param(error(500), "server", 2, id="500"),
    pytest.param(error(502), "server", 2, id="502"),
    pytest.param(error(408), "server", 2, id="408"),
    pytest.param(error(425), "server", 2, id="425"),
    pytest.param(error(503), "overloaded", 2, id="503"),
    pytest.param(error(529), "overloaded", 2, id="529"),
    pytest.param(whole("<html>Bad Gateway</html>", status=502), "server", 2, id="an error page"),
    pytest.param(whole(b"", status=500), "server", 2, id="an error without a body"),
    pytest.param(whole(b"\xff\x00" * 2_000_000, status=500), "server", 2, id="an error of megabytes"),
    pytest.param(error(401), "auth", 1, id="401"),
    pytest.param(error(403), "permission", 1, id="403"),
    pytest.param(error(404), "not_found", 1, id="404"),
    pytest.param(error(402), "quota", 1, id="402"),
    pytest.param(error(429, code="insufficient_quota"), "quota", 1, id="no money left, as a 429"),
    pytest.param(error(429), "rate_limit", 1, id="429"),
    pytest.param(NO_ANSWER, "network", 2, id="closed without an answer"),
    pytest.param(Reply(status=None, pieces=(Act.RESET,)), "network", 2, id="reset before the head"),
    pytest.param(
        Reply(status=200, chunked=True, pieces=(Act.RESET,)), "network", 2, id="reset after the head"
    ),
    pytest.param(
        Reply(status=200, chunked=True, pieces=(b'{"a', Act.CUT)), "network", 2, id="cut in the body"
    ),
    pytest.param(Reply(status=200, headers={"content-length": "x"}), "network", 2, id="no HTTP"),
    pytest.param(whole("", status=302, headers={"location": "http://127.0.0.1:9/"}), "protocol", 1, id="302"),
    pytest.param(whole("", status=304), "protocol", 1, id="304"),
    pytest.param(
        whole("", headers={"content-encoding": "gzip"}), "protocol", 1, id="packed though asked not to"
    ),
    pytest.param(whole(b""), "protocol", 1, id="an empty 200"),
    pytest.param(whole("<html>Hello</html>"), "protocol", 1, id="a page"),
    pytest.param(whole(b"\xff\xfe{}"), "protocol", 1, id="broken UTF-8"),
    pytest.param(whole("[" * 100_000), "protocol", 1, id="a body too deep"),
    pytest.param(whole("[]"), "protocol", 1, id="a list"),
    pytest.param(whole(odd('"x":NaN')), "protocol", 1, id="NaN in an unused field"),
    pytest.param(whole(odd('"x":[-Infinity]')), "protocol", 1, id="minus Infinity"),
    pytest.param(whole(odd('"choices":[]')), "protocol", 1, id="choices twice"),
    pytest.param(whole(odd('"x":{"a":1,"\\u0061":2}')), "protocol", 1, id="a name twice, once escaped"),
    pytest.param(whole({"id": "x"}), "protocol", 1, id="no choices"),
    pytest.param(whole({"error": {"message": "No.", "code": 500}}), "server", 2, id="200 with an error"),
    pytest.param(
        whole({"error": {"message": "No.", "code": 429}}), "rate_limit", 1, id="200 with a rate limit"
    ),
]


@BOTH
@pytest.mark.parametrize(("fault", "failure_class", "times"), FAULTS)
async def test_a_fault_is_retried_as_its_class_says_and_then_the_next_candidate_answers(
    relay: RunningRelay, fault: Reply, failure_class: str, times: int, streamed: bool
) -> None:
    relay.upstream.script("a", fault)
    relay.upstream.script("b", good(streamed))
    answer = await read_answer(relay, call("one/a", "two/b", stream=streamed))
    assert answer.candidate.id == "two/b"
    assert classes(answer) == [f"one/a {failure_class}"] * times + ["two/b ok"]
    assert len(relay.upstream.requests_for("a")) == times
    assert relay.slept == [0.25] * (times - 1)


@BOTH
@pytest.mark.parametrize(("fault", "failure_class", "times"), FAULTS)
async def test_a_fault_that_does_not_come_again_costs_a_retry(
    relay: RunningRelay, fault: Reply, failure_class: str, times: int, streamed: bool
) -> None:
    relay.upstream.script("a", fault, good(streamed))
    chat_call = call("one/a", stream=streamed)
    if times == 1 and failure_class != "rate_limit":
        assert tried(await read_refusal(relay, chat_call)) == [f"one/a {failure_class}"]
    else:
        assert classes(await read_answer(relay, chat_call)) == [f"one/a {failure_class}", "one/a ok"]


async def test_a_byte_order_mark_is_no_fault(relay: RunningRelay) -> None:
    relay.upstream.script("a", whole(b"\xef\xbb\xbf" + json.dumps(completion()).encode()))
    assert classes(await read_answer(relay, call("one/a"))) == ["one/a ok"]


@BOTH
async def test_an_emoji_beside_an_image_is_no_fault(relay: RunningRelay, streamed: bool) -> None:
    more = {"caption": "\U0001f642", "image": "a" * 7_500_000}
    made = {**(chunk("Hello") if streamed else completion()), **more}
    text = json.dumps(made, ensure_ascii=False).encode()
    event = b"data: " + text + b"\n\n"
    relay.upstream.script("a", stream(role(), event, finish(), usage()) if streamed else whole(text))
    assert classes(await read_answer(relay, call("one/a", stream=streamed))) == ["one/a ok"]


async def test_a_whole_answer_is_bounded(relay: RunningRelay) -> None:
    relay.upstream.script("a", whole(b" " * (MAX_ANSWER + 1)))
    assert tried(await read_refusal(relay, call("one/a"))) == ["one/a protocol"]


@BOTH
@pytest.mark.parametrize("retries", [0, 1, 3])
async def test_the_rule_says_how_often(relay: RunningRelay, retries: int, streamed: bool) -> None:
    relay.upstream.script("a", error(500))
    failure = await read_refusal(relay, call("one/a", stream=streamed, retries=retries))
    assert tried(failure) == ["one/a server"] * (retries + 1)
    assert (failure.status, failure.code, failure.headers) == (
        502,
        "upstream_error",
        {"x-should-retry": "false"},
    )


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
        stream(role(), {"error": {"message": "No.", "code": 429}}), "rate_limit", 1, id="a limit as event"
    ),
    pytest.param(stream("{not", "json}"), "protocol", 1, id="events that cannot be read"),
    pytest.param(stream("<html>", "</html>"), "protocol", 1, id="a page as events"),
    pytest.param(stream("x" * 8_100_000), "protocol", 1, id="an endless event"),
    pytest.param(whole(completion()), "protocol", 1, id="a whole answer"),
]


@pytest.mark.parametrize(("fault", "failure_class", "times"), STREAM_FAULTS)
async def test_before_its_first_content_a_stream_fails_over_like_any_answer(
    relay: RunningRelay, fault: Reply, failure_class: str, times: int
) -> None:
    relay.upstream.script("a", fault)
    relay.upstream.script("b", good(True))
    answer = await read_answer(relay, call("one/a", "two/b", stream=True))
    assert classes(answer) == [f"one/a {failure_class}"] * times + ["two/b ok"]


@BOTH
@pytest.mark.parametrize(
    ("reply", "status", "code", "param"),
    [
        pytest.param(error(400, param="top_p", code="bad"), 400, "bad", "top_p", id="400"),
        pytest.param(error(409), 409, "invalid_value", None, id="409"),
        pytest.param(error(413), 413, "invalid_value", None, id="413"),
        pytest.param(error(422), 422, "invalid_value", None, id="422"),
        pytest.param(error(451), 451, "invalid_value", None, id="451"),
        pytest.param(error(418), 418, "invalid_value", None, id="any other 4xx"),
        pytest.param(error(400, code="content_filter"), 400, "content_policy_violation", None, id="a filter"),
    ],
)
async def test_what_is_the_callers_fault_goes_to_no_other_provider(
    relay: RunningRelay, reply: Reply, status: int, code: str, param: str | None, streamed: bool
) -> None:
    relay.upstream.script("a", reply)
    failure = await read_refusal(relay, call("one/a", "two/b", stream=streamed))
    assert (failure.status, failure.code, failure.param) == (status, code, param)
    assert failure.type == "invalid_request_error"
    assert failure.message == "one/a: No."
    assert len(relay.upstream.requests) == 1


@BOTH
async def test_a_prompt_that_is_too_long_goes_on_only_to_a_larger_window(
    relay: RunningRelay, streamed: bool
) -> None:
    relay.upstream.script("a", error(400, code="context_length_exceeded"))
    relay.upstream.script("b", good(streamed))
    small, same, large = model("one/a", context=8), model("two/b", context=8), model("three/b", context=9)
    failure = await read_refusal(relay, call(small, same, stream=streamed))
    assert (failure.status, failure.code) == (400, "context_length_exceeded")
    assert tried(failure) == ["one/a context_length"]
    answer = await read_answer(relay, call(small, same, large, stream=streamed))
    assert classes(answer) == ["one/a context_length", "three/b ok"]


ELSEWHERE: Json = {
    "messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "file-abc"}}]}]
}
FILE = "messages[0].content[0].file"
NO_PLACE = {
    "message": f"{FILE}: Claude requires `file_data`; it cannot read a file stored at OpenAI",
    "type": "invalid_request_error",
    "param": FILE,
    "code": "unsupported_parameter",
    "metadata": {"origin": "gateway", "class": "invalid_request", "provider": "claude", "attempts": []},
}


@BOTH
@pytest.mark.parametrize(
    ("models", "pinned", "outcome"),
    [
        pytest.param(("claude/a", "two/b"), False, ["two/b ok"], id="the next one is asked"),
        pytest.param(("claude/a", "two/b"), True, NO_PLACE, id="the model was named"),
        pytest.param(("claude/a", "claude/b"), False, NO_PLACE, id="no candidate is left"),
        pytest.param(("two/down", "claude/a"), False, 502, id="the other candidate failed"),
        pytest.param(
            ("two/down", "claude/a"), True, 502, id="the other candidate failed, and the model was named"
        ),
    ],
)
async def test_what_a_format_cannot_carry_is_no_answer_of_a_provider(
    relay: RunningRelay, models: tuple[str, ...], pinned: bool, outcome: Any, streamed: bool
) -> None:
    relay.rows["claude"] = Provider(name="claude", base_url=relay.upstream.url, dialect="anthropic")
    relay.upstream.script("b", good(streamed))
    relay.upstream.script("down", error(503))
    chat_call = call(*models, body=ELSEWHERE, stream=streamed, pinned=pinned, retries=0)
    if isinstance(outcome, list):
        assert classes(await read_answer(relay, chat_call)) == outcome
    else:
        failure = await read_refusal(relay, chat_call)
        assert failure.body()["error"] == outcome if outcome == NO_PLACE else failure.status == outcome


@BOTH
async def test_a_limit_is_waited_for_when_nobody_else_is_left(relay: RunningRelay, streamed: bool) -> None:
    relay.upstream.script("a", whole(status=429, headers={"retry-after": "4"}), good(streamed))
    relay.upstream.script("b", error(401))
    answer = await read_answer(relay, call("one/a", "two/b", stream=streamed))
    assert classes(answer) == ["one/a rate_limit", "two/b auth", "one/a ok"]
    assert relay.slept == [pytest.approx(4, abs=0.1)]
    assert answer.waited > 3.9


@BOTH
async def test_a_limit_that_ends_soon_is_waited_for_before_another_candidate_is_asked(
    relay: RunningRelay, streamed: bool
) -> None:
    relay.upstream.script("a", whole(status=429, headers={"retry-after": "2"}), good(streamed))
    answer = await read_answer(relay, call("one/a", "two/b", stream=streamed))
    assert classes(answer) == ["one/a rate_limit", "one/a ok"]
    assert relay.slept == [2]


@BOTH
async def test_a_limit_that_lasts_is_told_with_the_shortest_wait(relay: RunningRelay, streamed: bool) -> None:
    relay.upstream.script("a", whole(status=429, headers={"retry-after": "60"}))
    relay.upstream.script("b", whole(status=429, headers={"retry-after-ms": "40500"}))
    failure = await read_refusal(relay, call("one/a", "two/b", stream=streamed))
    assert (failure.status, failure.code, failure.retry_after) == (429, "rate_limit_exceeded", 40.5)
    assert relay.slept == []
    assert failure.headers == {}


@BOTH
@pytest.mark.parametrize("status", [401, 403, 404, 402])
async def test_our_trouble_with_a_provider_is_never_the_callers(
    relay: RunningRelay, status: int, streamed: bool
) -> None:
    relay.upstream.script("a", whole({"error": {"message": "Bad key sk-canary-123456789"}}, status=status))
    failure = await read_refusal(relay, call("one/a", stream=streamed))
    assert failure.status == 502
    assert "canary" not in json.dumps(failure.body())


async def test_a_pin_its_provider_does_not_know_is_not_found(relay: RunningRelay) -> None:
    failure = await read_refusal(relay, call("one/nothing", pinned=True))
    assert (failure.status, failure.code) == (404, "model_not_found")


async def test_nobody_to_ask(relay: RunningRelay) -> None:
    assert isinstance(await read_refusal(relay, call()), Unavailable)


@pytest.mark.parametrize(
    ("row", "failure_class"),
    [
        pytest.param(None, "not_found", id="no such provider"),
        pytest.param(Provider(name="odd"), "permission", id="no base_url"),
        pytest.param(Provider(name="odd", base_url="http://[::1"), "network", id="no URL"),
        pytest.param(Provider(name="odd", base_url="ftp://127.0.0.1"), "network", id="another scheme"),
        pytest.param(
            Provider(name="odd", base_url="http://127.0.0.1:1", credential="X_KEY"),
            "auth",
            id="no credential",
        ),
        pytest.param(Provider(name="odd", base_url="http://127.0.0.1:1"), "network", id="nobody listens"),
        pytest.param(
            Provider(name="odd", base_url="http://127.0.0.1:1", dialect="martian"),
            "not_found",
            id="a dialect",
        ),
    ],
)
async def test_a_provider_that_cannot_be_reached_is_passed_over(
    relay: RunningRelay, row: Provider | None, failure_class: str
) -> None:
    if row:
        relay.rows["odd"] = row
    relay.upstream.script("b", good(False))
    answer = await read_answer(relay, call("odd/a", "two/b", retries=0))
    assert classes(answer) == [f"odd/a {failure_class}", "two/b ok"]


_CLOSES = Reply(status=None, pieces=(Act.CUT,))


@pytest.mark.parametrize(
    ("url", "reply", "cause", "message"),
    [
        ("http://nobody.invalid/v1", _CLOSES, "dns", "The provider's host name could not be resolved"),
        ("http://127.0.0.1:1/v1", _CLOSES, "refused", "The provider refused the connection"),
        ("", Reply(status=None, pieces=(Act.RESET,)), "reset", "The provider reset the connection"),
        ("", stream(role(), Act.RESET), "reset", "The provider reset the connection"),
        ("", _CLOSES, "closed", "The provider closed the connection before its answer had ended"),
        ("", stream(role(), Act.CUT), "closed", "The provider closed the connection before"),
        ("", Reply(status=200, headers={"content-length": "x"}), "http", "The provider's answer is not HTTP"),
    ],
)
@BOTH
async def test_a_failure_of_the_network_has_a_cause(
    relay: RunningRelay, url: str, reply: Reply, cause: str, message: str, streamed: bool
) -> None:
    relay.rows["one"] = Provider(name="one", base_url=url or relay.upstream.url)
    relay.upstream.script("a", reply)
    failure = await read_refusal(relay, call("one/a", stream=streamed, retries=0))
    (attempt,) = failure.metadata["attempts"]
    assert (attempt["class"], attempt["cause"]) == ("network", cause)
    assert failure.message.startswith(message)
    assert f"one/a (network, {cause})" in failure.message
    assert "127.0.0.1" not in failure.message
    assert "invalid" not in failure.message


async def test_a_certificate_that_is_not_trusted_is_told(relay: RunningRelay, tmp_path: Path) -> None:
    async with MisframingProvider(self_signed(tmp_path / "ca.pem")) as wild:
        relay.rows["one"] = Provider(name="one", base_url=wild.url)
        failure = await read_refusal(relay, call("one/a", retries=0))
    assert failure.message == "TLS with the provider failed: self-signed certificate: one/a (network, tls)."


# Time.

SILENT = Reply(status=None, pieces=(Act.STALL,))
DRIP: list[Piece] = [b": wait\n\n", 0.01] * 200
ROLES: list[Piece] = [sse(role()), 0.01] * 200


@BOTH
async def test_a_silent_provider_is_given_up_once(relay: RunningRelay, streamed: bool) -> None:
    relay.upstream.script("a", SILENT)
    relay.upstream.script("b", good(streamed))
    answer = await read_answer(relay, call("one/a", "two/b", stream=streamed, timeouts={"first_token": SOON}))
    assert classes(answer) == ["one/a timeout_first_token", "two/b ok"]
    await relay.upstream.until("gone", 1)


@pytest.mark.parametrize(
    "silent",
    [
        pytest.param(stream(Act.STALL), id="after the head"),
        pytest.param(stream(role(), Act.STALL), id="after a role"),
        pytest.param(stream(*DRIP, Act.STALL), id="but for comments"),
        pytest.param(stream(*ROLES, Act.STALL), id="but for chunks without content"),
    ],
)
async def test_a_stream_without_content_is_silent(relay: RunningRelay, silent: Reply) -> None:
    relay.upstream.script("a", silent)
    relay.upstream.script("b", good(True))
    answer = await read_answer(relay, call("one/a", "two/b", stream=True, timeouts={"first_token": SOON}))
    assert classes(answer) == ["one/a timeout_first_token", "two/b ok"]


@BOTH
@pytest.mark.parametrize("by", ["rule", "caller"])
async def test_one_deadline_bounds_all_attempts(relay: RunningRelay, by: str, streamed: bool) -> None:
    relay.upstream.script("a", error(500))
    relay.upstream.script("b", SILENT)
    chat_call = call(
        "one/a",
        "two/b",
        "three/b",
        stream=streamed,
        retries=0,
        timeouts={"total": SOON} if by == "rule" else {},
    )
    if by == "caller":
        chat_call = replace(chat_call, deadline=clock() + SOON)
    failure = await read_refusal(relay, chat_call)
    assert (failure.status, failure.code) == (504, "deadline_exceeded")
    assert tried(failure) == ["one/a server", "two/b timeout_total"]
    assert failure.metadata["origin"] == "gateway"


async def test_a_whole_answer_may_be_slow_where_no_rule_says_otherwise(relay: RunningRelay) -> None:
    relay.upstream.script("a", replace(good(False), pieces=(0.1, *good(False).pieces)))
    assert classes(await read_answer(relay, call("one/a", timeouts={"idle": SOON}))) == ["one/a ok"]


ANY = replace(model("one/a", can=["reasoning"]), known=False)  # taken to be able, as of a pin
REASONS, OTHER = model("one/a", can=["reasoning", "tools"]), model("one/a", can=["tools"])


@pytest.mark.parametrize(
    ("who", "body", "stream_", "seconds"),
    [
        pytest.param(OTHER, {}, True, 30, id="no reasoning"),
        pytest.param(REASONS, {}, True, 180, id="a model that is known to reason"),
        pytest.param(ANY, {}, True, 30, id="a model that is not known to reason"),
        pytest.param(ANY, {"reasoning_effort": "high"}, True, 180, id="reasoning is asked for"),
        pytest.param(ANY, {"thinking": {"type": "enabled"}}, True, 180, id="in another provider's words"),
        pytest.param(ANY, {"reasoning": {"max_tokens": 9}}, True, 180, id="in a third one's"),
        pytest.param(ANY, {"reasoning_effort": "none"}, True, 30, id="no reasoning is asked for"),
        pytest.param(ANY, {"thinking": {"type": "disabled"}}, True, 30, id="nor in another's words"),
        pytest.param(OTHER, {}, False, 600, id="a whole answer has no first token"),
        pytest.param(REASONS, {}, False, 600, id="nor has one that is thought over"),
    ],
)
async def test_how_long_a_first_token_may_take(who: Model, body: Json, stream_: bool, seconds: float) -> None:
    chat_call = call(who, body={**CHAT, **body}, stream=stream_)
    limits = limits_of(
        chat_call, chat_call.decision.candidates[0], now=100, deadline=deadline_of(chat_call, 100)
    )
    assert limits.first[0] - 100 == seconds
    assert (limits.connect, limits.idle, limits.total) == (5, 30, (700, "timeout_total"))


async def test_a_connection_that_does_not_come_about_has_its_own_time_limit(relay: RunningRelay) -> None:
    """A listener that never accepts: its queue is full."""
    import socket

    with socket.socket() as deaf, socket.socket() as queued:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        queued.connect(deaf.getsockname())
        relay.rows["odd"] = Provider(name="odd", base_url=f"http://127.0.0.1:{deaf.getsockname()[1]}")
        failure = await read_refusal(relay, call("odd/a", timeouts={"connect": SOON}))
    assert tried(failure) == ["odd/a timeout_connect"]
    assert failure.status == 504


# Leaving.


@BOTH
@pytest.mark.parametrize(
    "silent",
    [
        pytest.param(SILENT, id="before the head"),
        pytest.param(Reply(status=200, chunked=True, pieces=(Act.STALL,)), id="after the head"),
        pytest.param(stream(role(), Act.STALL), id="before content"),
    ],
)
async def test_a_caller_who_leaves_takes_the_upstream_along(
    relay: RunningRelay, silent: Reply, streamed: bool
) -> None:
    relay.upstream.script("a", silent)
    task = asyncio.ensure_future(relay.complete(call("one/a", "two/b", stream=streamed)))
    await relay.upstream.until("requests", 1)
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await relay.upstream.until("gone", 1)
    assert len(relay.upstream.requests) == 1


async def test_a_response_that_is_dropped_unread_closes_its_connection(relay: RunningRelay) -> None:
    relay.upstream.script("a", stream(role(), Act.STALL))
    body = b'{"model":"a"}'
    headers, content = {"host": "up", "content-length": str(len(body))}, httpx.ByteStream(body)
    request = httpx.Request(
        "POST", relay.upstream.url, headers=headers, stream=content, extensions={"public_only": False}
    )
    await relay.transport.handle_async_request(request)
    await relay.upstream.until("gone", 1)


@BOTH
async def test_nothing_is_left_behind(relay: RunningRelay, streamed: bool) -> None:
    before = len(asyncio.all_tasks())
    relay.upstream.script("a", error(500), error(401), *[good(streamed)] * 9)
    for _ in range(9):
        await read_answer(relay, call("one/a", "one/a", stream=streamed))
        await asyncio.sleep(2 * MIN_IDLE)
    resting = relay.upstream.connections
    assert resting <= 3, "errors and streams give back those of the first call's attempts"
    relay.upstream.script("a", SILENT)
    await read_refusal(relay, call("one/a", stream=streamed, timeouts={"first_token": SOON}))
    await relay.upstream.until("open", resting - 1)
    await relay.transport.aclose()
    await relay.upstream.until("open", 0)
    gc.collect()
    assert len(asyncio.all_tasks()) == before


# Bytes.

ODD = (
    '{ "messages" : [{"role":"user","content":"\\u00e9\\ud83d\\ude00\\/ \u20ac"}],\r\n "temperature": 1.0,'
    ' "seed":1E2, "stop":null, "z_unknown": {"b":1,"a":[ ]}, "model": "x" }'
)
ODD_ANSWER = (
    '\n\n{ "id":"r1", "object":"chat.completion", "created":1, "model" : "whatever-1", '
    '"choices":[ {"index":0,"message":{"role":"assistant","content":'
    '"\\u00e9 \u20ac","refusal":null},"logprobs":null,"finish_reason":"stop","x":1.50}],'
    ' "usage": {"prompt_tokens":1e0,"completion_tokens":2, "total_tokens":3}, "system_fingerprint":null }\n'
)


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


async def test_the_bytes_of_a_request_go_on_as_they_came(relay: RunningRelay) -> None:
    relay.upstream.script("a", good(False))
    await relay.complete(call("one/a", body=ODD))
    (request,) = relay.upstream.requests
    assert digest(request.body.decode()) == digest(ODD.replace('"model": "x"', '"model": "a"'))


async def test_the_bytes_of_an_answer_come_back_as_they_went(relay: RunningRelay) -> None:
    relay.upstream.script("a", whole(ODD_ANSWER))
    answer = await relay.complete(call("one/a"))
    assert digest(answer.body.decode()) == digest(ODD_ANSWER.replace('"whatever-1"', '"one/a"'))
    assert answer.usage is not None
    assert (answer.usage.input, answer.usage.output, answer.usage.estimated) == (1, 2, False)
    assert answer.cost_dollars == 5e-6


async def test_every_attempt_is_the_same_request_anew(relay: RunningRelay) -> None:
    relay.upstream.script("a", error(500), error(503), error(500), good(False))
    chat_call = call("one/a", retries=3)
    await relay.complete(chat_call)
    await relay.complete(chat_call)
    bodies = {(request.body, request.headers) for request in relay.upstream.requests}
    assert (len(relay.upstream.requests), len(bodies)) == (5, 1)


async def test_cost_and_explanation_are_told_to_whom_asked(relay: RunningRelay) -> None:
    relay.upstream.script("a", whole(completion()))
    chat_call = call(
        "one/a", body={"messages": [{"role": "user", "content": "x"}], "usage": {"include": True}}
    )
    body = json.loads((await relay.complete(replace(chat_call, explanation={"reason": "rule"}))).body)
    assert body["usage"] == {**completion()["usage"], "cost": 1.3e-05}
    assert body["sluice"] == {"reason": "rule"}
    assert "usage" not in relay.upstream.requests[0].json


async def test_usage_that_is_not_told_is_estimated(relay: RunningRelay) -> None:
    answer = completion("x" * 40)
    del answer["usage"]
    relay.upstream.script("a", whole(answer))
    usage = (await relay.complete(call("one/a"))).usage
    assert usage is not None
    assert (usage.input, usage.output, usage.estimated) == (5, 10, True)


@BOTH
@pytest.mark.parametrize(
    "counts", [{"total_tokens": 5}, {"total_tokens": 0}, {"prompt_tokens": -1, "completion_tokens": 0}]
)
async def test_usage_that_tells_of_no_tokens_is_estimated(
    relay: RunningRelay, counts: dict[str, int], streamed: bool
) -> None:
    last = {**completion("x" * 40), "usage": counts}
    events = [chunk("x" * 40), finish(), {**chunk(), "choices": [], "usage": counts}]
    relay.upstream.script("a", stream(*events) if streamed else whole(last))
    answer = await relay.complete(call("one/a", stream=streamed))
    frames = await frames_of(answer) if streamed else []
    assert answer.usage is not None
    assert (answer.usage.input, answer.usage.output, answer.usage.estimated) == (5, 10, True)
    assert not any(b"total_tokens" in frame for frame in frames)


# Headers.


async def test_nothing_of_the_clients_goes_upstream_but_what_is_named(relay: RunningRelay) -> None:
    relay.rows["one"] = replace(relay.rows["one"], credential="ONE_KEY", headers={"X-Title": "sluice"})
    relay.credentials["ONE_KEY"] = "canary"
    relay.upstream.script("a", good(False))
    await relay.complete(call("one/a", headers={"accept-language": "de", "openai-beta": "x=\u20ac"}))
    (request,) = relay.upstream.requests
    assert {name.lower(): value for name, value in request.headers} == {
        "host": f"127.0.0.1:{relay.upstream.port}",
        "content-type": "application/json",
        "content-length": str(len(request.body)),
        "accept": "application/json",
        "accept-encoding": "identity",
        "user-agent": "sluice/0.1.0",
        "accept-language": "de",
        "openai-beta": "x=%E2%82%AC",
        "x-title": "sluice",
        "authorization": "Bearer canary",
    }


@pytest.mark.parametrize(
    ("auth", "header", "value"),
    [
        ("bearer", "authorization", "Bearer canary"),
        ("x-api-key", "x-api-key", "canary"),
        ("none", "authorization", None),
    ],
)
async def test_how_a_credential_is_presented(
    relay: RunningRelay, auth: str, header: str, value: str | None
) -> None:
    headers = {"Authorization": "Bearer other", "x-api-key": "other"} if value else {}
    relay.rows["one"] = replace(relay.rows["one"], credential="ONE_KEY", auth=auth, headers=headers)
    relay.credentials["ONE_KEY"] = "canary"
    relay.upstream.script("a", good(False))
    await relay.complete(call("one/a"))
    assert relay.upstream.requests[0].header(header) == value


async def test_what_must_be_signed_is_passed_over_where_nothing_can_sign(relay: RunningRelay) -> None:
    relay.rows["one"] = replace(relay.rows["one"], credential="ONE_KEY", auth="sigv4")
    assert tried(await read_refusal(relay, call("one/a"))) == ["one/a auth"]
    assert relay.upstream.requests == []


async def test_the_clients_headers_go_only_to_its_own_format(relay: RunningRelay) -> None:
    chat_call = call("one/a", headers={"anthropic-beta": "x"})
    foreign = replace(
        chat_call,
        decision=replace(chat_call.decision, facts=replace(chat_call.decision.facts, dialect="anthropic")),
    )
    relay.upstream.script("a", good(False))
    await relay.complete(foreign)
    assert relay.upstream.requests[0].header("anthropic-beta") is None


@BOTH
async def test_no_credential_comes_back_in_a_providers_words(relay: RunningRelay, streamed: bool) -> None:
    relay.rows["one"] = replace(relay.rows["one"], credential="ONE_KEY")
    relay.credentials["ONE_KEY"] = "canary value"
    relay.upstream.script("a", error(400, message="I was given canary value by you."))
    failure = await read_refusal(relay, call("one/a", stream=streamed))
    assert failure.message == "one/a: I was given [redacted] by you."
    assert "canary" not in str(failure)


async def test_cookies_are_neither_kept_nor_sent(relay: RunningRelay) -> None:
    relay.upstream.script("a", whole(completion(), headers={"set-cookie": "a=b; Path=/"}))
    await relay.complete(call("one/a"))
    await relay.complete(call("one/a"))
    assert relay.upstream.requests[1].header("cookie") is None


# Addresses.


async def test_a_name_that_leads_to_a_private_address_is_refused_before_anything_is_sent(
    relay: RunningRelay,
) -> None:
    relay.private_ok = False
    relay.rows["one"] = Provider(name="one", base_url=f"https://localhost:{relay.upstream.port}")
    assert tried(await read_refusal(relay, call("one/a"))) == ["one/a permission"]
    assert relay.upstream.connections == 0


async def test_without_tls_nothing_is_even_connected(relay: RunningRelay) -> None:
    relay.private_ok = False
    assert tried(await read_refusal(relay, call("one/a"))) == ["one/a permission"]
    assert relay.upstream.connections == 0


async def test_calls_at_the_same_time_do_not_mix(relay: RunningRelay) -> None:
    async def one(name: str) -> None:
        streamed = name.endswith("s")
        relay.upstream.script(name, error(500), good(streamed))
        answer = await read_answer(relay, call(f"one/{name}", stream=streamed))
        assert answer.candidate.id == f"one/{name}"
        assert len(answer.attempts) == 2

    await asyncio.gather(*(one(f"m{at}{'s' * (at % 2)}") for at in range(20)))


def test_the_user_agent_tells_the_version() -> None:
    assert f"sluice/{__version__}" == USER_AGENT

"""The relay over real sockets: one attempt loop for whole answers and for streams."""

from __future__ import annotations

import asyncio
import gc
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from handler.errors import Json, Unavailable
from handler.providers.provider import Provider
from handler.upstream.pool import MIN_IDLE
from tests.fault_injection.provider import self_signed
from tests.handler.relay.exchanges import BOTH, error, good, read_answer, read_refusal, tried
from tests.support.canned_answers import Act, Piece, Reply, role, sse, stream, whole
from tests.support.misframing import MisframingProvider
from tests.support.running_relay import RunningRelay, call, classes, model
from tests.support.virtual_clock import clock

SOON = 0.08  # seconds: a time limit that a test can wait for


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


async def test_calls_at_the_same_time_do_not_mix(relay: RunningRelay) -> None:
    async def one(name: str) -> None:
        streamed = name.endswith("s")
        relay.upstream.script(name, error(500), good(streamed))
        answer = await read_answer(relay, call(f"one/{name}", stream=streamed))
        assert answer.candidate.id == f"one/{name}"
        assert len(answer.attempts) == 2

    await asyncio.gather(*(one(f"m{at}{'s' * (at % 2)}") for at in range(20)))

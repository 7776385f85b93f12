"""The relay over sockets: retries, failover, time limits and cancellation, whole and streamed."""

from __future__ import annotations

import asyncio
import gc
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from handler.errors import Json, Unavailable
from handler.providers.provider import Provider
from handler.upstream.pool import MIN_IDLE
from tests.fault_injection.provider import self_signed
from tests.handler.relay.exchanges import (
    BOTH,
    error_reply,
    failure_classes,
    good_reply,
    read_answer,
    read_error,
)
from tests.support.canned_answers import Act, Piece, Reply, role, sse, stream, whole
from tests.support.misframing import MisframingProvider
from tests.support.plain_request import plain_request
from tests.support.running_relay import RunningRelay, call, classes, model
from tests.support.virtual_clock import clock

SOON = 0.08  # seconds: a time limit that a test can wait for


@BOTH
@pytest.mark.parametrize("retries", [0, 1, 3])
async def test_a_rule_sets_the_number_of_retries(relay: RunningRelay, retries: int, streamed: bool) -> None:
    relay.upstream.script("a", error_reply(500))
    failure = await read_error(relay, call("one/a", stream=streamed, retries=retries))
    assert failure_classes(failure) == ["one/a server"] * (retries + 1)
    assert (failure.status, failure.code, failure.headers) == (
        502,
        "upstream_error",
        {"x-should-retry": "false"},
    )


@BOTH
@pytest.mark.parametrize(
    ("reply", "status", "code", "param"),
    [
        pytest.param(error_reply(400, param="top_p", code="bad"), 400, "bad", "top_p", id="400"),
        pytest.param(error_reply(409), 409, "invalid_value", None, id="409"),
        pytest.param(error_reply(413), 413, "invalid_value", None, id="413"),
        pytest.param(error_reply(422), 422, "invalid_value", None, id="422"),
        pytest.param(error_reply(451), 451, "invalid_value", None, id="451"),
        pytest.param(error_reply(418), 418, "invalid_value", None, id="any other 4xx"),
        pytest.param(
            error_reply(400, code="content_filter"),
            400,
            "content_policy_violation",
            None,
            id="a content filter",
        ),
    ],
)
async def test_a_request_error_does_not_fail_over(
    relay: RunningRelay, reply: Reply, status: int, code: str, param: str | None, streamed: bool
) -> None:
    relay.upstream.script("a", reply)
    failure = await read_error(relay, call("one/a", "two/b", stream=streamed))
    assert (failure.status, failure.code, failure.param) == (status, code, param)
    assert failure.type == "invalid_request_error"
    assert failure.message == "one/a: No."
    assert len(relay.upstream.requests) == 1


@BOTH
async def test_a_prompt_that_is_too_long_fails_over_only_to_a_larger_window(
    relay: RunningRelay, streamed: bool
) -> None:
    relay.upstream.script("a", error_reply(400, code="context_length_exceeded"))
    relay.upstream.script("b", good_reply(streamed))
    small, same, large = model("one/a", context=8), model("two/b", context=8), model("three/b", context=9)
    failure = await read_error(relay, call(small, same, stream=streamed))
    assert (failure.status, failure.code) == (400, "context_length_exceeded")
    assert failure_classes(failure) == ["one/a context_length"]
    answer = await read_answer(relay, call(small, same, large, stream=streamed))
    assert classes(answer) == ["one/a context_length", "three/b ok"]


WITH_FILE_ID: Json = {
    "messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "file-abc"}}]}]
}
FILE = "messages[0].content[0].file"
UNSUPPORTED_FILE = {
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
        pytest.param(("claude/a", "two/b"), False, ["two/b ok"], id="the next candidate answers"),
        pytest.param(("claude/a", "two/b"), True, UNSUPPORTED_FILE, id="the model is pinned"),
        pytest.param(("claude/a", "claude/b"), False, UNSUPPORTED_FILE, id="no candidate can take it"),
        pytest.param(("two/down", "claude/a"), False, 502, id="the other candidate fails"),
        pytest.param(
            ("two/down", "claude/a"), True, 502, id="the other candidate fails, and the model is pinned"
        ),
    ],
)
async def test_a_candidate_whose_format_lacks_the_content_is_skipped(
    relay: RunningRelay, models: tuple[str, ...], pinned: bool, outcome: Any, streamed: bool
) -> None:
    relay.rows["claude"] = Provider(name="claude", base_url=relay.upstream.url, dialect="anthropic")
    relay.upstream.script("b", good_reply(streamed))
    relay.upstream.script("down", error_reply(503))
    chat_call = call(*models, body=WITH_FILE_ID, stream=streamed, pinned=pinned, retries=0)
    if isinstance(outcome, list):
        assert classes(await read_answer(relay, chat_call)) == outcome
    else:
        failure = await read_error(relay, chat_call)
        assert (
            failure.body()["error"] == outcome if outcome == UNSUPPORTED_FILE else failure.status == outcome
        )


@BOTH
async def test_a_rate_limit_is_waited_for_when_no_other_candidate_is_left(
    relay: RunningRelay, streamed: bool
) -> None:
    relay.upstream.script("a", whole(status=429, headers={"retry-after": "4"}), good_reply(streamed))
    relay.upstream.script("b", error_reply(401))
    answer = await read_answer(relay, call("one/a", "two/b", stream=streamed))
    assert classes(answer) == ["one/a rate_limit", "two/b auth", "one/a ok"]
    assert relay.slept == [pytest.approx(4, abs=0.1)]
    assert answer.waited > 3.9


@BOTH
async def test_a_short_rate_limit_is_waited_for_before_failover(relay: RunningRelay, streamed: bool) -> None:
    relay.upstream.script("a", whole(status=429, headers={"retry-after": "2"}), good_reply(streamed))
    answer = await read_answer(relay, call("one/a", "two/b", stream=streamed))
    assert classes(answer) == ["one/a rate_limit", "one/a ok"]
    assert relay.slept == [2]


@BOTH
async def test_the_error_of_long_rate_limits_has_the_shortest_wait(
    relay: RunningRelay, streamed: bool
) -> None:
    relay.upstream.script("a", whole(status=429, headers={"retry-after": "60"}))
    relay.upstream.script("b", whole(status=429, headers={"retry-after-ms": "40500"}))
    failure = await read_error(relay, call("one/a", "two/b", stream=streamed))
    assert (failure.status, failure.code, failure.retry_after) == (429, "rate_limit_exceeded", 40.5)
    assert relay.slept == []
    assert failure.headers == {}


@BOTH
@pytest.mark.parametrize("status", [401, 403, 404, 402])
async def test_an_account_problem_at_a_provider_is_a_502(
    relay: RunningRelay, status: int, streamed: bool
) -> None:
    relay.upstream.script("a", whole({"error": {"message": "Bad key sk-canary-123456789"}}, status=status))
    failure = await read_error(relay, call("one/a", stream=streamed))
    assert failure.status == 502
    assert "canary" not in json.dumps(failure.body())


async def test_a_pinned_model_that_its_provider_lacks_is_not_found(relay: RunningRelay) -> None:
    failure = await read_error(relay, call("one/nothing", pinned=True))
    assert (failure.status, failure.code) == (404, "model_not_found")


async def test_a_call_without_candidates_is_unavailable(relay: RunningRelay) -> None:
    assert isinstance(await read_error(relay, call()), Unavailable)


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
async def test_a_network_failure_has_a_cause(
    relay: RunningRelay, url: str, reply: Reply, cause: str, message: str, streamed: bool
) -> None:
    relay.rows["one"] = Provider(name="one", base_url=url or relay.upstream.url)
    relay.upstream.script("a", reply)
    failure = await read_error(relay, call("one/a", stream=streamed, retries=0))
    (attempt,) = failure.metadata["attempts"]
    assert (attempt["class"], attempt["cause"]) == ("network", cause)
    assert failure.message.startswith(message)
    assert f"one/a (network, {cause})" in failure.message
    assert "127.0.0.1" not in failure.message
    assert "invalid" not in failure.message


async def test_an_untrusted_certificate_is_named_in_the_error(relay: RunningRelay, tmp_path: Path) -> None:
    async with MisframingProvider(self_signed(tmp_path / "ca.pem")) as provider:
        relay.rows["one"] = Provider(name="one", base_url=provider.url)
        failure = await read_error(relay, call("one/a", retries=0))
    assert failure.message == "TLS with the provider failed: self-signed certificate: one/a (network, tls)."


# Time limits.

SILENT = Reply(status=None, pieces=(Act.STALL,))
DRIP: list[Piece] = [b": wait\n\n", 0.01] * 200
ROLES: list[Piece] = [sse(role()), 0.01] * 200


@BOTH
async def test_a_silent_provider_is_not_retried(relay: RunningRelay, streamed: bool) -> None:
    relay.upstream.script("a", SILENT)
    relay.upstream.script("b", good_reply(streamed))
    answer = await read_answer(relay, call("one/a", "two/b", stream=streamed, timeouts={"first_token": SOON}))
    assert classes(answer) == ["one/a timeout_first_token", "two/b ok"]
    await relay.upstream.until("gone", 1)


@pytest.mark.parametrize(
    "silent",
    [
        pytest.param(stream(Act.STALL), id="after the head"),
        pytest.param(stream(role(), Act.STALL), id="after a role"),
        pytest.param(stream(*DRIP, Act.STALL), id="only comments"),
        pytest.param(stream(*ROLES, Act.STALL), id="only chunks without content"),
    ],
)
async def test_a_stream_without_content_counts_as_silent(relay: RunningRelay, silent: Reply) -> None:
    relay.upstream.script("a", silent)
    relay.upstream.script("b", good_reply(True))
    answer = await read_answer(relay, call("one/a", "two/b", stream=True, timeouts={"first_token": SOON}))
    assert classes(answer) == ["one/a timeout_first_token", "two/b ok"]


@BOTH
@pytest.mark.parametrize("by", ["rule", "caller"])
async def test_one_deadline_bounds_all_attempts(relay: RunningRelay, by: str, streamed: bool) -> None:
    relay.upstream.script("a", error_reply(500))
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
        chat_call = chat_call.replaced(deadline=clock() + SOON)
    failure = await read_error(relay, chat_call)
    assert (failure.status, failure.code) == (504, "deadline_exceeded")
    assert failure_classes(failure) == ["one/a server", "two/b timeout_total"]
    assert failure.metadata["origin"] == "gateway"


async def test_a_whole_answer_may_be_slow_without_a_rule(relay: RunningRelay) -> None:
    relay.upstream.script("a", replace(good_reply(False), pieces=(0.1, *good_reply(False).pieces)))
    assert classes(await read_answer(relay, call("one/a", timeouts={"idle": SOON}))) == ["one/a ok"]


async def test_connecting_has_its_own_time_limit(relay: RunningRelay) -> None:
    """The queue of the listener is full, and it never accepts."""
    import socket

    with socket.socket() as listener, socket.socket() as queued:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        queued.connect(listener.getsockname())
        relay.rows["odd"] = Provider(name="odd", base_url=f"http://127.0.0.1:{listener.getsockname()[1]}")
        failure = await read_error(relay, call("odd/a", timeouts={"connect": SOON}))
    assert failure_classes(failure) == ["odd/a timeout_connect"]
    assert failure.status == 504


# Cancellation.


@BOTH
@pytest.mark.parametrize(
    "silent",
    [
        pytest.param(SILENT, id="before the head"),
        pytest.param(Reply(status=200, chunked=True, pieces=(Act.STALL,)), id="after the head"),
        pytest.param(stream(role(), Act.STALL), id="before content"),
    ],
)
async def test_cancelling_a_call_closes_the_upstream(
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


async def test_dropping_an_unread_response_closes_its_connection(relay: RunningRelay) -> None:
    relay.upstream.script("a", stream(role(), Act.STALL))
    body = b'{"model":"a"}'
    await relay.transport.send(plain_request(relay.upstream.url, body))
    await relay.upstream.until("gone", 1)


@BOTH
async def test_no_connection_and_no_task_leaks(relay: RunningRelay, streamed: bool) -> None:
    before = len(asyncio.all_tasks())
    relay.upstream.script("a", error_reply(500), error_reply(401), *[good_reply(streamed)] * 9)
    for _ in range(9):
        await read_answer(relay, call("one/a", "one/a", stream=streamed))
        await asyncio.sleep(2 * MIN_IDLE)
    idle = relay.upstream.connections
    assert idle <= 3, "errors and streams give back the connections of the first call"
    relay.upstream.script("a", SILENT)
    await read_error(relay, call("one/a", stream=streamed, timeouts={"first_token": SOON}))
    await relay.upstream.until("open", idle - 1)
    await relay.transport.aclose()
    await relay.upstream.until("open", 0)
    gc.collect()
    assert len(asyncio.all_tasks()) == before


async def test_concurrent_calls_do_not_mix(relay: RunningRelay) -> None:
    async def one(name: str) -> None:
        streamed = name.endswith("s")
        relay.upstream.script(name, error_reply(500), good_reply(streamed))
        answer = await read_answer(relay, call(f"one/{name}", stream=streamed))
        assert answer.candidate.id == f"one/{name}"
        assert len(answer.attempts) == 2

    await asyncio.gather(*(one(f"m{at}{'s' * (at % 2)}") for at in range(20)))

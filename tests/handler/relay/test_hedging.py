"""Hedging: a second candidate starts after `hedge_after` seconds of silence, and the loser is cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from handler.answers.usage import WastedUsage
from handler.relay.hedging import race
from rules import Candidate
from tests.handler.relay.exchanges import BOTH
from tests.support.canned_answers import Act, Piece, Reply, chunk, completion, finish, role, stream, whole
from tests.support.running_relay import call
from tests.support.scripted_transport import (
    Received,
    Script,
    ScriptedTransport,
    answer_with,
    break_after,
    receive,
    reply_with,
)
from tests.support.virtual_clock import run


def good(text: str, streamed: bool, *, after: float = 0.0) -> Script:
    """An answer with content `after` so many seconds. Its head and the role of a stream come at once."""
    silence: list[Piece] = [float(after)] if after else []
    if streamed:
        return reply_with(stream(role(), *silence, chunk(text), finish()))
    answer = whole(completion(text))
    return reply_with(Reply(headers=answer.headers, chunked=True, pieces=(*silence, *answer.pieces)))


def failing(status: int, *, after: float = 0.0) -> Script:
    return reply_with(Reply(status=status, chunked=True, pieces=(after, b"{}") if after else (b"{}",)))


def run_hedged(
    *scripts: list[Script], streamed: bool, models: tuple[str, ...] = (), **options: Any
) -> tuple[Received, ScriptedTransport]:
    transport = ScriptedTransport(dict(zip("abc", scripts, strict=False)))
    names = models or ("one/a", "two/b", "three/c")[: len(scripts)]
    chat_call = call(*names, stream=streamed, **{"hedge_after": 2.0, "retries": 0, **options})
    return run(receive(transport, chat_call)), transport


def started(transport: ScriptedTransport) -> list[tuple[str, float]]:
    return [(name, round(at, 3)) for name, _, at in transport.requests]


SILENT = reply_with(Reply(status=None, pieces=(Act.STALL,)))
RACES: list[Any] = [
    pytest.param(1.9, 0.0, "first", ["one/a ok"], [0], id="the first is in time, so there is no hedge"),
    pytest.param(9.0, 1.0, "second", ["one/a cancelled", "two/b ok"], [0, 2], id="the second is faster"),
    pytest.param(4.0, 9.0, "first", ["two/b cancelled", "one/a ok"], [0, 2], id="the first is still faster"),
    pytest.param(3.0, 1.0, "first", ["two/b cancelled", "one/a ok"], [0, 2], id="a tie goes to the first"),
]


@BOTH
@pytest.mark.parametrize(("first", "second", "text", "classes", "at"), RACES)
def test_the_first_candidate_to_commit_answers(
    first: float, second: float, text: str, classes: list[str], at: list[float], streamed: bool
) -> None:
    received, transport = run_hedged(
        [good("first", streamed, after=first)], [good("second", streamed, after=second)], streamed=streamed
    )
    assert received.text == text
    assert received.classes == classes
    assert started(transport) == list(zip("ab", at, strict=False))
    assert received.seconds == pytest.approx(min(first, 2 + second) if len(at) > 1 else first)
    assert transport.observed == [(*one.split(), None) for one in classes]
    assert received.answer is not None
    assert received.answer.waited == pytest.approx(received.seconds), "concurrent waits count once"


@BOTH
@pytest.mark.parametrize(
    ("silent", "observed"),
    [
        pytest.param(9.0, ["one/a cancelled", "two/b ok"], id="a short silence"),
        pytest.param(11.0, ["one/a timeout_first_token", "one/a cancelled", "two/b ok"], id="a long silence"),
    ],
)
def test_a_long_silence_that_loses_a_hedge_is_observed_as_a_timeout(
    silent: float, observed: list[str], streamed: bool
) -> None:
    _, transport = run_hedged([SILENT], [good("second", streamed, after=silent - 2)], streamed=streamed)
    assert [f"{id} {failure_class}" for id, failure_class, _ in transport.observed] == observed


@BOTH
def test_there_is_no_hedge_without_a_rule(streamed: bool) -> None:
    received, transport = run_hedged(
        [good("first", streamed, after=9)], [good("second", streamed)], streamed=streamed, hedge_after=None
    )
    assert (received.text, len(transport.requests)) == ("first", 1)


@BOTH
@pytest.mark.parametrize("models", [("one/a",), ("one/a", "one/a")], ids=["alone", "listed twice"])
def test_a_candidate_is_not_hedged_with_itself(models: tuple[str, ...], streamed: bool) -> None:
    received, transport = run_hedged([good("first", streamed, after=9)], streamed=streamed, models=models)
    assert (received.text, len(transport.requests)) == ("first", 1)


@BOTH
def test_a_call_has_at_most_one_hedge(streamed: bool) -> None:
    received, transport = run_hedged(
        [SILENT],
        [SILENT],
        [good("third", streamed, after=9)],
        streamed=streamed,
        timeouts={"first_token": 20.0},
    )
    assert received.text == "third"
    assert started(transport) == [("a", 0), ("b", 2), ("c", 22)]
    assert received.classes == ["one/a timeout_first_token", "two/b timeout_first_token", "three/c ok"]


@BOTH
def test_a_first_attempt_that_fails_early_has_no_hedge(streamed: bool) -> None:
    received, transport = run_hedged(
        [failing(500)], [good("second", streamed, after=9)], [good("third", streamed)], streamed=streamed
    )
    assert received.text == "second"
    assert started(transport) == [("a", 0), ("b", 0)]


@BOTH
def test_when_one_fails_the_other_continues(streamed: bool) -> None:
    received, transport = run_hedged(
        [failing(500, after=3)], [good("second", streamed, after=9)], streamed=streamed, retries=1
    )
    assert received.text == "second"
    assert received.classes == ["one/a server", "two/b ok"]
    received, transport = run_hedged(
        [good("first", streamed, after=9)], [failing(429)], [SILENT], streamed=streamed, retries=1
    )
    assert received.text == "first"
    assert received.classes == ["two/b rate_limit", "one/a ok"]
    assert started(transport) == [("a", 0), ("b", 2)]


@BOTH
def test_when_both_fail_the_failover_continues(streamed: bool) -> None:
    received, _ = run_hedged(
        [failing(401, after=3)],
        [failing(503, after=4)],
        [good("third", streamed)],
        streamed=streamed,
        retries=1,
    )
    assert received.text == "third"
    assert received.classes == ["one/a auth", "two/b overloaded", "two/b overloaded", "three/c ok"]


@BOTH
def test_a_request_error_ends_both(streamed: bool) -> None:
    received, _ = run_hedged([failing(400, after=3)], [SILENT], streamed=streamed)
    assert received.error is not None
    assert received.error.status == 400
    assert received.classes == ["one/a invalid_request", "two/b cancelled"]
    assert received.failure["metadata"]["provider"] == "one"
    assert received.seconds == pytest.approx(3)


@BOTH
def test_the_error_lists_both_failures(streamed: bool) -> None:
    received, _ = run_hedged([SILENT], [failing(500)], streamed=streamed, timeouts={"first_token": 5.0})
    assert received.classes == ["two/b server", "one/a timeout_first_token"]
    assert received.error is not None
    assert received.error.status == 504


@BOTH
def test_the_deadline_bounds_both(streamed: bool) -> None:
    received, _ = run_hedged([SILENT], [SILENT], streamed=streamed, timeouts={"total": 5.0})
    assert received.seconds == pytest.approx(5)
    assert received.failure["code"] == "deadline_exceeded"


@BOTH
@pytest.mark.parametrize("at", [1.0, 3.0], ids=["before the hedge", "during the hedge"])
def test_cancelling_a_call_cancels_both(at: float, streamed: bool) -> None:
    transport = ScriptedTransport({"a": [SILENT], "b": [good("x", streamed, after=9)]})

    async def cancel_call() -> None:
        chat_call = call("one/a", "two/b", stream=streamed, hedge_after=2.0)
        task = asyncio.create_task(transport.relay().complete(chat_call))
        await asyncio.sleep(at)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert len(asyncio.all_tasks()) == 1

    run(cancel_call())
    assert transport.open == 0
    assert [failure_class for _, failure_class, _ in transport.observed] == ["cancelled"] * len(
        transport.requests
    )


def test_a_cancelled_race_discards_the_result_that_it_had() -> None:
    """The race is cancelled while it waits for the end of the one that lost."""
    discarded: list[str] = []

    async def silent() -> str:
        try:
            await asyncio.sleep(100)
        finally:
            await asyncio.sleep(1)
        return "silent"

    async def fast() -> str:
        return "fast"

    async def discard(result: str) -> None:
        discarded.append(result)

    async def cancel_race() -> None:
        racing = race(silent(), fast, after=2.0, settles=lambda _: True, discard=discard)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(2.5):
                await racing

    run(cancel_race())
    assert discarded == ["fast"]


def test_a_stream_that_won_a_hedge_can_be_resumed() -> None:
    received, _ = run_hedged(
        [SILENT],
        [break_after("Hello ", Act.CUT)],
        [answer_with("Hello there")],
        streamed=True,
        recovery="resume",
    )
    assert (received.text, received.done) == ("Hello there", True)
    assert received.classes == ["one/a cancelled", "two/b network", "three/c ok"]
    assert received.chunks[-1]["sluice"]["resumed_from"] == "two/b"


def test_what_is_reserved_for_a_tie_is_reserved_no_longer_when_a_stream_is_resumed() -> None:
    """Both answer at the same moment, the accepted one breaks off, and a third one continues it."""
    reserved: list[list[str]] = []

    async def reserve(candidates: Sequence[Candidate], wasted: Sequence[WastedUsage]) -> None:
        reserved.append([candidate.id for candidate in candidates])

    scripts = [[reply_with(stream(role(), after, chunk("Hel"), Act.CUT, done=False))] for after in (3.0, 1.0)]
    transport = ScriptedTransport(dict(zip("abc", [*scripts, [answer_with("Hello")]], strict=True)))
    chat_call = call("one/a", "two/b", "three/c", stream=True, hedge_after=2.0, retries=0, recovery="resume")
    received = run(receive(transport, chat_call.replaced(reserve=reserve)))
    assert (received.text, received.done) == ("Hello", True)
    assert reserved == [["one/a"], ["one/a", "two/b"], ["three/c"]]

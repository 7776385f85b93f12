"""`hedge_after`: a second candidate is started when the first is silent that long; one of them is let go."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

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
    """Begins to answer `after` that many seconds, having sent its head and, streaming, its role."""
    silence: list[Piece] = [float(after)] if after else []
    if streamed:
        return reply_with(stream(role(), *silence, chunk(text), finish()))
    answer = whole(completion(text))
    return reply_with(Reply(headers=answer.headers, chunked=True, pieces=(*silence, *answer.pieces)))


def failing(status: int, *, after: float = 0.0) -> Script:
    return reply_with(Reply(status=status, chunked=True, pieces=(after, b"{}") if after else (b"{}",)))


def hedged(
    *scripts: list[Script], streamed: bool, models: tuple[str, ...] = (), **how: Any
) -> tuple[Received, ScriptedTransport]:
    transport = ScriptedTransport(dict(zip("abc", scripts, strict=False)))
    names = models or ("one/a", "two/b", "three/c")[: len(scripts)]
    chat_call = call(*names, stream=streamed, **{"hedge_after": 2.0, "retries": 0, **how})
    return run(receive(transport, chat_call)), transport


def started(transport: ScriptedTransport) -> list[tuple[str, float]]:
    return [(name, round(at, 3)) for name, _, at in transport.requests]


SILENT = reply_with(Reply(status=None, pieces=(Act.STALL,)))
RACES: list[Any] = [
    pytest.param(1.9, 0.0, "first", ["one/a ok"], [0], id="the first is in time: nobody else is asked"),
    pytest.param(9.0, 1.0, "second", ["one/a cancelled", "two/b ok"], [0, 2], id="the second is faster"),
    pytest.param(
        4.0, 9.0, "first", ["two/b cancelled", "one/a ok"], [0, 2], id="the first is faster after all"
    ),
    pytest.param(3.0, 1.0, "first", ["two/b cancelled", "one/a ok"], [0, 2], id="both at once: the first"),
]


@BOTH
@pytest.mark.parametrize(("first", "second", "text", "classes", "at"), RACES)
def test_whoever_commits_first_answers(
    first: float, second: float, text: str, classes: list[str], at: list[float], streamed: bool
) -> None:
    received, transport = hedged(
        [good("first", streamed, after=first)], [good("second", streamed, after=second)], streamed=streamed
    )
    assert received.text == text
    assert received.classes == classes
    assert started(transport) == list(zip("ab", at, strict=False))
    assert received.seconds == pytest.approx(min(first, 2 + second) if len(at) > 1 else first)
    assert transport.observed == [(*one.split(), None) for one in classes]
    assert received.answer is not None
    assert received.answer.waited == pytest.approx(received.seconds), "two waits at a time count once"


@BOTH
@pytest.mark.parametrize(
    ("silent", "observed"),
    [
        pytest.param(9.0, ["one/a cancelled", "two/b ok"], id="but for a silence that is not unusual"),
        pytest.param(11.0, ["one/a timeout_first_token", "one/a cancelled", "two/b ok"], id="for a long one"),
    ],
)
def test_a_candidate_that_is_silent_twice_goes_last(
    silent: float, observed: list[str], streamed: bool
) -> None:
    _, transport = hedged([SILENT], [good("second", streamed, after=silent - 2)], streamed=streamed)
    assert [f"{id} {failure_class}" for id, failure_class, _ in transport.observed] == observed


@BOTH
def test_without_a_rule_nobody_is_hedged(streamed: bool) -> None:
    received, transport = hedged(
        [good("first", streamed, after=9)], [good("second", streamed)], streamed=streamed, hedge_after=None
    )
    assert (received.text, len(transport.requests)) == ("first", 1)


@BOTH
@pytest.mark.parametrize("models", [("one/a",), ("one/a", "one/a")], ids=["alone", "listed twice"])
def test_nobody_is_hedged_with_itself(models: tuple[str, ...], streamed: bool) -> None:
    received, transport = hedged([good("first", streamed, after=9)], streamed=streamed, models=models)
    assert (received.text, len(transport.requests)) == ("first", 1)


@BOTH
def test_there_is_one_hedge_in_a_call(streamed: bool) -> None:
    received, transport = hedged(
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
def test_a_first_attempt_that_fails_before_has_no_hedge(streamed: bool) -> None:
    received, transport = hedged(
        [failing(500)], [good("second", streamed, after=9)], [good("third", streamed)], streamed=streamed
    )
    assert received.text == "second"
    assert started(transport) == [("a", 0), ("b", 0)]


@BOTH
def test_when_one_fails_the_other_is_waited_for(streamed: bool) -> None:
    received, transport = hedged(
        [failing(500, after=3)], [good("second", streamed, after=9)], streamed=streamed, retries=1
    )
    assert received.text == "second"
    assert received.classes == ["one/a server", "two/b ok"]
    received, transport = hedged(
        [good("first", streamed, after=9)], [failing(429)], [SILENT], streamed=streamed, retries=1
    )
    assert received.text == "first"
    assert received.classes == ["two/b rate_limit", "one/a ok"]
    assert started(transport) == [("a", 0), ("b", 2)]


@BOTH
def test_when_both_fail_it_goes_on_as_ever(streamed: bool) -> None:
    received, _ = hedged(
        [failing(401, after=3)],
        [failing(503, after=4)],
        [good("third", streamed)],
        streamed=streamed,
        retries=1,
    )
    assert received.text == "third"
    assert received.classes == ["one/a auth", "two/b overloaded", "two/b overloaded", "three/c ok"]


@BOTH
def test_what_is_the_callers_fault_ends_it_for_both(streamed: bool) -> None:
    received, _ = hedged([failing(400, after=3)], [SILENT], streamed=streamed)
    assert received.error is not None
    assert received.error.status == 400
    assert received.classes == ["one/a invalid_request", "two/b cancelled"]
    assert received.failure["metadata"]["provider"] == "one"
    assert received.seconds == pytest.approx(3)


@BOTH
def test_all_that_failed_is_told(streamed: bool) -> None:
    received, _ = hedged([SILENT], [failing(500)], streamed=streamed, timeouts={"first_token": 5.0})
    assert received.classes == ["two/b server", "one/a timeout_first_token"]
    assert received.error is not None
    assert received.error.status == 504


@BOTH
def test_the_deadline_bounds_both(streamed: bool) -> None:
    received, _ = hedged([SILENT], [SILENT], streamed=streamed, timeouts={"total": 5.0})
    assert received.seconds == pytest.approx(5)
    assert received.failure["code"] == "deadline_exceeded"


@BOTH
@pytest.mark.parametrize("at", [1.0, 3.0], ids=["before the hedge", "during it"])
def test_a_caller_who_leaves_takes_both_along(at: float, streamed: bool) -> None:
    transport = ScriptedTransport({"a": [SILENT], "b": [good("x", streamed, after=9)]})

    async def left() -> None:
        chat_call = call("one/a", "two/b", stream=streamed, hedge_after=2.0)
        task = asyncio.create_task(transport.relay().complete(chat_call))
        await asyncio.sleep(at)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert len(asyncio.all_tasks()) == 1

    run(left())
    assert transport.open == 0
    assert [failure_class for _, failure_class, _ in transport.observed] == ["cancelled"] * len(
        transport.requests
    )


def test_a_stream_that_a_hedge_won_goes_on_like_any() -> None:
    received, _ = hedged(
        [SILENT],
        [break_after("Hello ", Act.CUT)],
        [answer_with("Hello there")],
        streamed=True,
        recovery="resume",
    )
    assert (received.text, received.done) == ("Hello there", True)
    assert received.classes == ["one/a cancelled", "two/b network", "three/c ok"]
    assert received.chunks[-1]["sluice"]["resumed_from"] == "two/b"

"""Tests of handler/relay/response.py under `recovery: buffer`: a stream is read whole before it is sent."""

from __future__ import annotations

from typing import Any

import pytest

from handler.relay.response import MAX_BUFFERED
from tests.support.broken_streams import BREAKS, HALF, OTHER, TOOL, receive_stream
from tests.support.canned_answers import Act, chunk, finish, role, stream, usage
from tests.support.running_relay import CHAT_WITH_TOOL, call
from tests.support.scripted_transport import ScriptedTransport, answer_with, break_after
from tests.support.virtual_clock import clock, run


@pytest.mark.parametrize(("ending", "failure_class"), BREAKS)
def test_a_buffered_stream_fails_over_after_any_break(ending: list[Any], failure_class: str) -> None:
    received, transport = receive_stream(
        [break_after(HALF, TOOL, *ending)],
        [answer_with(OTHER)],
        recovery="buffer",
        body={**CHAT_WITH_TOOL, "n": 1},
    )
    assert (received.text, received.done) == (OTHER, True)
    assert received.classes == [f"one/a {failure_class}", "two/b ok"]
    assert received.answer is not None
    assert received.answer.usage is not None
    assert received.answer.usage.input == 5 + 7, "the failed attempt cost something"
    assert transport.observed == [("one/a", failure_class, None), ("two/b", "ok", None)]


def test_a_buffered_stream_is_complete_before_anything_is_sent() -> None:
    transport = ScriptedTransport(
        {"a": [lambda _: stream(role(), chunk("Hel"), 7.0, chunk("lo"), finish(), usage())]}
    )

    async def complete() -> tuple[float, float, str]:
        answer = await transport.relay().complete(call("one/a", stream=True, recovery="buffer"))
        assert transport.open == 1
        started = clock()
        frames = [frame async for frame in answer.frames()]
        return started, answer.first_token or 0, b"".join(frames).decode()

    started, first_token, text = run(complete())
    assert (started, first_token) == (7, 0)
    assert text.endswith("data: [DONE]\n\n")


def test_an_error_has_its_status_when_every_buffered_stream_breaks() -> None:
    received, _ = receive_stream(
        [break_after(HALF, Act.CUT)], [break_after(HALF, Act.STALL)], recovery="buffer"
    )
    assert received.error is not None
    assert (received.error.status, received.error.code) == (504, "deadline_exceeded")
    assert received.classes == ["one/a network", "two/b timeout_idle"]


def test_a_stream_too_large_to_buffer_is_sent_and_ends_in_an_error() -> None:
    large = ["x" * 1_000_000] * (MAX_BUFFERED // 1_000_000 + 1)
    received, transport = receive_stream(
        [lambda _: stream(*map(chunk, large), chunk("y"), Act.CUT, done=False)],
        [answer_with(OTHER)],
        recovery="buffer",
    )
    assert not received.done
    assert received.text == "".join(large) + "y"
    assert received.failure["metadata"]["class"] == "network"
    assert transport.requests_for("b") == []

"""The usage of attempts that gave no answer: what a provider may charge for is counted, and nothing else.

handler/relay/response.py counts it, and handler/relay/subcalls.py that of several requests.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from handler.answers.usage import Usage, WastedUsage
from handler.errors import GatewayError
from handler.relay.attempts import Relay
from handler.relay.call import Call
from handler.upstream.client import Client
from handler.wire.http import Request, Response
from rules import Model
from tests.handler.relay.exchanges import BOTH
from tests.handler.relay.test_subcalls import call_with_n
from tests.support.canned_answers import Act, Reply, chunk, completion, finish, role, stream, whole
from tests.support.running_relay import call, model
from tests.support.scripted_transport import Script, ScriptedTransport, reply_with
from tests.support.virtual_clock import clock, run

Spent = tuple[str, int, int]  # the candidate, and its estimated tokens

SILENT = reply_with(Reply(status=None, pieces=(Act.STALL,)))
STALLED = reply_with(stream(role(), Act.STALL))
HALF = reply_with(stream(role(), chunk("x" * 40), Act.STALL))
SLOW_BODY = reply_with(Reply(status=200, chunked=True, pieces=(b'{"id"', Act.STALL)))
SLOW_ERROR = reply_with(Reply(status=500, chunked=True, pieces=(b"{", Act.STALL)))
IN = 5  # the estimate in `call`


def good(streamed: bool) -> Script:
    return reply_with(stream(role(), chunk("Hi"), finish()) if streamed else whole(completion("Hi")))


def spent(wasted: list[WastedUsage]) -> list[Spent]:
    assert all(usage.estimated for _, usage in wasted)
    return [(candidate.id, usage.input, usage.output) for candidate, usage in wasted]


async def abandon(relay: Relay, seconds: float, chat_call: Any) -> list[Spent]:
    """Return what was wasted when the client leaves after so many seconds."""
    wasted: list[WastedUsage] = []
    task = asyncio.create_task(relay.complete(chat_call, wasted))
    await asyncio.sleep(seconds)
    assert not task.done(), "the answer is not there yet"
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return spent(wasted)


@pytest.mark.parametrize(
    ("script", "streamed", "expected"),
    [
        pytest.param(SILENT, False, [("one/a", IN, 0)], id="before the head"),
        pytest.param(SLOW_BODY, False, [("one/a", IN, 0)], id="while a whole answer comes"),
        pytest.param(STALLED, True, [("one/a", IN, 0)], id="before the first content of a stream"),
        pytest.param(SLOW_ERROR, False, [], id="while an error comes, which costs nothing"),
    ],
)
def test_a_client_that_leaves(script: Script, streamed: bool, expected: list[Spent]) -> None:
    relay = ScriptedTransport({"a": [script]}).relay()
    assert run(abandon(relay, 1.0, call("one/a", stream=streamed))) == expected


def reserving(chat_call: Call, tokens: int) -> Call:
    """The call, whose candidates use at most so many tokens."""
    candidates = tuple(each.replaced(tokens=tokens) for each in chat_call.decision.candidates)
    return chat_call.replaced(decision=chat_call.decision.replaced(candidates=candidates))


THINKING = model("one/a", can=["reasoning"])


@pytest.mark.parametrize(
    ("candidate", "script", "streamed", "tokens", "output"),
    [
        pytest.param("one/a", SILENT, False, 1000, 150, id="a whole answer is written meanwhile"),
        pytest.param("one/a", SILENT, False, 105, 100, id="at most what is reserved"),
        pytest.param("one/a", STALLED, True, 1000, 0, id="a stream without content"),
        pytest.param(THINKING, STALLED, True, 1000, 150, id="a stream whose model may think"),
    ],
)
def test_the_output_that_a_client_leaves_unseen(
    candidate: str | Model, script: Script, streamed: bool, tokens: int, output: int
) -> None:
    relay = ScriptedTransport({"a": [script]}).relay()
    chat_call = reserving(call(candidate, stream=streamed), tokens)
    assert run(abandon(relay, 2.0, chat_call)) == [("one/a", IN, output)]


def test_the_thinking_before_a_stream_that_the_client_leaves() -> None:
    silent_first = reply_with(stream(role(), 2.0, chunk("x" * 40), Act.STALL))
    relay = ScriptedTransport({"a": [silent_first]}).relay()

    async def leave() -> Usage | None:
        answer = await relay.complete(reserving(call(THINKING, stream=True), 1000))
        await answer.aclose()
        return answer.used

    assert run(leave()) == Usage(input=IN, output=150 + 10, estimated=True)


class Connecting:
    """A transport that never gets a connection."""

    async def aclose(self) -> None:
        pass

    async def send(self, request: Request) -> Response:
        await asyncio.sleep(1e6)
        raise AssertionError


@BOTH
def test_a_request_that_has_not_gone_out_costs_nothing(streamed: bool) -> None:
    relay = Relay(Client(Connecting(), private_ok=True), credential=lambda row: None, clock=clock)
    assert run(abandon(relay, 1.0, call("one/a", stream=streamed))) == []


def test_a_buffered_stream_that_the_client_leaves_counts_its_output() -> None:
    relay = ScriptedTransport({"a": [HALF]}).relay()
    chat_call = call("one/a", stream=True, recovery="buffer")
    assert run(abandon(relay, 1.0, chat_call)) == [("one/a", IN, 10)]


async def complete(transport: ScriptedTransport, chat_call: Any) -> list[Spent]:
    """Return what was wasted when the call has ended, with an answer or without."""
    wasted: list[WastedUsage] = []
    try:
        answer = await transport.relay().complete(chat_call, wasted)
        async for _ in answer.frames():
            pass
    except GatewayError:
        pass
    return spent(wasted)


@BOTH
def test_the_loser_of_a_hedge(streamed: bool) -> None:
    transport = ScriptedTransport({"a": [SILENT], "b": [good(streamed)]})
    chat_call = call("one/a", "two/b", stream=streamed, hedge_after=2.0)
    assert run(complete(transport, chat_call)) == [("one/a", IN, 0)]


@pytest.mark.parametrize(
    ("script", "streamed", "expected"),
    [
        pytest.param(SILENT, True, [("one/a", IN, 0)], id="no head in time"),
        pytest.param(STALLED, True, [("one/a", IN, 0)], id="no content in time"),
        pytest.param(SLOW_BODY, False, [("one/a", IN, 0)], id="a body that takes too long"),
        pytest.param(reply_with(whole(status=500)), False, [], id="an error status"),
        pytest.param(reply_with(whole(status=429)), True, [], id="a rate limit"),
        pytest.param(reply_with(Reply(status=None, pieces=(Act.CUT,))), False, [], id="no connection"),
        pytest.param(reply_with(whole("<html>")), False, [], id="no answer"),
    ],
)
def test_an_attempt_that_fails(script: Script, streamed: bool, expected: list[Spent]) -> None:
    transport = ScriptedTransport({"a": [script], "b": [good(streamed)]})
    limits = {"first_token": 10.0}
    chat_call = call("one/a", "two/b", stream=streamed, retries=0, timeouts=limits)
    assert run(complete(transport, chat_call)) == expected


def test_a_stream_that_breaks_off_and_is_continued() -> None:
    transport = ScriptedTransport({"a": [HALF], "b": [good(True)]})
    chat_call = call("one/a", "two/b", stream=True, recovery="resume", retries=0, timeouts={"idle": 5.0})
    assert run(complete(transport, chat_call))[0] == ("one/a", IN, 10)


@BOTH
def test_every_subcall_that_the_client_leaves_is_counted(streamed: bool) -> None:
    transport = ScriptedTransport({"a": [STALLED if streamed else SILENT]})
    chat_call = call_with_n(stream=streamed)
    wasted = run(abandon(transport.relay(), 1.0, chat_call))
    assert sum(tokens for _, tokens, _ in wasted) == 3 * IN

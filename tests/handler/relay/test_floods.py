"""A provider that sends many bytes without content costs a bounded number of reads."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from handler.errors import UpstreamError
from handler.upstream.client import MAX_WITHOUT_CONTENT, SMALL
from handler.upstream.connection import FREE_CHUNKS, READ_PAUSE, UNPACED_READS
from tests.support.canned_answers import Act, Reply, chunk, completion, finish, sse
from tests.support.running_relay import call, frames_of, run_relay
from tests.support.scripted_transport import ScriptedTransport
from tests.support.virtual_clock import clock

MANY = 100_000  # pieces; reading all of them fails the test
SECONDS = 10.0  # until the first token
EVENT = json.dumps({"id": "c", "choices": []}).encode()


class Flood(Sequence[bytes]):
    """The same piece again and again. `read`: the number of pieces that were read."""

    def __init__(self, piece: bytes, *, first: Sequence[bytes] = ()) -> None:
        self._piece = piece
        self._first = first
        self.read = 0

    def __len__(self) -> int:
        return MANY

    def __getitem__(self, at: int) -> bytes:  # type: ignore[override]
        if at >= MANY:
            raise IndexError
        self.read = at
        return self._first[at] if at < len(self._first) else self._piece


def streaming(pieces: Sequence[bytes]) -> Reply:
    return Reply(headers={"content-type": "text/event-stream"}, pieces=pieces)


SILENCE = [
    pytest.param(b": keep-alive\n\n", id="comments"),
    pytest.param(b"\n", id="line ends"),
    pytest.param(b"data:\n\n", id="empty events"),
    pytest.param(b"event: ping\n\n", id="events without data"),
    pytest.param(b"data: %b\n\n" % EVENT, id="chunks without a choice"),
    pytest.param(b"x", id="a line in single bytes"),
]


@pytest.mark.parametrize("piece", SILENCE)
@pytest.mark.parametrize("started", [False, True], ids=["before content", "after content"])
async def test_reads_of_a_stream_without_content_are_paced(piece: bytes, started: bool) -> None:
    first = [sse(chunk("Hello"))] if started else []
    flood = Flood(piece, first=first)
    relay = ScriptedTransport({"a": [lambda _: streaming(flood)]}).relay()
    chat_call = call("one/a", stream=True, timeouts={"first_token": SECONDS, "total": SECONDS}, retries=0)
    began = clock()
    if started:
        assert b'"error"' in b"".join(await frames_of(await relay.complete(chat_call)))
    else:
        with pytest.raises(UpstreamError):
            await relay.complete(chat_call)
    assert flood.read <= 2 * UNPACED_READS + (clock() - began) / READ_PAUSE
    assert clock() - began <= SECONDS + 1


async def test_a_stream_of_long_comments_fails_early() -> None:
    flood = Flood(b": " + b"-" * 65_000 + b"\n\n")
    relay = ScriptedTransport({"a": [lambda _: streaming(flood)]}).relay()
    with pytest.raises(UpstreamError) as caught:
        await relay.complete(call("one/a", stream=True, retries=0))
    assert caught.value.failure_class == "protocol"
    assert flood.read < MAX_WITHOUT_CONTENT / 65_000 + 2


async def test_a_slow_heartbeat_has_no_read_limit() -> None:
    beats = [piece for _ in range(300) for piece in (b": processing\n\n", 0.5)]
    reply = Reply(
        headers={"content-type": "text/event-stream"},
        pieces=[*beats, sse(chunk("Hello")), sse(finish()), b"data: [DONE]\n\n"],
    )
    relay = ScriptedTransport({"a": [lambda _: reply]}).relay()
    answer = await relay.complete(call("one/a", stream=True, timeouts={"first_token": 180}))
    assert b"Hello" in b"".join(await frames_of(answer))


async def test_reads_of_a_whole_answer_in_single_bytes_are_paced() -> None:
    body = b" " * 2_000 + json.dumps(completion()).encode()
    pieces = [body[at : at + 1] for at in range(len(body))]
    reply = Reply(headers={"content-type": "application/json"}, pieces=pieces)
    relay = ScriptedTransport({"a": [lambda _: reply]}).relay()
    began = clock()
    await relay.complete(call("one/a"))
    assert len(body) < UNPACED_READS * SMALL
    assert clock() - began >= (len(body) - UNPACED_READS - 1) * READ_PAUSE


async def test_chunks_of_one_byte_fail_the_attempt() -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
    flood = Reply(status=None, pieces=(head + b"1\r\n \r\n" * (FREE_CHUNKS + 2_000), Act.STALL))
    async with run_relay() as relay:
        relay.upstream.script("a", flood)
        with pytest.raises(UpstreamError) as caught:
            await relay.complete(call("one/a", retries=0))
    assert "its chunks are too small" in caught.value.message

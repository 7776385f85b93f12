"""Streams that are relayed byte for byte: however they are cut, the bytes and the usage are the same."""

from __future__ import annotations

import random

import pytest

from handler.answers.relayed_bytes import RelayedBytes
from handler.answers.usage import Usage
from handler.errors import Json, UpstreamError

EVENTS = (
    b': hello\r\n\r\ndata: {"choices":[{"text":"H\xc3\xa9"},{"text":7},null],"usage":null}\r\n\r\n'
    b'data: {"choices":[{"text":"llo"}]}\n\nevent: x\ndata: no JSON\n\n'
    b'data: {"usage":{"prompt_tokens":2,"completion_tokens":3},"x":1}\n\ndata: [DONE]\n\n'
)
ERROR = b'data: {"error":{"message":"busy","code":"rate_limit_exceeded"}}\n\n'


def relayed(*, is_events: bool = True) -> tuple[RelayedBytes, list[tuple[Json, int]]]:
    seen: list[tuple[Json, int]] = []

    def usage(reported: Json, text_bytes: int) -> Usage:
        seen.append((reported, text_bytes))
        return Usage(input=1)

    return RelayedBytes(is_events=is_events, usage=usage), seen


def test_the_bytes_and_the_usage_do_not_depend_on_the_cuts() -> None:
    dice = random.Random(3)
    for _ in range(200):
        frames, seen = relayed()
        cuts = sorted(dice.sample(range(1, len(EVENTS)), dice.randrange(12)))
        pieces = [EVENTS[a:b] for a, b in zip([0, *cuts], [*cuts, len(EVENTS)], strict=True)]
        assert b"".join(frames.feed(piece) for piece in pieces) + frames.close() == EVENTS
        assert frames.used() == Usage(input=1)
        assert seen == [({"prompt_tokens": 2, "completion_tokens": 3}, len("Héllo".encode()))]
        assert (frames.ended, frames.failure, frames.content_bytes) == (True, None, len(EVENTS))


def test_an_error_before_content_is_a_failure_and_is_not_sent() -> None:
    frames, _ = relayed()
    assert frames.feed(ERROR) == b""
    assert frames.ended
    assert frames.failure
    assert frames.failure.failure_class == "rate_limit"


def test_an_error_after_content_is_sent_as_it_is() -> None:
    frames, _ = relayed()
    assert frames.feed(EVENTS) + frames.feed(ERROR) == EVENTS + ERROR
    assert frames.failure is None


def test_an_event_that_is_too_large_to_look_at_is_sent() -> None:
    frames, seen = relayed()
    large = b'data: {"b64_json":"' + b"A" * 9_000_000
    assert frames.feed(large) == large
    assert frames.feed(b'"}\n\n' + EVENTS) == b'"}\n\n' + EVENTS
    frames.used()
    assert seen == [({}, 0)]


@pytest.mark.parametrize("data", [b"", b"\x00\xff", EVENTS])
def test_other_bytes_are_not_looked_at(data: bytes) -> None:
    frames, seen = relayed(is_events=False)
    assert frames.feed(data) == data
    frames.used()
    assert seen == [({}, 0)]


def test_the_end_may_have_a_failure() -> None:
    frames, _ = relayed(is_events=False)
    failure = UpstreamError("lost", failure_class="network")
    assert frames.close(failure) == b""
    assert frames.failure is failure

"""Tests of handler/wire/eventstream.py: damage and an early end are different failures."""

from __future__ import annotations

import json
import struct
import zlib

import pytest

from handler.errors import Json, UpstreamError
from handler.wire.eventstream import Decoder, encode_message
from handler.wire.sse import EventTooLarge
from tests.support.event_stream import framed

EVENTS: list[Json] = [
    {"messageStart": {"role": "assistant"}},
    {"contentBlockDelta": {"delta": {"text": "Grüße 👋\u2028\n"}, "contentBlockIndex": 0}},
    {"throttlingException": {"message": "Too many requests"}},
]
DATA = b"".join(map(framed, EVENTS))


def decode(data: bytes, cut: int = 1_000_000, *, decoder: Decoder | None = None) -> list[object]:
    decoder, events = decoder or Decoder(), []
    for start in range(0, len(data), cut):
        events += [json.loads(event.data) for event in decoder.feed(data[start : start + cut])]
    return events


@pytest.mark.parametrize("cut", [1, 2, 3, 7, 64, 1_000_000])
def test_events_are_the_same_whatever_pieces_the_bytes_come_in(cut: int) -> None:
    decoder = Decoder()
    assert decode(DATA, cut, decoder=decoder) == EVENTS
    assert list(decoder.close()) == []


def message_of(headers: bytes) -> bytes:
    """Returns a message of these headers, with valid checksums."""
    prelude = struct.pack("!II", 16 + len(headers), len(headers))
    start = prelude + struct.pack("!I", zlib.crc32(prelude)) + headers
    return start + struct.pack("!I", zlib.crc32(start))


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param(b"\x01x\x0a", id="an unknown type"),
        pytest.param(b"\x01x", id="no type"),
        pytest.param(b"\x01x\x04\x00", id="an incomplete number"),
        pytest.param(b"\x01x\x00\x01x\x00", id="a repeated name"),
    ],
)
def test_unreadable_headers_are_damage(headers: bytes) -> None:
    with pytest.raises(UpstreamError) as raised:
        decode(message_of(headers))
    assert raised.value.failure_class == "protocol"


@pytest.mark.parametrize(
    ("data", "event"),
    [
        pytest.param(
            encode_message({":message-type": "event", ":event-type": "messageStop"}, b""),
            {"messageStop": {}},
            id="an event without a payload",
        ),
        pytest.param(
            encode_message(
                {":message-type": "error", ":error-code": "InternalError", ":error-message": 'a "b"'}, b""
            ),
            {"InternalError": {"message": 'a "b"'}},
            id="an error with its message in a header",
        ),
        pytest.param(
            message_of(b"\x0e:error-message\x06\x00\x01a"),
            {"unknown": {"message": "b'a'"}},
            id="an error with a message in bytes",
        ),
        pytest.param(encode_message({}, b'{"a": 1}'), {"unknown": {"a": 1}}, id="a message without headers"),
    ],
)
def test_the_name_of_a_message(data: bytes, event: object) -> None:
    assert decode(data) == [event]


@pytest.mark.parametrize("at", range(0, len(framed(EVENTS[0])), 7))
def test_a_changed_byte_is_damage(at: int) -> None:
    broken = bytearray(DATA)
    broken[at] ^= 1
    with pytest.raises((UpstreamError, EventTooLarge)) as raised:
        decode(bytes(broken))
    assert getattr(raised.value, "failure_class", "protocol") == "protocol"


def test_events_before_the_damage_count() -> None:
    broken = DATA[:-1] + bytes([DATA[-1] ^ 1])
    events = Decoder().feed(broken)
    assert [json.loads(next(events).data) for _ in range(2)] == EVENTS[:2]
    with pytest.raises(UpstreamError):
        next(events)


@pytest.mark.parametrize("left", [1, 4, 11, 12, 40])
def test_an_end_inside_a_message_is_an_early_end(left: int) -> None:
    decoder = Decoder()
    assert decode(DATA[:-left], decoder=decoder) == EVENTS[:2]
    with pytest.raises(UpstreamError) as raised:
        decoder.close()
    assert raised.value.failure_class == "network"


def test_a_message_that_is_too_large_is_refused_before_it_is_complete() -> None:
    decoder = Decoder(max_event=1000)
    huge = framed({"contentBlockDelta": {"delta": {"text": "x" * 5000}, "contentBlockIndex": 0}})
    with pytest.raises(EventTooLarge):
        decode(huge, 100, decoder=decoder)


def test_the_limit_is_for_one_message_and_not_for_the_stream() -> None:
    decoder = Decoder(max_event=1000)
    assert len(decode(framed(EVENTS[0]) * 100, decoder=decoder)) == 100


def test_text_that_is_not_utf_8_is_damage() -> None:
    with pytest.raises(UpstreamError):
        decode(encode_message({":message-type": "event", ":event-type": "x"}, b"\xff"))

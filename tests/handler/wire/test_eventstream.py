"""AWS's event-stream framing: every cut gives the same events, and damage is told from an early end."""

from __future__ import annotations

import json
import struct
import zlib

import pytest

from handler.errors import UpstreamError
from handler.providers.translator import Json
from handler.wire.eventstream import Decoder
from handler.wire.sse import EventTooLarge
from tests.support.event_stream import framed, message

EVENTS: list[Json] = [
    {"messageStart": {"role": "assistant"}},
    {"contentBlockDelta": {"delta": {"text": "Grüße 👋\u2028\n"}, "contentBlockIndex": 0}},
    {"throttlingException": {"message": "Too many requests"}},
]
DATA = b"".join(map(framed, EVENTS))


def read(data: bytes, cut: int = 1_000_000, *, decoder: Decoder | None = None) -> list[object]:
    decoder, found = decoder or Decoder(), []
    for start in range(0, len(data), cut):
        found += [json.loads(event.data) for event in decoder.feed(data[start : start + cut])]
    return found


@pytest.mark.parametrize("cut", [1, 2, 3, 7, 64, 1_000_000])
def test_however_the_bytes_are_cut_the_events_are_the_same(cut: int) -> None:
    decoder = Decoder()
    assert read(DATA, cut, decoder=decoder) == EVENTS
    assert list(decoder.close()) == []


def raw(head: bytes) -> bytes:
    """A message of these headers and nothing else, its checksums right."""
    prelude = struct.pack("!II", 16 + len(head), len(head))
    said = prelude + struct.pack("!I", zlib.crc32(prelude)) + head
    return said + struct.pack("!I", zlib.crc32(said))


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(b"\x01x\x0a", id="a type that nobody knows"),
        pytest.param(b"\x01x", id="no type"),
        pytest.param(b"\x01x\x04\x00", id="a number cut short"),
        pytest.param(b"\x01x\x00\x01x\x00", id="one name twice"),
    ],
)
def test_headers_that_nobody_can_read_are_damage(head: bytes) -> None:
    with pytest.raises(UpstreamError) as raised:
        read(raw(head))
    assert raised.value.failure_class == "protocol"


@pytest.mark.parametrize(
    ("data", "event"),
    [
        pytest.param(
            message({":message-type": "event", ":event-type": "messageStop"}, b""),
            {"messageStop": {}},
            id="an event without a payload",
        ),
        pytest.param(
            message(
                {":message-type": "error", ":error-code": "InternalError", ":error-message": 'a "b"'}, b""
            ),
            {"InternalError": {"message": 'a "b"'}},
            id="an error whose words are in a header",
        ),
        pytest.param(
            raw(b"\x0e:error-message\x06\x00\x01a"),
            {"unknown": {"message": "b'a'"}},
            id="an error whose words are bytes",
        ),
        pytest.param(
            message({}, b'{"a": 1}'), {"unknown": {"a": 1}}, id="a message that says nothing of itself"
        ),
    ],
)
def test_what_a_message_is_called(data: bytes, event: object) -> None:
    assert read(data) == [event]


@pytest.mark.parametrize("at", range(0, len(framed(EVENTS[0])), 7))
def test_a_byte_that_changed_on_the_way_is_noticed(at: int) -> None:
    broken = bytearray(DATA)
    broken[at] ^= 1
    with pytest.raises((UpstreamError, EventTooLarge)) as raised:
        read(bytes(broken))
    assert getattr(raised.value, "failure_class", "protocol") == "protocol"


def test_what_came_before_the_damage_counts() -> None:
    broken = DATA[:-1] + bytes([DATA[-1] ^ 1])
    events = Decoder().feed(broken)
    assert [json.loads(next(events).data) for _ in range(2)] == EVENTS[:2]
    with pytest.raises(UpstreamError):
        next(events)


@pytest.mark.parametrize("left", [1, 4, 11, 12, 40])
def test_an_end_inside_a_message_is_an_early_end(left: int) -> None:
    decoder = Decoder()
    assert read(DATA[:-left], decoder=decoder) == EVENTS[:2]
    with pytest.raises(UpstreamError) as raised:
        decoder.close()
    assert raised.value.failure_class == "network"


def test_a_message_is_bounded_before_it_is_complete() -> None:
    decoder = Decoder(max_event=1000)
    huge = framed({"contentBlockDelta": {"delta": {"text": "x" * 5000}, "contentBlockIndex": 0}})
    with pytest.raises(EventTooLarge):
        read(huge, 100, decoder=decoder)


def test_many_messages_at_once_are_not_one_long_one() -> None:
    decoder = Decoder(max_event=1000)
    assert len(read(framed(EVENTS[0]) * 100, decoder=decoder)) == 100


def test_no_utf_8_is_damage() -> None:
    with pytest.raises(UpstreamError):
        read(message({":message-type": "event", ":event-type": "x"}, b"\xff"))

"""Tests of handler/wire/sse.py: the same events whatever pieces the bytes come in."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.wire.sse import DONE, KEEP_ALIVE, MAX_EVENT, Decoder, Event, EventTooLarge, encode

CUTS = (1, 2, 3, 7, 64, 10_000)
CASES = [
    pytest.param(b"data: a\n\n", [Event("a")], id="one event"),
    pytest.param(b"data:a\n\n", [Event("a")], id="the space after the colon may be missing"),
    pytest.param(b"data:  a\n\n", [Event(" a")], id="only one space is removed"),
    pytest.param(b"data: a\r\n\r\ndata: b\r\n\r\n", [Event("a"), Event("b")], id="lines end at CRLF"),
    pytest.param(b"data: a\r\rdata: b\r\r", [Event("a"), Event("b")], id="lines end at CR"),
    pytest.param(b"data: a\r\n\ndata: b\n\r\n", [Event("a"), Event("b")], id="line ends are mixed"),
    pytest.param(b"data: a\ndata: b\n\n", [Event("a\nb")], id="several data lines are joined"),
    pytest.param(b"data: a\ndata\ndata:\n\n", [Event("a\n\n")], id="a data line may be empty"),
    pytest.param(b"data\n\n", [Event("")], id="a field without a colon is empty"),
    pytest.param(b": hello\n\ndata: a\n\n: bye\n\n", [Event("a")], id="comments are ignored"),
    pytest.param(b"data: a\n: inside\ndata: b\n\n", [Event("a\nb")], id="a comment inside an event"),
    pytest.param(b"event: error\ndata: a\n\ndata: b\n\n", [Event("a", "error"), Event("b")], id="a name"),
    pytest.param(b"event: ping\n\ndata: a\n\n", [Event("a")], id="an event without data is ignored"),
    pytest.param(b"id: 7\nretry: 10\nother: x\ndata: a\n\n", [Event("a")], id="other fields are ignored"),
    pytest.param(b"\xef\xbb\xbfdata: a\n\n", [Event("a")], id="a byte order mark at the start is removed"),
    pytest.param(
        b"data: a\n\n\xef\xbb\xbfdata: b\n\n",
        [Event("a")],
        id="a byte order mark further on is part of a name",
    ),
    pytest.param(
        "data: \u20ac\U0001f600\n\n".encode(), [Event("\u20ac\U0001f600")], id="characters of four bytes"
    ),
    pytest.param(
        "data: a\u2028b\u2029c\x85d\x0be\x0cf\n\n".encode(),
        [Event("a\u2028b\u2029c\x85d\x0be\x0cf")],
        id="other line ends of Python end no line",
    ),
    pytest.param(b"data: a\xff\n\n", [Event("a\ufffd")], id="broken UTF-8 is replaced"),
    pytest.param(b"data: a", [Event("a")], id="the last line may have no end"),
    pytest.param(b"data: a\n", [Event("a")], id="the last event may have no blank line"),
    pytest.param(b"data: a\r", [Event("a")], id="the last line may end at CR"),
    pytest.param(b"\n\n\n\ndata: a\n\n\n\n", [Event("a")], id="blank lines are ignored"),
    pytest.param(b"", [], id="no bytes, no events"),
]


def decode(data: bytes, cut: int, max_event: int = MAX_EVENT) -> list[Event]:
    decoder = Decoder(max_event=max_event)
    events = [event for at in range(0, len(data), cut) for event in decoder.feed(data[at : at + cut])]
    return events + decoder.close()


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize(("data", "events"), CASES)
def test_events_are_the_same_whatever_pieces_the_bytes_come_in(
    data: bytes, events: list[Event], cut: int
) -> None:
    assert decode(data, cut) == events


@given(
    st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), min_size=1)),
    st.data(),
)
def test_encoded_events_are_decoded_from_any_pieces(texts: list[str], data: st.DataObject) -> None:
    wire = KEEP_ALIVE + b"".join(map(encode, texts)) + DONE
    places = sorted(data.draw(st.lists(st.integers(0, len(wire)))))
    decoder = Decoder()
    pieces = [wire[start:end] for start, end in zip([0, *places], [*places, len(wire)], strict=True)]
    events = [event.data for piece in pieces for event in decoder.feed(piece)]
    assert [*events, *(event.data for event in decoder.close())] == [*texts, "[DONE]"]


def test_an_event_is_one_line_of_json_and_a_blank_line() -> None:
    assert (
        encode(json.dumps({"a": "\u20ac"}, ensure_ascii=False))
        == '{"a": "\u20ac"}'.join(("data: ", "\n\n")).encode()
    )


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"data: " + b"x" * 200, id="a line without an end"),
        pytest.param(b"data: " + b"x" * 200 + b"\n\n", id="a long line"),
        pytest.param(b"data: x\n" * 200, id="many lines of one event"),
        pytest.param(b": " + b"x" * 200, id="a comment without an end"),
        pytest.param(b"data:\n" * 200, id="many empty lines of one event"),
    ],
)
@pytest.mark.parametrize("cut", CUTS)
def test_an_event_that_is_too_large_is_refused(data: bytes, cut: int) -> None:
    with pytest.raises(EventTooLarge):
        decode(data, cut, max_event=100)


def test_the_limit_is_for_one_event_and_not_for_the_stream() -> None:
    decoder = Decoder(max_event=100)
    for _ in range(100):
        assert decoder.feed(b": comment\ndata: " + b"x" * 80 + b"\n\n") == [Event("x" * 80)]

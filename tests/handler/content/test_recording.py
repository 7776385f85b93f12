"""The recording of an answer: whole, streamed, cut off; and which requests are in a sample."""

from __future__ import annotations

import pytest

from handler.content.recording import MAX_ANSWER, Recording, is_sampled
from rules import LogRecord, read_record


def record(sample: float = 1, id: str = "l") -> LogRecord:
    made = read_record({"kind": "log", "id": id, "sample": sample, "days": 1})
    assert isinstance(made, LogRecord)
    return made


def recorded(*pieces: bytes) -> Recording:
    recording = Recording(record(), {}, 10)
    for piece in pieces:
        recording.add(piece)
    return recording


def frame(content: str) -> bytes:
    return b'data: {"choices": [{"index": 0, "delta": {"content": "' + content.encode() + b'"}}]}\n\n'


def test_a_whole_answer_is_its_json() -> None:
    assert recorded(b'{"a":', b"1}").answer() == {"a": 1}


def test_a_client_that_got_nothing_has_no_answer() -> None:
    assert recorded().answer() is None


def test_a_stream_that_is_too_large_has_its_beginning() -> None:
    large = recorded(b": keep-alive\n\n", frame("a"), b":" * MAX_ANSWER, frame("b"))
    assert large.truncated
    assert large.answer()["choices"][0]["message"]["content"] == "a"
    assert large.size < 1000


def test_a_whole_answer_that_is_too_large_is_left_out() -> None:
    large = recorded(b'{"a": "', b"x" * MAX_ANSWER)
    assert large.truncated
    assert large.answer() is None


@pytest.mark.parametrize("id", [f"r{number}" for number in range(50)])
def test_a_larger_sample_holds_a_smaller_one(id: str) -> None:
    assert not is_sampled(record(0), id)
    assert is_sampled(record(1), id)
    assert is_sampled(record(0.7), id) or not is_sampled(record(0.3), id)
    assert is_sampled(record(0.5), id) == is_sampled(record(0.5), id)

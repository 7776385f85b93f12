"""A provider's stream in the client's own format: its events, and what ends them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

import pytest

from handler.answers.answer import Answer
from handler.answers.encoded import encoded
from handler.errors import UpstreamError
from handler.formats.gemini.stream import GeminiStream
from rules import Candidate, Model

EVENT = b'data: {"candidates": []}\n\n'
LOST = UpstreamError("Lost.", failure_class="network")
CANDIDATE = Candidate(Model(provider="gemini", name="gemini-3-pro"))


def answer_of(frames: Sequence[bytes], failure: UpstreamError | None = None) -> Answer:
    async def drive(answer: Answer) -> AsyncGenerator[bytes, None]:
        for frame in frames:
            yield frame
        answer.failure = failure

    return Answer(candidate=CANDIDATE, attempts=[], waited=0, native=True, drive=drive)


@pytest.mark.parametrize(
    ("frames", "failure", "begin", "end"),
    [
        pytest.param(
            [EVENT, EVENT], None, b'[{"candidates": []},', b'{"candidates": []}]', id="a complete stream"
        ),
        pytest.param([EVENT], LOST, b'[{"candidates": []},', b"}]", id="a stream that broke off"),
        pytest.param([], None, b"[", b"]", id="no event"),
    ],
)
async def test_an_array_of_relayed_events_is_closed(
    frames: list[bytes], failure: UpstreamError | None, begin: bytes, end: bytes
) -> None:
    encoder = GeminiStream(thoughts=False, events=False)
    data = b"".join([piece async for piece in encoded(answer_of(frames, failure), encoder)])
    assert data.startswith(begin)
    assert data.endswith(end)
    assert (b'"error"' in data) == (failure is not None)


async def test_server_sent_events_are_relayed_as_they_are() -> None:
    encoder = GeminiStream(thoughts=False, events=True)
    assert [piece async for piece in encoded(answer_of([EVENT, EVENT]), encoder)] == [EVENT, EVENT]

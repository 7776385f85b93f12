"""Tests of handler/answers/event_template.py: frames are the same whether or not each event is parsed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.answers.client_stream import ClientStream
from handler.answers.event_template import Affixes, affixes_of
from handler.providers.openai.translator import OpenAI
from handler.providers.provider import Quirks

Json = dict[str, Any]


def event(text: Any, *, index: int = 0, finish: str | None = None, **more: Any) -> Json:
    choice = {"index": index, "delta": {"content": text}, "finish_reason": finish}
    return {
        "id": "c",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "choices": [choice],
        **more,
    }


PREFIX, SUFFIX = '{"model": "m", "choices": [{"delta": {"content": "', '"}}]}'
EVENTS = [
    pytest.param(PREFIX + "words" + SUFFIX, "words", id="text"),
    pytest.param(PREFIX + "שלום 😀" + SUFFIX, "שלום 😀", id="letters of any script"),
    pytest.param(PREFIX + SUFFIX, "", id="empty text"),
    pytest.param(PREFIX + r"a\nb" + SUFFIX, "", id="an escape, which needs parsing"),
    pytest.param(PREFIX + 'a", "x": "b' + SUFFIX, "", id="another field"),
    pytest.param(PREFIX + "a\x01" + SUFFIX, "", id="a control character, which JSON does not allow"),
    pytest.param(PREFIX + "a" + SUFFIX + " ", "", id="another suffix"),
    pytest.param(" " + PREFIX + "a" + SUFFIX, "", id="another prefix"),
    pytest.param(PREFIX[:-1] + SUFFIX, "", id="a suffix that overlaps the prefix"),
]


@pytest.mark.parametrize(("data", "text"), EVENTS)
def test_the_text_is_between_the_prefix_and_the_suffix(data: str, text: str) -> None:
    assert Affixes(PREFIX, SUFFIX).text_of(data) == text


LEARNED = [
    pytest.param(event("Hi"), True, id="text alone"),
    pytest.param(event('a\n"b" \\ é'), True, id="text with escapes"),
    pytest.param(event(""), False, id="empty text"),
    pytest.param(event(None), False, id="content null"),
    pytest.param(event("Hi", finish="stop"), False, id="text with a finish reason"),
    pytest.param(event("Hi", note={"content": "Ho"}), False, id="a second `content` elsewhere"),
    pytest.param(event("Hi") | {"choices": []}, False, id="no choice"),
    pytest.param(event("Hi") | {"choices": event("Hi")["choices"] * 2}, False, id="two choices"),
    pytest.param(
        event("Hi") | {"choices": [{"delta": {"content": "Hi", "role": "assistant"}}]},
        False,
        id="text with a role",
    ),
]


@pytest.mark.parametrize(("chunk", "learned"), LEARNED)
def test_the_affixes_of_an_event_with_text_and_nothing_else(chunk: Json, learned: bool) -> None:
    text = json.dumps(chunk, ensure_ascii=False)
    found = affixes_of(text, chunk)
    assert (found is not None) is learned
    assert (
        found is None
        or found.prefix
        + json.dumps(chunk["choices"][0]["delta"]["content"], ensure_ascii=False)[1:-1]
        + found.suffix
        == text
    )


CHUNKS = st.one_of(
    st.text(max_size=8).map(event),
    st.text("ab", max_size=1).map(lambda text: dict(reversed(event(text).items()))),
    st.sampled_from(
        [
            event("a", finish="stop"),
            event("a", index=1),
            event("a", usage={"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}),
            event("a") | {"id": "other"},
            event("a") | {"choices": [{"index": 0, "delta": {"reasoning": "b"}}]},
            event("a") | {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "id": "x"}]}}]},
            {"error": {"message": "no"}},
        ]
    ),
)
EVENT_TEXTS = st.one_of(
    st.tuples(CHUNKS, st.booleans()).map(lambda one: json.dumps(one[0], ensure_ascii=one[1])),
    st.tuples(CHUNKS, st.text(max_size=3)).map(
        lambda one: json.dumps(one[0]).replace('"content": "', f'"content": "{one[1]}')
    ),
)


def read_stream(texts: Sequence[str], *, stateless_text: bool) -> tuple[list[bytes], int, int, str | None]:
    frames = ClientStream(
        OpenAI().stream(Quirks()), model="p/m", wants_usage=True, stateless_text=stateless_text
    )
    out = [frames.feed(f"data: {text}\n\n".encode("utf-8", "replace")) for text in texts]
    out.append(frames.close())
    return out, frames.content, frames.sent, frames.failure.failure_class if frames.failure else None


@given(st.lists(EVENT_TEXTS, max_size=12))
def test_the_frames_are_the_same_when_every_event_is_parsed(texts: list[str]) -> None:
    assert read_stream(texts, stateless_text=True) == read_stream(texts, stateless_text=False)


def test_the_model_is_edited_after_the_text_too() -> None:
    """After the text, the model is not a part of the prefix."""
    texts = [json.dumps(dict(reversed(event(text).items()))) for text in ("a", "a", "a", "b", "c")]
    texts = [text.replace('"model": "m", ', "")[:-1] + ', "model": "m"}' for text in texts]
    frames, *_ = read_stream(texts, stateless_text=True)
    assert [json.loads(frame.removeprefix(b"data: "))["model"] for frame in frames if frame] == ["p/m"] * 5


def test_text_only_events_are_not_parsed() -> None:
    """The decoder gets three of a hundred events."""
    fed: list[str] = []

    class CountingDecoder:
        def __init__(self) -> None:
            self._decoder = OpenAI().stream(Quirks())

        @property
        def event(self) -> Json:
            return self._decoder.event

        def feed(self, data: str) -> Any:
            fed.append(data)
            return self._decoder.feed(data)

        def close(self) -> Any:
            return self._decoder.close()

    frames = ClientStream(CountingDecoder(), model="p/m", wants_usage=False, stateless_text=True)
    for at in range(100):
        frames.feed(f"data: {json.dumps(event(f'word {at}'))}\n\n".encode())
    assert len(fed) == 3, "the decoder adds a role to the first, so it teaches nothing"
    assert frames.content_bytes == sum(len(f"word {at}") for at in range(100))

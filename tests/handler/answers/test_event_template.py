"""Events known by their text: whatever a stream brings, the client gets what it gets when each is parsed."""

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


def event(words: Any, *, index: int = 0, finish: str | None = None, **more: Any) -> Json:
    choice = {"index": index, "delta": {"content": words}, "finish_reason": finish}
    return {
        "id": "c",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "choices": [choice],
        **more,
    }


BEGINS, ENDS = '{"model": "m", "choices": [{"delta": {"content": "', '"}}]}'
KNOWN = [
    pytest.param(BEGINS + "words" + ENDS, "words", id="other words"),
    pytest.param(BEGINS + "שלום 😀" + ENDS, "שלום 😀", id="letters of any kind"),
    pytest.param(BEGINS + ENDS, "", id="no words"),
    pytest.param(BEGINS + r"a\nb" + ENDS, "", id="an escape, which is to be read"),
    pytest.param(BEGINS + 'a", "x": "b' + ENDS, "", id="another field"),
    pytest.param(BEGINS + "a\x01" + ENDS, "", id="what no JSON text may hold"),
    pytest.param(BEGINS + "a" + ENDS + " ", "", id="another end"),
    pytest.param(" " + BEGINS + "a" + ENDS, "", id="another beginning"),
    pytest.param(BEGINS[:-1] + ENDS, "", id="an end that is in the beginning"),
]


@pytest.mark.parametrize(("text", "words"), KNOWN)
def test_words_are_known_by_what_stands_around_them(text: str, words: str) -> None:
    assert Affixes(BEGINS, ENDS).text_of(text) == words


TAUGHT = [
    pytest.param(event("Hi"), True, id="words alone"),
    pytest.param(event('a\n"b" \\ é'), True, id="words with escapes"),
    pytest.param(event(""), False, id="no words"),
    pytest.param(event(None), False, id="null"),
    pytest.param(event("Hi", finish="stop"), False, id="the last words"),
    pytest.param(event("Hi", note={"content": "Ho"}), False, id="words in two places"),
    pytest.param(event("Hi") | {"choices": []}, False, id="no choice"),
    pytest.param(event("Hi") | {"choices": event("Hi")["choices"] * 2}, False, id="two choices"),
    pytest.param(
        event("Hi") | {"choices": [{"delta": {"content": "Hi", "role": "assistant"}}]}, False, id="a role too"
    ),
]


@pytest.mark.parametrize(("event", "learned"), TAUGHT)
def test_an_event_teaches_when_it_brings_words_and_nothing_else(event: Json, learned: bool) -> None:
    text = json.dumps(event, ensure_ascii=False)
    found = affixes_of(text, event)
    assert (found is not None) is learned
    assert (
        found is None
        or found.prefix
        + json.dumps(event["choices"][0]["delta"]["content"], ensure_ascii=False)[1:-1]
        + found.suffix
        == text
    )


PIECES = st.one_of(
    st.text(max_size=8).map(event),
    st.text("ab", max_size=1).map(lambda words: dict(reversed(event(words).items()))),
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
TEXTS = st.one_of(
    st.tuples(PIECES, st.booleans()).map(lambda one: json.dumps(one[0], ensure_ascii=one[1])),
    st.tuples(PIECES, st.text(max_size=3)).map(
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


@given(st.lists(TEXTS, max_size=12))
def test_a_stream_that_is_not_parsed_throughout_gives_the_same(texts: list[str]) -> None:
    assert read_stream(texts, stateless_text=True) == read_stream(texts, stateless_text=False)


def test_the_model_is_told_rightly_wherever_it_stands() -> None:
    """Behind the words, it is no part of how the events begin."""
    texts = [json.dumps(dict(reversed(event(words).items()))) for words in ("a", "a", "a", "b", "c")]
    texts = [text.replace('"model": "m", ', "")[:-1] + ', "model": "m"}' for text in texts]
    frames, *_ = read_stream(texts, stateless_text=True)
    assert [json.loads(frame.removeprefix(b"data: "))["model"] for frame in frames if frame] == ["p/m"] * 5


def test_words_alike_are_not_parsed() -> None:
    """What makes it worth having: of a hundred events the decoder is fed a handful."""
    fed: list[str] = []

    class Counting:
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

    frames = ClientStream(Counting(), model="p/m", wants_usage=False, stateless_text=True)
    for at in range(100):
        frames.feed(f"data: {json.dumps(event(f'word {at}'))}\n\n".encode())
    assert len(fed) == 3, "the first lacks its role, which is supplied"
    assert frames.content_bytes == sum(len(f"word {at}") for at in range(100))

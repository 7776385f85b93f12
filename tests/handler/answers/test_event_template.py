"""Tests of handler/answers/event_template.py: frames are the same whether or not each event is parsed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handler.answers.answer import Answer
from handler.answers.client_stream import ClientStream
from handler.answers.encoded import Chunks
from handler.answers.event_template import EventTemplate, sample_of, text_in
from handler.answers.native_stream import NativeStream
from handler.answers.resume import SentText
from handler.formats.anthropic.stream import MessageEncoder
from handler.formats.chat.request import chat_of
from handler.formats.client_format import StreamEncoder
from handler.formats.gemini.stream import GeminiStream
from handler.formats.responses.stream import ResponsesEncoder
from handler.providers.openai.translator import OpenAI
from handler.providers.provider import Quirks
from handler.providers.registry import TRANSLATORS
from handler.wire import sse
from handler.wire.json_pattern import pattern_of
from rules import Candidate, Model
from tests.handler.providers.wire_cases import ALL, case_id, configuration, events_of

Json = dict[str, Any]
CHAT = chat_of("{}", {"model": "m", "messages": []}, {})


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


def delta(**members: Any) -> Json:
    return event("") | {"choices": [{"index": 0, "delta": members, "finish_reason": None}]}


def arguments(text: str, **more: Any) -> Json:
    return delta(tool_calls=[{"index": 0, "function": {"arguments": text, **more}}])


PREFIX, SUFFIX = '{"model": "m", "choices": [{"delta": {"content": "', '"}}]}'
EVENTS = [
    pytest.param(PREFIX + "words" + SUFFIX, "words", id="text"),
    pytest.param(PREFIX + "שלום 😀" + SUFFIX, "שלום 😀", id="letters of any script"),
    pytest.param(PREFIX + r"a\n\"b\"\u00e9" + SUFFIX, 'a\n"b"é', id="escapes"),
    pytest.param(PREFIX + SUFFIX, "", id="empty text"),
    pytest.param(PREFIX + r"a\ud83d" + SUFFIX, "", id="half a surrogate pair, which the next event may end"),
    pytest.param(PREFIX + r"a\x" + SUFFIX, "", id="an escape that JSON does not have"),
    pytest.param(PREFIX + 'a", "x": "b' + SUFFIX, "", id="another field"),
    pytest.param(PREFIX + "a\x01" + SUFFIX, "", id="a control character, which JSON does not allow"),
    pytest.param(PREFIX + "a" + SUFFIX + " ", "", id="another suffix"),
    pytest.param(" " + PREFIX + "a" + SUFFIX, "", id="another prefix"),
    pytest.param(PREFIX[:-1] + SUFFIX, "", id="a suffix that overlaps the prefix"),
    pytest.param(PREFIX + "a", "", id="no end"),
]


@pytest.mark.parametrize(("data", "text"), EVENTS)
def test_the_text_is_between_the_prefix_and_the_suffix(data: str, text: str) -> None:
    template = EventTemplate("m", learns=True)
    for known in ("one", "two"):
        learned = PREFIX + known + SUFFIX
        assert not template.text_of(learned)
        template.observe(learned, json.loads(learned), learned, passed=True)
    assert template.text_of(data) == text
    assert not text or json.loads(template.take_run()) == json.loads(data)


LEARNED = [
    pytest.param(event("Hi"), "Hi", id="text alone"),
    pytest.param(event('a\n"b" \\ é'), 'a\n"b" \\ é', id="text with escapes"),
    pytest.param(delta(reasoning_content="Hm", content=None), "Hm", id="reasoning"),
    pytest.param(arguments('{"a'), '{"a', id="a piece of arguments"),
    pytest.param(arguments('{"a', name="f"), "", id="arguments with a name"),
    pytest.param(event(""), "", id="empty text"),
    pytest.param(event(None), "", id="content null"),
    pytest.param(event(["Hi"]), "", id="content in parts"),
    pytest.param(event("Hi", finish="stop"), "", id="text with a finish reason"),
    pytest.param(event("Hi", usage={"prompt_tokens": 1}), "", id="text with usage"),
    pytest.param(event("Hi") | {"choices": []}, "", id="no choice"),
    pytest.param(event("Hi") | {"choices": event("Hi")["choices"] * 2}, "", id="two choices"),
    pytest.param(delta(content="Hi", role="assistant"), "", id="text with a role"),
    pytest.param(delta(content="Hi", reasoning="Hm"), "", id="text with reasoning"),
]


@pytest.mark.parametrize(("chunk", "text"), LEARNED)
def test_the_text_of_a_chunk_with_one_text_and_nothing_else(chunk: Json, text: str) -> None:
    assert text_in(chunk) == text
    for ascii in (True, False):
        data = json.dumps(chunk, ensure_ascii=ascii)
        sample = sample_of(data, chunk, data, passed=True)
        assert (sample is not None) == bool(text)
        assert sample is None or (data.startswith(sample[0]) and data.endswith(sample[1]))


def test_a_text_that_occurs_twice_teaches_nothing() -> None:
    data = json.dumps(event("Hi", note="Hi"))
    assert sample_of(data, json.loads(data), data, passed=True) is None


TAILS = [
    pytest.param('},"n":1}', '},"n":1}', '},"n":1}', True, id="the same"),
    pytest.param('},"n":1}', '},"n":2}', '},"n":1}', False, id="a number of unknown meaning"),
    pytest.param(
        '"sequence_number":9}', '"sequence_number":10}', '"sequence_number":123}', True, id="counts"
    ),
    pytest.param(
        '"sequence_number":9}', '"sequence_number":10}', '"sequence_number":01}', False, id="no JSON"
    ),
    pytest.param(
        '"sequence_number":9}', '"sequence_number":10}', '"sequence_number":1.5}', False, id="a fraction"
    ),
    pytest.param(
        '"sequence_number":9}', '"sequence_number":10}', '"sequence_number":}', False, id="no value"
    ),
    pytest.param('"p":"ab"}', '"p":"abc"}', '"p":""}', True, id="padding"),
    pytest.param('"p":"ab"}', '"p":"abc"}', '"p":"a","x":1}', False, id="padding and more"),
    pytest.param('"p":"ab"}', '"p":"abc"}', '"p":7}', False, id="padding of another type"),
    pytest.param(
        '"aTokenCount":1,"index":0,"bTokenCount":1}',
        '"aTokenCount":2,"index":0,"bTokenCount":1}',
        '"aTokenCount":3,"index":0,"bTokenCount":2}',
        False,
        id="another count that was the same before",
    ),
    pytest.param(
        r'"x":"\"","p":"ab"}', r'"x":"\"","p":"abc"}', "", False, id="a backslash: names are unsure"
    ),
]


@pytest.mark.parametrize(("one", "other", "third", "fits"), TAILS)
def test_events_vary_in_counts_and_padding_only(one: str, other: str, third: str, fits: bool) -> None:
    pattern = pattern_of(one, other)
    assert (pattern is not None and pattern.after(third, 0) == len(third)) is fits


CHUNKS = st.one_of(
    st.text(max_size=8).map(event),
    st.text(max_size=8).map(arguments),
    st.text("ab", max_size=1).map(lambda text: dict(reversed(event(text).items()))),
    st.sampled_from(
        [
            event("a", finish="stop"),
            event("a", index=1),
            event("a", usage={"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}),
            event("a") | {"id": "other"},
            event("a") | {"choices": [{"index": 0, "delta": {"reasoning": "b"}}]},
            event("a") | {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "id": "x"}]}}]},
            arguments("", name="f"),
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
# What differs from one decoder to the next: ids of our own, and the time.
_OWN = re.compile(rb"(?:chatcmpl-|call_)[0-9a-f]{24,32}|\"created\":[0-9]+")


def read_stream(
    datas: Sequence[bytes],
    *,
    learns: bool,
    dialect: str = "openai",
    quirks: Quirks | None = None,
    legacy: bool = False,
    native: bool = False,
) -> tuple[object, ...]:
    """Everything that a stream shows, with and without learning."""
    edits = SentText("p/m")
    frames = (NativeStream if native else ClientStream)(
        TRANSLATORS[dialect].stream(quirks or Quirks(), legacy=legacy, model="m"),
        model="p/m",
        wants_usage=True,
        input_tokens=5,
        edits=edits,
        stateless_text=learns,
    )
    out = [(_OWN.sub(b"", frames.feed(data)), frames.content_bytes, frames.patience) for data in datas]
    last, sent = _OWN.sub(b"", frames.close()), edits.sent()
    failure = (frames.failure.failure_class, str(frames.failure)) if frames.failure else None
    text = sent.text if sent else None
    return out, last, frames.content, frames.sent, frames.used(), frames.content_bytes, failure, text


@given(st.lists(EVENT_TEXTS, max_size=12))
def test_the_frames_are_the_same_when_every_event_is_parsed(texts: list[str]) -> None:
    datas = [f"data: {text}\n\n".encode("utf-8", "replace") for text in texts]
    assert read_stream(datas, learns=True) == read_stream(datas, learns=False)


STREAMS = [case for case in ALL if (case / "stream.sse").exists() or (case / "stream.jsonl").exists()]
_TEXT = re.compile(r'("(?:text|content|thinking|delta|partial_json|arguments|input)": ?")((?:[^"\\]|\\.)*)')
_COUNTS = re.compile(r'(okenCount": ?|sequence_number": ?)([0-9]+)')


@st.composite
def mutated(draw: st.DrawFn, events: list[str]) -> list[str]:
    """The events of a capture. Some come several times, with other texts and counts, and some are damaged."""
    out: list[str] = []
    for data in events:
        for at in range(draw(st.sampled_from((1, 1, 1, 0, 2, 6)))):
            text = draw(st.sampled_from((r"\2", " more", r"\\n", "é", "", r"\\ud83d", '"', "x" * 50)))
            more = str(draw(st.integers(0, 99)))
            changed = _COUNTS.sub(rf"\g<1>{more}", _TEXT.sub(rf"\g<1>{text}", data)) if at else data
            if draw(st.integers(0, 30)) == 0:
                place = draw(st.integers(0, len(changed)))
                changed = (
                    changed[:place]
                    + draw(st.sampled_from(("", '"', "0", "\\", ",", "}")))
                    + changed[place + 1 :]
                )
            out.append(changed)
    return out


@pytest.mark.parametrize("case", STREAMS, ids=case_id)
@settings(max_examples=5)
@given(data=st.data())
def test_captures_that_are_repeated_and_damaged_give_the_same_frames(case: Path, data: st.DataObject) -> None:
    dialect, quirks, legacy = configuration(case)
    texts = data.draw(mutated(list(events_of(case, 1_000_000))))
    datas = [f"data: {text}\n\n".encode("utf-8", "replace") for text in texts]
    for native in (False, True) if dialect != "openai" else (False,):
        one, other = (
            read_stream(datas, learns=learns, dialect=dialect, quirks=quirks, legacy=legacy, native=native)
            for learns in (True, False)
        )
        assert one == other


ENCODERS: dict[str, Callable[[], StreamEncoder]] = {
    "Messages": lambda: MessageEncoder(CHAT),
    "Gemini": lambda: GeminiStream(thoughts=False, events=True),
    "Gemini with thoughts": lambda: GeminiStream(thoughts=True, events=True),
    "Responses": lambda: ResponsesEncoder(CHAT),
}


def encode_stream(frames: bytes, make: Callable[[], StreamEncoder], *, learns: bool) -> list[bytes]:
    answer = Answer(candidate=Candidate(Model(provider="p", name="m")), attempts=[], waited=0)
    encoder = make()
    chunks = Chunks(answer, encoder, learns=learns)
    events = sse.Decoder().feed(frames)
    return [*(chunks.encode(one.data) for one in events), chunks.encode("[DONE]")]


@pytest.mark.parametrize("case", STREAMS, ids=case_id)
@settings(max_examples=3)
@given(data=st.data())
def test_encoded_events_are_the_same_when_every_chunk_is_parsed(case: Path, data: st.DataObject) -> None:
    dialect, quirks, legacy = configuration(case)
    texts = data.draw(mutated(list(events_of(case, 1_000_000))))
    stream = ClientStream(
        TRANSLATORS[dialect].stream(quirks, legacy=legacy, model="m"), model="p/m", wants_usage=True
    )
    frames = b"".join(stream.feed(f"data: {text}\n\n".encode("utf-8", "replace")) for text in texts)
    for name, make in ENCODERS.items():
        assert encode_stream(frames, make, learns=True) == encode_stream(frames, make, learns=False), name


def test_chunks_of_text_are_encoded_without_parsing() -> None:
    fed: list[Json] = []

    class Counting(MessageEncoder):
        def feed(self, chunk: Json) -> bytes:
            fed.append(chunk)
            return super().feed(chunk)

    frames = b"".join(sse.encode(json.dumps(event(f"word {at}"))) for at in range(100))
    encode_stream(frames, lambda: Counting(CHAT), learns=True)
    assert len(fed) == 4, "the first begins the block, two are compared, and one has the text of the others"
    assert text_in(fed[3]) == "".join(f"word {at}" for at in range(3, 100))


def test_the_model_is_edited_after_the_text_too() -> None:
    """After the text, the model is not a part of the prefix."""
    texts = [json.dumps(dict(reversed(event(text).items()))) for text in ("a", "a", "a", "b", "c")]
    texts = [text.replace('"model": "m", ', "")[:-1] + ', "model": "m"}' for text in texts]
    frames = ClientStream(OpenAI().stream(Quirks()), model="p/m", wants_usage=True, stateless_text=True)
    out = [frames.feed(f"data: {text}\n\n".encode()) for text in texts]
    assert [json.loads(frame.removeprefix(b"data: "))["model"] for frame in out] == ["p/m"] * 5


class CountingDecoder:
    """Counts the events that another decoder gets."""

    def __init__(self, dialect: str) -> None:
        self._decoder = TRANSLATORS[dialect].stream(Quirks())
        self.fed: list[str] = []

    @property
    def event(self) -> Json:
        return self._decoder.event

    @property
    def adds_text(self) -> bool:
        return self._decoder.adds_text

    def feed(self, data: str) -> Any:
        self.fed.append(data)
        return self._decoder.feed(data)

    def close(self) -> Any:
        return self._decoder.close()


def test_text_only_events_are_not_parsed() -> None:
    """The decoder gets three of a hundred events, and the text of the others at once."""
    decoder = CountingDecoder("openai")
    frames = ClientStream(decoder, model="p/m", wants_usage=False, stateless_text=True)
    for at in range(100):
        frames.feed(f"data: {json.dumps(event(f'word {at}'))}\n\n".encode())
    assert len(decoder.fed) == 3, "the decoder adds a role to the first, so it teaches nothing"
    assert frames.content_bytes == sum(len(f"word {at}") for at in range(100))
    frames.feed(f"data: {json.dumps(event('', finish='stop'))}\n\n".encode())
    assert len(decoder.fed) == 5
    assert text_in(json.loads(decoder.fed[3])) == "".join(f"word {at}" for at in range(3, 100))


REPEATED = [
    pytest.param("anthropic", "text", 5, id="text of Anthropic's"),
    pytest.param("google", "text", 5, id="text of Gemini's, whose counts differ"),
    pytest.param("bedrock", "text", 5, id="text of Bedrock's"),
    pytest.param("responses", "text", 5, id="text of Responses, whose numbers differ"),
]


@pytest.mark.parametrize(("dialect", "name", "more"), REPEATED)
def test_events_of_other_formats_are_not_parsed_either(dialect: str, name: str, more: int) -> None:
    case = next(case for case in STREAMS if case.parent.name == dialect and case.name == name)
    events = list(events_of(case, 1_000_000))
    place = max(at for at, one in enumerate(events) if text_in_events(events[: at + 1], dialect))
    repeated = [_COUNTS.sub(rf"\g<1>{at}", events[place]) for at in range(100)]
    decoder = CountingDecoder(dialect)
    frames = ClientStream(decoder, model="p/m", wants_usage=False, stateless_text=True)
    for one in (*events[:place], *repeated, *events[place + 1 :]):
        frames._event(one, [])
    assert len(decoder.fed) <= len(events) + more


def text_in_events(events: list[str], dialect: str) -> str:
    """The text in the only chunk of the last event."""
    decoder = TRANSLATORS[dialect].stream(Quirks())
    for one in events[:-1]:
        list(decoder.feed(one))
    chunks = list(decoder.feed(events[-1]))
    return text_in(chunks[0]) if len(chunks) == 1 else ""


def test_texts_in_long_runs_are_not_kept() -> None:
    """The decoder gets them from time to time."""
    decoder = CountingDecoder("openai")
    frames = ClientStream(decoder, model="p/m", wants_usage=False, stateless_text=True)
    for at in range(100):
        frames.feed(sse.encode(json.dumps(event(f"{at}" + "word" * 800))))
    assert max(map(len, decoder.fed)) < 110_000
    assert len(decoder.fed) < 20

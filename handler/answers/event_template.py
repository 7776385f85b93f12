"""Recognises the text events of a stream by the JSON around their text, and frames them without parsing.

Two events in turn that differ in one text, and the client's frames of both, teach what is around it. The
decoder gets the texts of a run as one event, before it is needed again. No I/O.
"""

from __future__ import annotations

from collections.abc import Mapping
from json.decoder import scanstring  # type: ignore[attr-defined]  # the scanner of `json`, in C
from json.encoder import encode_basestring
from typing import TYPE_CHECKING, Any

from handler.wire.splice import dump

if TYPE_CHECKING:
    from handler.wire.json_pattern import Pattern

MAX_LEARNED = 8  # events from which nothing was learned, until learning stops
WORTHWHILE = 16  # events that fitted; learning may go on
MAX_RUN = 100_000  # characters of the texts that the decoder has not seen
END = "\n\n"  # of a frame
MAX_EVENT = 4_000  # characters of an event that is learned from
_TEXTS = frozenset({"content", "reasoning_content", "reasoning", "thinking", "refusal"})

# The JSON around the text. Of the event: up to the quote before the text, and from behind the quote after it.
# Of the frame: before the text, quote included, and after it; True if the text is as the event writes it.
# Where the fourth is None, the frame is what is before the quote, and the event from that quote on.
Sample = tuple[str, str, str, str | None, bool]  # of one event
Template = tuple["Pattern", "Pattern", str, str | None, bool]  # of the events that fit


def text_in(chunk: Mapping[str, Any]) -> str:
    """Return the text of a chunk that brings one piece of text, reasoning or arguments; else an empty one."""
    match chunk.get("choices"):
        case [{"delta": dict(delta), **rest}] if not (
            rest.get("finish_reason") or rest.get("logprobs") or chunk.get("usage")
        ):
            match [(name, value) for name, value in delta.items() if value]:
                case [(str(name), str(text))] if name in _TEXTS:
                    return text
                case [("tool_calls", [{"index": int(), "function": dict(function), **more}])] if not more:
                    arguments = function.get("arguments")
                    return arguments if len(function) == 1 and isinstance(arguments, str) else ""
    return ""


def sample_of(event: str, chunk: Mapping[str, Any], frame: str | None, *, passed: bool) -> Sample | None:
    """Return the sample if the event brings one text and nothing else; see EventTemplate.observe."""
    from handler.wire.json_pattern import place_of  # not at a cold start

    text = text_in(chunk)
    if not text or len(event) > MAX_EVENT or (place := place_of(event, text)) is None:
        return None
    start, end = place
    prefix, tail = event[: start + 1], event[end:]
    if frame is None:
        return prefix, tail, "", None, True
    if passed and frame.endswith(f"{event[start:]}{END}"):
        return prefix, tail, frame[: len(frame) - len(END) - len(event) + start], None, True
    written = event[start:end] if passed else encode_basestring(text)
    if (place := place_of(frame, text)) is None or frame[slice(*place)] != written:
        return None
    return prefix, tail, frame[: place[0]], frame[place[1] :], passed


def template_of(one: Sample, other: Sample) -> Template | None:
    """Return the template that fits both; None if more than the text and what may vary differs."""
    from handler.wire.json_pattern import pattern_of  # not at a cold start

    if one[2:] != other[2:]:
        return None
    prefix, tail = pattern_of(one[0], other[0]), pattern_of(one[1], other[1])
    return (prefix, tail, *one[2:]) if prefix and tail else None


class EventTemplate:
    """What the events of one stream have in common.

    learns: text events may bypass the decoder. model: as the client sees it.
    """

    def __init__(self, model: str, *, learns: bool) -> None:
        self._model = model
        self._prefix = ""  # up to the upstream's `model`
        self._replacement = ""  # the same with the client's `model`
        self._left = MAX_LEARNED if learns else 0
        self._pending: tuple[str, Mapping[str, Any], str | None, bool] | None = None
        self._sample: Sample | None = None  # of the last event
        self._template: Template | None = None  # of the last two: events that fit are not parsed
        self._run: list[str] = []  # texts that the decoder has not seen, as the events wrote them
        self._run_length = 0
        self._event = self._text = ""  # that fitted last
        self._start = self._end = 0  # of the text in that event

    def text_of(self, event: str) -> str:
        """Return the text if the event brings nothing else; an empty one if it has to be parsed."""
        if self._pending:
            self._learn(*self._pending)
        if (template := self._template) is None or (start := template[0].after(event, 0)) < 0:
            return ""
        try:
            text, end = scanstring(event, start)
            if not text.isascii():
                text.encode()  # half a surrogate pair may be joined to the next
        except ValueError:
            return ""
        if not text or self._run_length > MAX_RUN or template[1].after(event, end) != len(event):
            return ""
        self._event, self._text, self._start, self._end = event, text, start, end - 1
        self._run.append(event[start : end - 1])
        self._run_length += end - start
        return str(text)

    def frame(self) -> bytes:
        """Return the frame of the event that fitted last."""
        assert self._template is not None
        _, _, before, after, raw = self._template
        if after is None:
            return f"{before}{self._event[self._start - 1 :]}{END}".encode()
        text = f'"{self._run[-1]}"' if raw else encode_basestring(self._text)
        return f"{before}{text}{after}".encode()

    def take_run(self) -> str:
        """Return one event with the texts that the decoder has not seen; empty if there are none."""
        if not self._run:
            return ""
        event = f"{self._event[: self._start]}{''.join(self._run)}{self._event[self._end :]}"
        self._left = MAX_LEARNED if len(self._run) >= WORTHWHILE else self._left
        self._run, self._run_length = [], 0
        return event

    def observe(self, event: str, chunk: Mapping[str, Any], frame: str | None, *, passed: bool) -> None:
        """Observe an event that was parsed, its only chunk, and the frame, if that is learned.

        passed: the frame is the event with edits. It is learned later, because a client waits for this text.
        """
        self._template = None
        if self._left:
            self._pending = event, chunk, frame, passed

    def forget(self) -> None:
        """Forget what the last events had in common: another one came between."""
        self._template = self._sample = self._pending = None

    def _learn(self, event: str, chunk: Mapping[str, Any], frame: str | None, passed: bool) -> None:
        self._pending, before = None, self._sample
        self._sample = sample = sample_of(event, chunk, frame, passed=passed)
        self._template = template_of(before, sample) if before and sample else None
        self._left -= self._template is None

    # The model, in events of all kinds.

    def edited(self, event: str) -> str | None:
        """The event with the client's `model`, if it begins like earlier events."""
        if self._prefix and event.startswith(self._prefix):
            return self._replacement + event[len(self._prefix) :]
        return None

    def observe_model(self, event: str, edited: str) -> None:
        """Learn where the model is. edited: the same event, of which only the `model` was changed."""
        from handler.wire.json_pattern import model_place  # not at a cold start

        if not (self._prefix and event.startswith(self._prefix)) and (place := model_place(event)):
            start, end = place
            replacement = event[:start] + dump(self._model)
            if edited == replacement + event[end:]:
                self._prefix, self._replacement = event[:end], replacement

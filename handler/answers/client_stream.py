"""Turns a provider's stream into the client's: the provider's own JSON with the declared edits.

The edits (contract, sections 3 and 8): `model`; `cost` and `sluice` for a client that asked for them; no
usage chunk for a client that did not ask. No I/O: however the bytes are cut, the frames are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from handler.answers.edits import Edits, served
from handler.answers.event_template import EventTemplate
from handler.answers.resume import CONTENT
from handler.answers.usage import (
    Usage,
    WastedUsage,
    estimated,
    is_given_up,
    part_bytes,
    size_of,
    tells_usage,
    usage_of,
)
from handler.errors import Json, UpstreamError
from handler.providers.translator import StreamDecoder
from handler.wire import sse
from handler.wire.framing import FRAMINGS
from handler.wire.json_memory import SMALL, escape_emoji, is_too_large
from handler.wire.splice import dump, splice
from rules import BYTES_PER_TOKEN, Candidate

MAX_SILENT = 32_000_000  # characters of events that bring the client nothing
# A chunk of our own takes these from the one before it: SDKs believe the usage of the last chunk.
_COPIED_FIELDS = ("id", "object", "created", "usage")
# Seconds to wait after the last finish reason: for usage that the client asked for and that has not come,
# else for the end; and for usage after `[DONE]`.
USAGE_WAIT, END_WAIT, LATE_USAGE_WAIT = 20.0, 5.0, 0.1


@contextmanager
def as_cut_off() -> Iterator[None]:
    """Raise the failure of an event that cannot be read as one of a stream that ended too early."""
    try:
        yield
    except UpstreamError as error:
        if error.failure_class != "protocol":
            raise
        raise UpstreamError("The provider's answer ended too early.", failure_class="network") from error


def content_of(chunk: Mapping[str, Any]) -> int | None:
    """Count the text in a chunk's content, in UTF-8 bytes; None for a chunk without content.

    Any content at all, a text or not, commits the gateway to its provider.
    """
    size = None
    for choice in chunk.get("choices") or ():
        delta = choice.get("delta") if isinstance(choice, dict) else None
        for name, value in delta.items() if isinstance(delta, dict) else ():
            if value and name in CONTENT:
                more = size_of(value) if type(value) is str else part_bytes({name: value})
                size = more if size is None else size + more
    return size


class ClientStream:
    """Makes the client's frames of one upstream stream.

    charged: given if the client asked for the cost. input_tokens: the estimate, for a provider that reports
    no usage. stateless_text: no edit depends on a text, so events of text alone need not be parsed.
    wasted: the usage of other attempts of the call. check: raises UpstreamError for a chunk that is not sent.
    """

    content = sent = False  # the upstream brought content; some of it was new to the client
    usage: Usage | None = None  # as last reported
    unseen_tokens = 0  # that the upstream may have written before its first content
    posted = False  # the request has gone out
    ended = False  # the answer is complete, or there is a failure
    failure: UpstreamError | None = None

    def __init__(
        self,
        decoder: StreamDecoder,
        *,
        model: str,
        wants_usage: bool,
        charged: Candidate | None = None,
        input_tokens: int = 0,
        explanation: Json | None = None,
        edits: Edits | None = None,
        choices: int = 1,
        framing: str = "sse",
        max_event: int = sse.MAX_EVENT,
        stateless_text: bool = False,
        wasted: Sequence[WastedUsage] = (),
        check: Callable[[Json], None] | None = None,
    ) -> None:
        self._decoder = decoder
        self._events = FRAMINGS[framing](max_event=max_event)
        self._model = model
        self._wants_usage, self._charged, self._input_tokens = wants_usage, charged, input_tokens
        self._explanation = explanation  # until it is sent
        self._silent = 0  # characters of events since the client last got anything
        self._unfinished = set(range(choices))
        self._done = False  # `[DONE]` came
        self.patience: float | None = None  # seconds to wait for the end; None: the answer is not complete
        self._latest: Json = {}  # the last chunk that went to the client
        self._latest_text = ""  # and its frame, as JSON
        self._wasted, self._check = wasted, check
        self._template = EventTemplate(model, learns=stateless_text)
        self.edits = edits
        self.content_bytes = 0  # of the text that the upstream brought

    def feed(self, data: bytes) -> bytes:
        """Return the frames that `data` completes. A failure is kept in `failure`, after those frames."""
        return self._collect(self._feed, data)

    def close(self, why: UpstreamError | None = None) -> bytes:
        """Return the last frames, when the provider's bytes end. `why`: used if the answer is incomplete."""
        frames = self._collect(self._close, b"")
        if self.failure is None or self.failure.failure_class == "schema":
            return frames
        if why is not None:
            self.failure = why
        elif not self._decoder.event:
            self.failure = UpstreamError("The provider's stream holds no event.", failure_class="protocol")
        return frames

    def note_posted(self) -> None:
        """Record that the request has gone out, so that the provider may charge for it."""
        self.posted = True

    @property
    def charged(self) -> bool:
        """True if the provider may charge for the stream, however it ended."""
        return self.content or (self.posted and is_given_up(self.failure))

    def used(self) -> Usage:
        """Return the usage so far, as reported or else estimated."""
        size = self.content_bytes + BYTES_PER_TOKEN * self.unseen_tokens
        return self.usage or estimated(input_tokens=self._input_tokens, output_bytes=size)

    def _collect(self, step: Callable[[bytes, list[bytes]], None], data: bytes) -> bytes:
        frames: list[bytes] = []
        try:
            step(data, frames)
        except sse.EventTooLarge:
            self._fail(
                UpstreamError("The provider sent an event that is too large.", failure_class="protocol")
            )
        except UpstreamError as error:
            self._fail(error)
        return b"".join(frames)

    def _fail(self, failure: UpstreamError) -> None:
        self.failure, self.ended = failure, True

    def _feed(self, data: bytes, frames: list[bytes]) -> None:
        for event in self._events.feed(data):
            before = len(frames)
            self._event(event.data, frames)
            self._silent += len(event.data) if len(frames) == before else 0
            if self._silent > MAX_SILENT:
                raise sse.EventTooLarge("too many events without content")

    def _close(self, _: bytes, frames: list[bytes]) -> None:
        with as_cut_off():
            for event in self._events.close():
                self._event(event.data, frames)
        if not self.ended:
            self._last(frames)

    def _event(self, text: str, frames: list[bytes]) -> None:
        if self.ended or not text or text.isspace():
            return
        if not self._done and len(text) <= SMALL and (content := self._template.text_of(text)):
            self.content = self.sent = True
            self.content_bytes += size_of(content)
            if self.edits is not None:
                self.edits.text(content)
            frames.append(self._template.frame())
            return
        if len(text) > SMALL and is_too_large(text := escape_emoji(text)):
            raise sse.EventTooLarge("an event has too many values")
        if "\n" in text:
            text = text.replace("\n", " ")  # many clients read one line per event
        if text.lstrip().startswith("[DONE]"):
            again, self._done, self.patience = self._done, True, LATE_USAGE_WAIT
            if again or self.usage is not None:
                self._last(frames)
        elif self._done:
            if tells_usage(text):
                self._chunks(self._decode(text), text, frames)
                self._last(frames)
        else:
            self._parse(text, frames)

    def _parse(self, text: str, frames: list[bytes]) -> None:
        """Add the frames of an event, and learn from it if it has one chunk."""
        before, count = len(frames), self._chunks(self._decode(text), text, frames)
        passed = self._latest is self._decoder.event
        if count == 1 == len(frames) - before and self._decoder.adds_text:
            self._template.observe(text, self._latest, f"data: {self._latest_text}\n\n", passed=passed)
        else:
            self._template.forget()

    def _decode(self, text: str) -> Iterator[Json]:
        """Return the chunks of an event, after the decoder got the texts that bypassed it."""
        self._catch_up()
        return self._decoder.feed(text)

    def _catch_up(self) -> None:
        if run := self._template.take_run():
            for _ in self._decoder.feed(run):
                pass  # the client has the text

    def _last(self, frames: list[bytes]) -> None:
        self._catch_up()
        if self._done:
            self._chunks(self._decoder.feed("[DONE]"), None, frames)
        self._chunks(self._decoder.close(), None, frames)
        if self._charged and not self.usage and self._latest:
            head = {name: self._latest[name] for name in _COPIED_FIELDS[:3] if name in self._latest}
            estimate = self._explained({**head, "choices": []})
            frames.append(
                sse.encode(dump(served(estimate, self._model, self._charged, self._wasted, self.used())))
            )
        if self._explanation is not None:
            head = {name: self._latest[name] for name in _COPIED_FIELDS if name in self._latest}
            explained = {**head, "choices": [], "sluice": self._explanation}
            frames.append(sse.encode(self._text(explained, None)))
        self.ended = True

    def _chunks(self, chunks: Iterable[Json], text: str | None, frames: list[bytes]) -> int:
        """Add a frame for each chunk, made from the event's `text` if there is one. Returns their number."""
        count = 0
        for chunk in chunks:
            count += 1
            if self._check is not None:
                self._check(chunk)
            size = content_of(chunk)
            if size is not None:
                self.content = True
                self.content_bytes += size
            usage = usage_of(chunk)
            if usage:
                self.usage = usage
                self.patience = self.patience and min(self.patience, END_WAIT)
            if self.edits is not None:
                edited = self.edits.chunk(chunk)
                if edited is None:
                    continue
                chunk, size = edited, content_of(edited)
            self.sent = self.sent or size is not None
            choices = chunk.get("choices") or ()
            for choice in choices:
                self._note_end(choice, content=size is not None)
            if usage is not None and not choices:
                if not self._wants_usage:
                    continue
                chunk = self._explained(chunk)
            self._latest_text = self._text(chunk, text)
            frames.append(sse.encode(self._latest_text))
        return count

    def _note_end(self, choice: Json, *, content: bool) -> None:
        """Wait less for the rest once all choices have a finish reason, unless they continue."""
        index = choice["index"]
        if content and index not in self._unfinished:
            self._unfinished.add(index)
            self.patience = None
        elif choice.get("finish_reason"):
            self._unfinished.discard(index)
            if not self._unfinished and not self._done:
                self.patience = USAGE_WAIT if self._wants_usage and self.usage is None else END_WAIT

    def _explained(self, usage_chunk: Json) -> Json:
        """Put the explanation, if one was asked for, into the usage chunk, which is the last one."""
        if self._explanation is None:
            return usage_chunk
        explained = {**usage_chunk, "sluice": self._explanation}
        self._explanation = None
        return explained

    def _text(self, chunk: Json, text: str | None) -> str:
        self._latest = chunk
        if text is None:
            return dump(served(chunk, self._model, self._charged, self._wasted))
        unchanged = chunk is self._decoder.event
        unchanged = unchanged and not ((self._charged or self._wasted) and chunk.get("usage"))
        edited = self._template.edited(text) if unchanged else None
        if edited is None:
            client = served(chunk, self._model, self._charged, self._wasted)
            edited = splice(text, self._decoder.event, client)
        if unchanged:
            self._template.observe_model(text, edited)
        return edited

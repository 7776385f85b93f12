"""A stream in the client's own format: the provider's events as they are. No I/O.

The decoder still reads each event, for content, usage, errors and the end.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from handler.answers.client_stream import MAX_SILENT, ClientStream, as_cut_off, content_of
from handler.answers.usage import size_of, usage_of
from handler.errors import Json, NativeError, UpstreamError
from handler.wire import sse
from handler.wire.json_memory import SMALL, escape_emoji, is_too_large


class NativeStream(ClientStream):
    """Passes the events of one upstream stream on, and takes note of what they bring.

    An error event is passed on as well, unless it comes before any content: then another candidate answers.
    """

    def _feed(self, data: bytes, frames: list[bytes]) -> None:
        for event in self._events.feed(data):
            self._pass_on(event, frames)
            self._silent += 0 if self.content else len(event.data)
            if self._silent > MAX_SILENT:
                raise sse.EventTooLarge("too many events without content")

    def _close(self, _: bytes, frames: list[bytes]) -> None:
        with as_cut_off():
            for event in self._events.close():
                self._pass_on(event, frames)
        if not self.ended:
            self._catch_up()
            list(self._noted(self._decoder.close()))
            self.ended = True

    def _pass_on(self, event: sse.Event, frames: list[bytes]) -> None:
        if self.ended or not event.data.strip():
            return
        text, frame = event.data, event.encoded()
        if len(text) <= SMALL and (content := self._template.text_of(text)):
            self.content_bytes += size_of(content)
            frames.append(frame)
            return
        if len(text) > SMALL and is_too_large(text := escape_emoji(text)):
            raise sse.EventTooLarge("an event has too many values")
        self._catch_up()
        event_before = self._decoder.event
        try:
            chunks = list(self._noted(self._decoder.feed(text)))
        except UpstreamError as error:
            if _is_json(text):
                error.native = NativeError(200, frame)
            raise
        if self._decoder.event is not event_before or _is_json(text):  # else the decoder skipped it
            frames.append(frame)
        if len(chunks) == 1 and self._decoder.adds_text:
            self._template.observe(text, chunks[0], None, passed=True)
        else:
            self._template.forget()

    def _noted(self, chunks: Iterable[Json]) -> Iterator[Json]:
        for chunk in chunks:
            if (size := content_of(chunk)) is not None:
                self.content = self.sent = True
                self.content_bytes += size
            self.usage = usage_of(chunk) or self.usage
            for choice in chunk.get("choices") or ():
                self._note_end(choice, content=size is not None)
            yield chunk


def _is_json(text: str) -> bool:
    """True for an event that every client can read: their libraries fail at any other."""
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True

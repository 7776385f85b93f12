"""The stream of an answer in a client format other than chat."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing

from handler.answers.answer import Answer
from handler.answers.event_template import EventTemplate
from handler.formats.client_format import StreamEncoder
from handler.wire import sse


async def encoded(answer: Answer, encoder: StreamEncoder) -> AsyncGenerator[bytes, None]:
    """Yield the stream as the client gets it. Iterate once; `aclose` stops early.

    The events of a provider of the same format are passed on as they are; chunks of chat are encoded.
    """
    decoder, chunks, passed_on = sse.Decoder(), Chunks(answer, encoder), False
    async with aclosing(answer.frames()) as frames:
        async for data in frames:
            if answer.native:
                passed_on = bool(answer.failure and data)
                if data:
                    yield encoder.relay(data)
            elif data.startswith(b":"):  # a comment
                if encoder.keep_alive:
                    yield encoder.keep_alive
            elif events := b"".join([chunks.encode(event.data) for event in decoder.feed(data)]):
                yield events
    if answer.native and answer.failure is not None and not passed_on:
        yield encoder.fail(answer.failure)
    elif answer.native and (end := encoder.relay(b"")):
        yield end


_NUMBER = b'"sequence_number":#,'  # stands for the number of an event, before the text


class Chunks:
    """Encodes the chunks of one answer. Most of them differ in their text alone, and are not parsed."""

    def __init__(self, answer: Answer, encoder: StreamEncoder, *, learns: bool = True) -> None:
        self._answer = answer
        self._encoder = encoder
        self._learns = learns and encoder.media_type == "text/event-stream"
        self._template = EventTemplate("", learns=self._learns)

    def encode(self, data: str) -> bytes:
        """Return the events for the data of a frame."""
        template, encoder = self._template, self._encoder
        if not _has_line_end(data) and template.text_of(data):
            events, number = template.frame(), encoder.number
            encoder.number = number + 1
            return events.replace(_NUMBER, b"%s%d," % (_NUMBER[:-2], number), 1)
        if run := template.take_run():
            number = encoder.number
            encoder.feed(json.loads(run))  # the client has its text
            encoder.number = number
        if data == "[DONE]":
            return encoder.close()
        chunk = json.loads(data)
        if "error" in chunk and self._answer.failure is not None:
            return encoder.fail(self._answer.failure)
        number, events = encoder.number, encoder.feed(chunk)
        if self._learns:
            learned = events.replace(b"%s%d," % (_NUMBER[:-2], number), _NUMBER, 1)
            template.observe(data, chunk, learned.decode(), passed=False)
        return events


def _has_line_end(data: str) -> bool:
    """True for U+2028 and U+2029, which Gemini's events write as escapes."""
    return "\\u202" in data or not (data.isascii() or ("\u2028" not in data and "\u2029" not in data))

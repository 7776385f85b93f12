"""The stream of an answer in a client format other than chat."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing

from handler.answers.answer import Answer
from handler.formats.client_format import StreamEncoder
from handler.wire import sse


async def encoded(answer: Answer, encoder: StreamEncoder) -> AsyncGenerator[bytes, None]:
    """Yield the stream as the client gets it. Iterate once; `aclose` stops early.

    The events of a provider of the same format are passed on as they are; chunks of chat are encoded.
    """
    decoder, passed_on = sse.Decoder(), False
    async with aclosing(answer.frames()) as frames:
        async for data in frames:
            if answer.native:
                passed_on = bool(answer.failure and data)
                if data:
                    yield encoder.relay(data)
            elif data.startswith(b":"):  # a comment
                if encoder.keep_alive:
                    yield encoder.keep_alive
            elif events := b"".join(_encode(event.data, answer, encoder) for event in decoder.feed(data)):
                yield events
    if answer.native and answer.failure is not None and not passed_on:
        yield encoder.fail(answer.failure)
    elif answer.native and (end := encoder.relay(b"")):
        yield end


def _encode(data: str, answer: Answer, encoder: StreamEncoder) -> bytes:
    if data == "[DONE]":
        return encoder.close()
    chunk = json.loads(data)
    if "error" in chunk and answer.failure is not None:
        return encoder.fail(answer.failure)
    return encoder.feed(chunk)

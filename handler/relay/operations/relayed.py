"""Relays an operation to a provider of OpenAI's format: its answer whole if it is JSON, else as a stream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from functools import partial

from handler.answers.answer import Answer, Stream, read_frames
from handler.answers.relayed_bytes import RelayedBytes
from handler.answers.usage import WastedUsage, estimated, is_given_up
from handler.errors import UpstreamError
from handler.providers.failure import error_from_body
from handler.providers.operations.vectors import with_encoding
from handler.relay.final_error import final_error
from handler.relay.operations.exchange import (
    MAX_ANSWER,
    OperationAttempt,
    answer_of,
    build,
    check,
)
from handler.relay.operations.usage import usage_of_answer
from handler.relay.response import MAX_ERROR, parse_object, protocol_error, read_at_most
from handler.upstream.client import UpstreamResponse
from handler.upstream.request import UpstreamRequest
from handler.wire.splice import dump, splice_bytes
from handler.wire.sse import encode


async def relay(attempt: OperationAttempt, wasted: list[WastedUsage]) -> Answer:
    call, name = attempt.call, attempt.candidate.model.name
    operation, form = attempt.request.operation, attempt.request.form
    if form is not None:
        body, media_type = form.with_value("model", name), form.media_type
    else:
        body, media_type = splice_bytes(call.chat.text, call.chat.body, {**call.body, "model": name}), ""
    request = await build(attempt, operation.path, body, media_type, call.headers)
    return await _send(attempt, request, wasted)


async def _send(attempt: OperationAttempt, request: UpstreamRequest, wasted: list[WastedUsage]) -> Answer:
    """Send one request and return its answer: whole, or a stream at its first bytes."""
    posted, response, answer = asyncio.Event(), None, None
    try:
        client = attempt.services.client
        response = await client.send(request, attempt.limits, attempt.stopwatch, posted.set)
        await check(attempt, response)
        answer = await _read_answer(attempt, request, response)
        return answer
    except BaseException as error:
        if posted.is_set() and is_given_up(error) and (response is None or response.status < 400):
            wasted.append((attempt.candidate, estimated(input_tokens=attempt.input_tokens, output_bytes=0)))
        if isinstance(error, UpstreamError):
            request.redact_credential(error)
        raise
    finally:
        if response is not None and (answer is None or answer.stream is None):
            await response.aclose()


async def _read_answer(
    attempt: OperationAttempt, request: UpstreamRequest, response: UpstreamResponse
) -> Answer:
    media_type = response.headers.get("content-type", "application/octet-stream")
    if "json" not in media_type:
        return await _start_stream(attempt, request, response, media_type)
    data = await read_at_most(response, MAX_ANSWER)
    if len(data) <= MAX_ERROR:  # longer ones are answers
        _, body = parse_object(data, response.status)
        if (error := error_from_body(body)) is not None:
            raise error
    answer = answer_of(attempt, response, media_type)
    answer.used = usage_of_answer(attempt.call, data)
    embeds = attempt.request.operation.name == "embeddings"
    answer.body = with_encoding(data, attempt.call.body.get("encoding_format")) if embeds else data
    return answer


async def _start_stream(
    attempt: OperationAttempt, request: UpstreamRequest, response: UpstreamResponse, media_type: str
) -> Answer:
    is_events = "event-stream" in media_type
    frames = RelayedBytes(is_events=is_events, usage=partial(usage_of_answer, attempt.call, None))
    buffered = bytearray()
    while not frames.content and not frames.ended:
        buffered += await read_frames(response, frames)
    if frames.failure is not None:
        raise frames.failure
    if not buffered:
        raise protocol_error("The provider's answer is empty.", response.status)
    answer = answer_of(attempt, response, media_type)
    answer.stream = Stream(
        source=response, frames=frames, buffered=bytes(buffered), redact_credential=request.redact_credential
    )
    answer.drive = _frames
    return answer


async def _frames(answer: Answer) -> AsyncGenerator[bytes, None]:
    """Yield the provider's bytes. Events that break off end with an error; other bytes raise it."""
    stream = answer.stream
    assert stream is not None
    data = stream.take_buffered()
    try:
        while data or not stream.frames.ended:
            if data:
                yield data
            data = b"" if stream.frames.ended else await read_frames(stream.source, stream.frames)
        failure = stream.frames.failure
        if failure is None:
            await stream.source.drain()
            return
        stream.redact_credential(failure)
        if answer.observe is not None:
            answer.observe(answer.candidate.key, failure.failure_class, failure.retry_after)
        answer.failure = final_error([failure], answer.attempts, model=answer.candidate.id, broke_off=True)
        if "event-stream" not in answer.media_type:
            raise answer.failure
        yield b"\n\n" + encode(dump(answer.failure.body()))  # the last event may lack its end
    finally:
        await answer.aclose()
        answer.waited = stream.source.waited

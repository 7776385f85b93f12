"""Reads a provider's response: an answer, whole or at its first content, or a failure of its class."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable

from handler.answers.answer import Answer, ByteSource, Stream, read_frames
from handler.answers.client_stream import ClientStream
from handler.answers.edits import whole
from handler.answers.merge import MergedStream
from handler.answers.native_stream import NativeStream
from handler.answers.replay import ReplayDecoder
from handler.answers.resume import SentText, resumable
from handler.answers.usage import Usage, estimated, is_given_up, output_bytes, usage_of
from handler.errors import AttemptRecord, Json, SchemaMismatch, UpstreamError
from handler.providers.translator import StreamDecoder, Translator
from handler.relay.call import Attempt
from handler.relay.native import native_error, usage_at
from handler.relay.timeouts import unseen_output
from handler.structured.checked_stream import CheckedStream
from handler.structured.offered_tools import check_calls, chunk_check
from handler.structured.refused_modes import raise_if_mode_refused
from handler.structured.strict_tools import StrictTools, strict_tools
from handler.upstream.client import Client, UpstreamResponse
from handler.wire.json_memory import escape_emoji, is_too_large
from handler.wire.sse import DONE
from handler.wire.strict_json import decode
from rules import BYTES_PER_TOKEN

MAX_ANSWER = 10_000_000  # bytes of a whole answer
MAX_ERROR = 1_000_000  # bytes of an error
MAX_BUFFERED = 8_000_000  # bytes of a stream that the client has nothing of yet


async def send_and_read(attempt: Attempt, client: Client) -> Answer:
    """Send the request of an attempt and read the answer. Raises UpstreamError."""
    stream = _client_stream(attempt, decoder(attempt)) if attempt.call.chat.stream else None
    posted, response = asyncio.Event(), None
    try:
        response = await client.send(attempt.request, attempt.limits, attempt.stopwatch, posted.set)
        return await closing_on_failure(attempt, response, _read(attempt, response, stream))
    except BaseException as error:
        if stream is not None and stream.content:
            attempt.wasted.append((attempt.candidate, stream.used()))
        elif posted.is_set() and is_given_up(error) and (response is None or response.status < 400):
            attempt.wasted.append((attempt.candidate, _given_up(attempt, error)))
        if isinstance(error, UpstreamError):
            error.dropped = attempt.request.dropped
            error.schema = attempt.schema.mode if attempt.schema else None
        raise


def _given_up(attempt: Attempt, error: BaseException) -> Usage:
    """Return the estimated usage of an attempt that is given up before any content.

    A candidate that is silent until a time limit may be broken. One that is left may write a whole answer
    meanwhile, or think, so that a client cannot use either for nothing.
    """
    seconds = attempt.stopwatch.clock() - attempt.limits.began
    is_timeout = isinstance(error, UpstreamError)
    tokens = 0 if is_timeout else unseen_output(attempt.call, attempt.candidate, seconds)
    return estimated(input_tokens=attempt.input_tokens, output_bytes=BYTES_PER_TOKEN * tokens)


async def closing_on_failure(attempt: Attempt, source: ByteSource, reading: Awaitable[Answer]) -> Answer:
    """Return the answer that `reading` gives. Closes `source`, unless the answer is a stream."""
    answer = None
    try:
        answer = await reading
        return answer
    except UpstreamError as error:
        attempt.request.redact_credential(error)
        if isinstance(error, SchemaMismatch):
            error.upstream_status, error.refused_modes = source.status, attempt.call.refused_modes
        if not attempt.native:  # a native body has no weaker form
            raise_if_mode_refused(
                error, attempt.call.body, attempt.call.refused_modes, attempt.row, attempt.schema
            )
        raise
    finally:
        if answer is None or answer.stream is None:
            await source.aclose()


async def _read(attempt: Attempt, response: UpstreamResponse, stream: ClientStream | None) -> Answer:
    await check_response(attempt, response)
    return await (start_stream(attempt, response, stream) if stream else _read_whole(attempt, response))


# A response that holds no answer.


async def check_response(attempt: Attempt, response: UpstreamResponse) -> None:
    """Raise UpstreamError for a response without an answer, or without a stream where one was asked for."""
    await check_status(attempt.translator, response, native=attempt.native)
    if not attempt.call.chat.stream:
        return
    media_type = response.headers.get("content-type", "")
    if "html" in media_type:
        raise protocol_error("The provider sent an HTML page instead of a stream.", response.status)
    if "json" in media_type:
        _, answer = parse_object(await read_at_most(response, MAX_ERROR), response.status)
        attempt.translator.response(answer, attempt.row.quirks)  # an error in disguise has its own class
        raise protocol_error("The provider did not stream its answer.", response.status)


async def check_status(translator: Translator, response: UpstreamResponse, *, native: bool = False) -> None:
    """Raise UpstreamError for an error, a redirect and a compressed response.

    native: the error keeps the provider's own body.
    """
    if response.status >= 400:
        body = (await response.whole(MAX_ERROR))[:MAX_ERROR]
        error = translator.error(response.status, response.headers, body)
        if native and body.lstrip().startswith(b"{"):
            error.native = native_error(response.status, response.headers, body)
        raise error
    if not 200 <= response.status < 300:
        raise protocol_error("The provider answered with a redirect.", response.status)
    if response.headers.get("content-encoding", "identity") != "identity":
        message = "The provider sent a compressed response although none was requested."
        raise protocol_error(message, response.status)


async def read_at_most(response: UpstreamResponse, most: int) -> bytes:
    """Return a body of at most that many bytes. Raises UpstreamError for a longer one."""
    data = await response.whole(most)
    if len(data) > most:
        raise protocol_error("The provider's answer is too large.", response.status)
    return data


def parse_object(data: bytes, status: int) -> tuple[str, Json]:
    """Return a body's text, and the object that it parses to. Raises UpstreamError if it is none."""
    try:
        text = escape_emoji(data.decode("utf-8-sig"))
        if is_too_large(text):
            raise protocol_error("The provider's answer is too large.", status)
        body = decode(text)
    except (ValueError, RecursionError) as error:
        raise protocol_error("The provider's answer is not JSON.", status) from error
    if not isinstance(body, dict):
        raise protocol_error("The provider's answer is not an object.", status)
    return text, body


def protocol_error(message: str, status: int) -> UpstreamError:
    return UpstreamError(message, failure_class="protocol", upstream_status=status)


# A whole answer.


async def _read_whole(attempt: Attempt, response: UpstreamResponse) -> Answer:
    data = await read_at_most(response, MAX_ANSWER // attempt.subcalls)
    text, body = parse_object(data, response.status)
    if attempt.call.native_suffix:
        answer = _answer(attempt, response)
        answer.body, answer.used = data, usage_at(body)
        return answer
    completion = attempt.translator.response(
        body, attempt.row.quirks, legacy=attempt.legacy, model=attempt.candidate.model.name
    )
    answer = _answer(attempt, response)
    answer.used = usage_of(completion) or estimated(
        input_tokens=attempt.input_tokens, output_bytes=output_bytes(completion)
    )
    if attempt.native:
        answer.body = data
        return answer
    try:
        completion = _checked_completion(attempt, completion)
    except SchemaMismatch:
        attempt.wasted.append((attempt.candidate, answer.used))
        raise
    if (explanation := attempt.explanation) is not None:
        completion = {**completion, "sluice": explanation}
    answer.body = whole(
        text,
        body,
        completion,
        model=answer.candidate.id,
        # Of several subcalls, the sum gets the cost and the usage of other attempts.
        charged=attempt.charged if attempt.subcalls == 1 else None,
        wasted=attempt.wasted if attempt.subcalls == 1 else (),
        used=answer.used,
    )
    return answer


def _checked_completion(attempt: Attempt, completion: Json) -> Json:
    """The completion with the answer as its content. Raises SchemaMismatch if the answer does not fit."""
    check_calls(completion, attempt.call.body)
    if (strict := _strict_tools(attempt)) is not None:
        for choice in completion["choices"]:
            strict.check(choice["message"], choice.get("finish_reason"))
    return completion if attempt.schema is None else attempt.schema.completion(completion)


def replay_as_stream(attempt: Attempt, answer: Answer) -> Answer:
    """Return a whole answer as the stream that was asked for."""
    completion = json.loads(answer.body)
    completion.pop("sluice", None)
    stream = _client_stream(attempt, ReplayDecoder(completion), edited=True)
    answer.replayed, answer.body = stream.close() + DONE, b""
    return answer


# A stream.


def decoder(attempt: Attempt) -> StreamDecoder:
    """The decoder of one stream, which also checks that the answer is what was asked for."""
    wire, model = attempt.translator, attempt.candidate.model.name
    chunks = wire.stream(attempt.row.quirks, legacy=attempt.legacy, model=model)
    if attempt.native:
        return chunks
    if (strict := _strict_tools(attempt)) is not None:
        chunks = CheckedStream(chunks, strict.check)
    return chunks if attempt.schema is None else CheckedStream(chunks, attempt.schema.check)


def _strict_tools(attempt: Attempt) -> StrictTools | None:
    """The strict tools that the provider does not enforce as they are."""
    call = attempt.call
    tools = call.chat.body.get("tools") or ()
    return strict_tools(tools, attempt.row.dialect, call.refused_modes, attempt.request.dropped)


def _client_stream(attempt: Attempt, chunks: StreamDecoder, *, edited: bool = False) -> ClientStream:
    """edited: the usage in the chunks counts every attempt already, and has the cost."""
    if attempt.native:
        return NativeStream(
            chunks,
            model=attempt.candidate.id,
            wants_usage=True,
            input_tokens=attempt.input_tokens,
            framing=attempt.translator.framing,
            stateless_text=True,
        )
    continuation, explanation = attempt.continuation, attempt.explanation
    resume = attempt.call.decision.effects.recovery == "resume" and resumable(attempt.call.body)
    return ClientStream(
        chunks,
        model=attempt.candidate.id,
        wants_usage=attempt.wants_usage,
        charged=None if edited else attempt.charged,
        input_tokens=attempt.input_tokens,
        explanation={**(explanation or {}), **continuation.note} if continuation else explanation,
        edits=SentText(attempt.candidate.id, continuation) if resume else None,
        choices=int(attempt.call.body.get("n") or 1),
        framing=attempt.translator.framing,
        stateless_text=attempt.schema is None and continuation is None,
        check=chunk_check(attempt.call.body),
        wasted=() if edited else attempt.wasted,
    )


async def start_stream(attempt: Attempt, source: ByteSource, stream: ClientStream | MergedStream) -> Answer:
    """Read a stream to its first content that is new to the client; to its end, where a rule buffers."""
    buffered, first_token = bytearray(), None
    most = MAX_BUFFERED if attempt.call.decision.effects.recovery == "buffer" else 0
    while not stream.ended and (not stream.sent or len(buffered) <= most):
        buffered += await read_frames(source, stream)
        if stream.content and first_token is None:
            first_token = source.ms / 1000
            if isinstance(stream, ClientStream):
                stream.unseen_tokens = unseen_output(attempt.call, attempt.candidate, first_token)
        if not stream.sent and len(buffered) > MAX_BUFFERED:
            raise protocol_error("The provider's stream holds no content.", source.status)
    if stream.failure and (not stream.sent or len(buffered) <= most):
        raise stream.failure
    if not buffered:
        raise protocol_error("The provider's stream is empty.", source.status)
    answer = _answer(attempt, source)
    answer.first_token = source.ms / 1000 if first_token is None else first_token
    answer.resumed = attempt.continuation.note if attempt.continuation else None
    answer.stream = Stream(
        source=source,
        frames=stream,
        buffered=bytes(buffered),
        redact_credential=attempt.request.redact_credential,
    )
    return answer


def _answer(attempt: Attempt, source: ByteSource) -> Answer:
    candidate = attempt.candidate
    return Answer(
        candidate=candidate,
        attempts=[AttemptRecord(candidate.id, "ok", source.status, source.ms, account=candidate.account)],
        waited=source.waited,
        dropped=attempt.request.dropped,
        native=attempt.native,
        schema=attempt.schema.mode if attempt.schema else None,
    )

"""What a provider's response is: an answer, or a failure of its class (contract, section 6)."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, NamedTuple

from handler.answers.answer import Answer, Source, Stream, more
from handler.answers.client_stream import ClientStream
from handler.answers.edits import whole
from handler.answers.merge import MergedStream
from handler.answers.replay import Checked, ReplayDecoder
from handler.answers.resume import Continuation, SentText, resumable
from handler.answers.usage import Spent, estimated, output_bytes, usage_of
from handler.errors import AttemptRecord, Json, SchemaMismatch, UpstreamError
from handler.providers.provider import Provider
from handler.providers.translator import StreamDecoder, Translator
from handler.relay.call import Call
from handler.structured.offered_tools import check_calls, offered_only
from handler.structured.refused_modes import raise_if_mode_refused
from handler.structured.strict_tools import StrictTools, strict_tools
from handler.upstream.request import UpstreamRequest
from handler.upstream.response import Upstream, accepted, parsed, protocol_error
from handler.wire.sse import DONE
from rules import Candidate, Price

if TYPE_CHECKING:
    from handler.structured.schema_attempt import SchemaAttempt

MAX_HELD = 8_000_000  # bytes of a stream that the client has nothing of yet


class Attempt(NamedTuple):
    """One attempt: who was asked, for what, in which words."""

    call: Call
    candidate: Candidate
    row: Provider
    translator: Translator
    order: UpstreamRequest
    goes_on: Continuation | None  # of an answer that another began
    form: SchemaAttempt | None  # of structured output
    spent: list[Spent]  # where it is noted what failed attempts used
    parts: int = 1  # how many are asked at the same time, for one choice each

    @property
    def recovery(self) -> str:
        return self.call.decision.effects.recovery

    @property
    def strict(self) -> StrictTools | None:
        """The strict tools that the provider does not enforce as they are."""
        return strict_tools(self.call, self.row, self.order.dropped)

    @property
    def wants_usage(self) -> bool:
        return self.call.chat.include_usage or self.call.chat.include_cost

    @property
    def legacy(self) -> bool:
        """Whether the answer goes back in the form of functions; that of a forced tool is no call."""
        return self.call.chat.legacy and not (self.form and self.form.by_tool)

    @property
    def explanation(self) -> Json | None:
        told, form = self.call.explanation, self.form
        return {**told, "schema": form.way} if told is not None and form is not None else told

    @property
    def told_price(self) -> Price | None:
        """The price, for a client that asked to be told the cost."""
        return self.candidate.model.price if self.call.chat.include_cost else None


Opened = Callable[[Attempt], Awaitable[Upstream]]  # sends the order; raises UpstreamError


async def answered(asked: Attempt, opened: Opened) -> Answer:
    """The answer: whole, or a stream at its commit point, the first content. Raises UpstreamError."""
    try:
        upstream = await opened(asked)
        return await kept(asked, upstream, _answered(asked, upstream))
    except UpstreamError as error:
        error.dropped, error.schema = asked.order.dropped, asked.form.way if asked.form else None
        raise


async def kept(asked: Attempt, source: Source, answering: Awaitable[Answer]) -> Answer:
    """The answer. Unless it is a stream, nothing of its source stays open."""
    answer = None
    try:
        answer = await answering
        return answer
    except UpstreamError as error:
        asked.order.forget(error)
        if isinstance(error, SchemaMismatch):
            error.upstream_status, error.refused_modes = source.status, asked.call.refused
        raise_if_mode_refused(error, asked.call, asked.row, asked.form)
        raise
    finally:
        if answer is None or answer.stream is None:
            await source.aclose()


async def _answered(asked: Attempt, upstream: Upstream) -> Answer:
    await accepted(asked, upstream)
    if asked.call.chat.stream:
        return await begun(asked, upstream, _frames(asked, decoder(asked)))
    return await _whole(asked, upstream)


async def _whole(asked: Attempt, upstream: Upstream) -> Answer:
    text, body = await parsed(asked, upstream)
    completion = asked.translator.response(
        body, asked.row.quirks, legacy=asked.legacy, model=asked.candidate.model.name
    )
    answer = _answer(asked, upstream)
    answer.used = usage_of(completion) or estimated(
        input_tokens=answer.input_tokens, output_bytes=output_bytes(completion)
    )
    try:
        check_calls(completion, asked.call.body)
        if (strict := asked.strict) is not None:
            for choice in completion["choices"]:
                strict.check(choice["message"], choice.get("finish_reason"))
        if asked.form is not None:
            completion = asked.form.completion(completion)
    except SchemaMismatch:
        asked.spent.append((asked.candidate, answer.used))
        raise
    spent = asked.spent if asked.parts == 1 else ()  # of several parts the sum is told
    told = {**completion, **({"sluice": asked.explanation} if asked.explanation else {})}
    answer.body = whole(text, body, told, model=asked.candidate.id, price=asked.told_price, spent=spent)
    return answer


def retold(asked: Attempt, answer: Answer) -> Answer:
    """A whole answer for a client that streams, where it had to be known whole or is not streamed."""
    completion = json.loads(answer.body)
    completion.pop("sluice", None)
    answer.retold, answer.body = _frames(asked, ReplayDecoder(completion)).close() + DONE, b""
    return answer


async def begun(asked: Attempt, source: Source, frames: ClientStream | MergedStream) -> Answer:
    """A stream at its commit point. What one that never gets there has used is noted."""
    answer = None
    try:
        answer = await _begun(asked, source, frames)
        return answer
    finally:
        if answer is None and frames.content:
            asked.spent.append((asked.candidate, frames.used(asked.call.decision.facts.input_tokens)))


def decoder(asked: Attempt) -> StreamDecoder:
    """What hears the events of one stream, and holds its answer against what it has to be."""
    wire, model = asked.translator, asked.candidate.model.name
    heard = offered_only(wire.stream(asked.row.quirks, legacy=asked.legacy, model=model), asked.call.body)
    if (strict := asked.strict) is not None:
        heard = Checked(heard, strict.check)
    return heard if asked.form is None else asked.form.checked(heard)


def _frames(asked: Attempt, heard: StreamDecoder) -> ClientStream:
    goes_on, explanation = asked.goes_on, asked.explanation
    resume = asked.recovery == "resume" and resumable(asked.call.body)
    return ClientStream(
        heard,
        model=asked.candidate.id,
        wants_usage=asked.wants_usage,
        price=asked.told_price,
        explanation={**(explanation or {}), **goes_on.note} if goes_on else explanation,
        told=SentText(asked.candidate.id, goes_on) if resume else None,
        choices=int(asked.call.body.get("n") or 1),
        framing=asked.translator.framing,
        steady=asked.form is None and goes_on is None,
        spent=asked.spent,
    )


async def _begun(asked: Attempt, upstream: Source, frames: ClientStream | MergedStream) -> Answer:
    """The stream at its commit point: content that is new to the client; its end, where a rule buffers."""
    held, first_token = bytearray(), None
    most = MAX_HELD if asked.recovery == "buffer" else 0
    while not frames.ended and (not frames.sent or len(held) <= most):
        held += await more(upstream, frames)
        if frames.content and first_token is None:
            first_token = upstream.ms / 1000
        if not frames.sent and len(held) > MAX_HELD:
            raise protocol_error("The provider's stream holds no content.", upstream.status)
    if frames.failure and (not frames.sent or len(held) <= most):
        raise frames.failure
    if not held:
        raise protocol_error("The provider's stream is empty.", upstream.status)
    answer = _answer(asked, upstream)
    answer.first_token = upstream.ms / 1000 if first_token is None else first_token
    answer.resumed = asked.goes_on.note if asked.goes_on else None
    answer.stream = Stream(upstream, frames, bytes(held), asked.order.forget)
    return answer


def _answer(asked: Attempt, upstream: Source) -> Answer:
    return Answer(
        candidate=asked.candidate,
        attempts=[AttemptRecord(asked.candidate.id, "ok", upstream.status, upstream.ms)],
        waited=upstream.waited,
        input_tokens=asked.call.decision.facts.input_tokens,
        dropped=asked.order.dropped,
        schema=asked.form.way if asked.form else None,
    )

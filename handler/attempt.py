"""What a provider's response is: an answer, or a failure of its class (contract, section 6)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from handler.answer import Answer, Source, Spent, Stream, more, used
from handler.call import Call
from handler.cost import estimated, output_bytes, usage_of
from handler.errors import Attempt, Json, UpstreamError
from handler.frames import Frames, whole
from handler.outgoing import Outgoing
from handler.providers.base import Provider, Translator
from handler.told import Continuation, Told, resumable
from rules import Candidate, Price

MAX_ANSWER = 20_000_000  # bytes of a whole answer
MAX_HELD = 8_000_000  # bytes of a stream that the client has nothing of yet
MAX_ERROR = 1_000_000  # bytes of an error


class Upstream(Source, Protocol):
    """An open response."""

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> Mapping[str, str]: ...

    async def whole(self, most: int) -> bytes:
        """All of it; when that is more than `most` bytes, the beginning with more than `most`."""
        ...


@dataclass(frozen=True, slots=True)
class Asked:
    """One attempt: who was asked, for what, in which words."""

    call: Call
    candidate: Candidate
    row: Provider
    translator: Translator
    order: Outgoing
    goes_on: Continuation | None  # of an answer that another began
    spent: list[Spent]  # where it is noted what failed attempts used

    @property
    def recovery(self) -> str:
        return self.call.decision.effects.recovery

    @property
    def told_price(self) -> Price | None:
        """The price, for a client that asked to be told the cost."""
        return self.candidate.model.price if self.call.chat.include_cost else None


async def answered(asked: Asked, upstream: Upstream) -> Answer:
    """The answer: whole, or a stream at its commit point, the first content. Raises UpstreamError."""
    try:
        return await _answered(asked, upstream)
    except UpstreamError as error:
        asked.order.forget(error)
        raise


async def _answered(asked: Asked, upstream: Upstream) -> Answer:
    if upstream.status >= 400:
        body = (await upstream.whole(MAX_ERROR))[:MAX_ERROR]
        raise asked.translator.error(upstream.status, upstream.headers, body)
    if not 200 <= upstream.status < 300:
        raise _protocol("The provider pointed elsewhere.", upstream.status)
    if upstream.headers.get("content-encoding", "identity") != "identity":
        raise _protocol("The provider packed its answer though it was asked not to.", upstream.status)
    if asked.call.chat.stream:
        return await _stream(asked, upstream)
    return await _whole(asked, upstream)


async def _whole(asked: Asked, upstream: Upstream) -> Answer:
    text, body = await _parsed(upstream)
    completion = asked.translator.response(
        body, asked.row.quirks, legacy=asked.call.chat.legacy, model=asked.candidate.model.name
    )
    served = (
        completion if asked.call.explanation is None else {**completion, "sluice": asked.call.explanation}
    )
    answer = _answer(asked, upstream)
    answer.body = whole(text, body, served, model=asked.candidate.id, price=asked.told_price)
    answer.used = usage_of(completion) or estimated(
        input_tokens=answer.input_tokens, output_bytes=output_bytes(completion)
    )
    return answer


async def _stream(asked: Asked, upstream: Upstream) -> Answer:
    kind = upstream.headers.get("content-type", "")
    if "html" in kind:
        raise _protocol("The provider sent a page.", upstream.status)
    if "json" in kind:
        _, body = await _parsed(upstream)
        asked.translator.response(body, asked.row.quirks)  # an error in disguise has its own class
        raise _protocol("The provider did not stream its answer.", upstream.status)
    frames, answer = _frames(asked), None
    try:
        answer = await _begun(asked, upstream, frames)
        return answer
    finally:
        if answer is None and frames.content:
            asked.spent.append((asked.candidate, used(frames, asked.call.decision.facts.input_tokens)))


def _frames(asked: Asked) -> Frames:
    chat, goes_on, explanation = asked.call.chat, asked.goes_on, asked.call.explanation
    resume = asked.recovery == "resume" and resumable(asked.call.body)
    return Frames(
        asked.translator.stream(asked.row.quirks, legacy=chat.legacy, model=asked.candidate.model.name),
        model=asked.candidate.id,
        wants_usage=chat.include_usage or chat.include_cost,
        price=asked.told_price,
        explanation={**(explanation or {}), **goes_on.note} if goes_on else explanation,
        told=Told(asked.candidate.id, goes_on) if resume else None,
        choices=chat.n or 1,
        framing=asked.translator.framing,
    )


async def _begun(asked: Asked, upstream: Upstream, frames: Frames) -> Answer:
    """The stream at its commit point: content that is new to the client; its end, where a rule buffers."""
    held, first_token = bytearray(), None
    most = MAX_HELD if asked.recovery == "buffer" else 0
    while not frames.ended and (not frames.sent or len(held) <= most):
        held += await more(upstream, frames)
        if frames.content and first_token is None:
            first_token = upstream.ms / 1000
        if not frames.sent and len(held) > MAX_HELD:
            raise _protocol("The provider's stream holds no content.", upstream.status)
    if frames.failure and (not frames.sent or len(held) <= most):
        raise frames.failure
    if not held:
        raise _protocol("The provider's stream is empty.", upstream.status)
    answer = _answer(asked, upstream)
    answer.first_token = upstream.ms / 1000 if first_token is None else first_token
    answer.resumed = asked.goes_on.note if asked.goes_on else None
    answer.stream = Stream(upstream, frames, bytes(held), asked.order.forget)
    return answer


def _answer(asked: Asked, upstream: Upstream) -> Answer:
    return Answer(
        candidate=asked.candidate,
        attempts=[Attempt(asked.candidate.id, "ok", upstream.status, upstream.ms)],
        waited=upstream.waited,
        input_tokens=asked.call.decision.facts.input_tokens,
        dropped=asked.order.dropped,
    )


async def _parsed(upstream: Upstream) -> tuple[str, Json]:
    """The text of the body and the object that it parses to."""
    data = await upstream.whole(MAX_ANSWER)
    if len(data) > MAX_ANSWER:
        raise _protocol("The provider's answer is too large.", upstream.status)
    try:
        text = data.decode("utf-8-sig")
        body = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _protocol("The provider's answer is not JSON.", upstream.status) from error
    if not isinstance(body, dict):
        raise _protocol("The provider's answer is not an object.", upstream.status)
    return text, body


def _protocol(message: str, status: int) -> UpstreamError:
    return UpstreamError(message, klass="protocol", upstream_status=status)

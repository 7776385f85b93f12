"""Several choices (`n`) of a provider that gives one answer to a call: it is asked several times at once.

To the attempt loop that is one attempt, with one answer or one stream. The stream is a live one: what a
part says goes on as it comes, and nobody waits for the slowest. When one fails, all do.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from handler.answers.answer import Answer, more
from handler.answers.client_stream import ClientStream
from handler.answers.edits import whole
from handler.answers.merge import MergedStream, folded
from handler.answers.usage import Usage
from handler.errors import UpstreamError
from handler.providers.provider import Provider
from handler.providers.translator import Translator
from handler.relay.attempt import Attempt, Opened, answered, begun, decoder, kept
from handler.relay.call import Call
from handler.upstream.response import Upstream, accepted
from handler.wire.sse import MAX_EVENT

_ONE_CALLS = frozenset({"idempotency-key"})  # headers that name one call


def parts_of(call: Call, row: Provider, wire: Translator) -> Sequence[Call]:
    """The calls that this provider has to be asked for one answer each; just `call` where that will do."""
    n = int(call.body.get("n") or 1)
    if n == 1 or (wire.supports_n and "n" not in row.quirks.unable):
        return (call,)
    headers = {name: value for name, value in call.headers.items() if name not in _ONE_CALLS}
    body = {name: value for name, value in call.body.items() if name != "n"}
    seed = body.get("seed")
    # One seed would give one answer n times; this gives each its own again and again.
    seeds = [{} if seed is None else {"seed": int(seed) ^ part} for part in range(n)]
    return [replace(call, headers=headers, body={**body, **each}) for each in seeds]


async def together(asks: Sequence[Attempt], opened: Opened) -> Answer:
    """The one answer of several asks of a candidate. Raises UpstreamError when one of them fails."""
    if not asks[0].call.chat.stream:
        return await _whole(asks, opened)
    asked = asks[0]
    frames = MergedStream(
        model=asked.candidate.id,
        wants_usage=asked.wants_usage,
        price=asked.told_price,
        explanation=asked.explanation,
        spent=asked.spent,
    )
    frames.streams = [_frames(each, frames, index) for index, each in enumerate(asks)]
    parts = [_Part(each, opened, own) for each, own in zip(asks, frames.streams, strict=True)]
    source = _Parts(parts)
    return await kept(asked, source, begun(asked, source, frames))


async def _whole(asks: Sequence[Attempt], opened: Opened) -> Answer:
    tasks = [asyncio.create_task(answered(asked, opened)) for asked in asks]
    try:
        answers = await asyncio.gather(*tasks)
    except BaseException:
        await _cancel_all(tasks)
        done = [task.result() for task in tasks if not (task.cancelled() or task.exception())]
        asks[0].spent.extend((answer.candidate, answer.used) for answer in done if answer.used)
        raise
    text = answers[0].body.decode()
    bodies = [json.loads(answer.body) for answer in answers]
    last, asked = max(answers, key=lambda answer: answer.attempts[-1].ms), asks[0]
    body = whole(
        text,
        bodies[0],
        folded(bodies),
        model=asked.candidate.id,
        price=asked.told_price,
        spent=asked.spent,
    )
    used = sum((answer.used for answer in answers if answer.used), start=Usage())
    return replace(last, body=body, used=used)


def _frames(asked: Attempt, folded: MergedStream, index: int) -> ClientStream:
    return ClientStream(
        decoder(asked),
        model=asked.candidate.id,
        wants_usage=asked.wants_usage,
        told=folded.choice(index),
        framing=asked.translator.framing,
        max_event=MAX_EVENT // asked.parts,
    )


@dataclass(slots=True, eq=False)
class _Part:
    """One of the asks."""

    asked: Attempt
    opened: Opened
    frames: ClientStream
    upstream: Upstream | None = None

    async def more(self) -> bytes:
        """Its next frames. A failure is kept with them."""
        if self.upstream is None:
            try:
                self.upstream = await self.opened(self.asked)
                await accepted(self.asked, self.upstream)
            except UpstreamError as error:
                return self.frames.close(error)
        return await more(self.upstream, self.frames)


class _Parts:
    """The parts of a stream as one source, of frames that are finished; see Source."""

    def __init__(self, parts: Sequence[_Part]) -> None:
        self._reading: dict[asyncio.Task[bytes], _Part] = {}
        self._parts = parts
        self._failure: UpstreamError | None = None
        for part in parts:
            self._read(part)

    @property
    def status(self) -> int:
        return self._upstreams[0].status

    @property
    def waited(self) -> float:
        return self._upstreams[0].waited

    @property
    def ms(self) -> int:
        return self._upstreams[0].ms

    async def read(self, *, begun: bool, brought: int, patience: float | None) -> bytes:
        """The next frames of any part. Each part is read ahead by one piece, under time limits of its own."""
        frames = b""
        while not frames and self._failure is None and self._reading:
            await asyncio.wait(self._reading, return_when=asyncio.FIRST_COMPLETED)
            for task in [task for task in self._reading if task.done()]:
                part = self._reading.pop(task)
                frames += task.result()
                if not part.frames.ended:
                    self._read(part)
                self._failure = self._failure or part.frames.failure
        if not frames and self._failure is not None:
            raise self._failure
        return frames

    async def drain(self) -> None:
        await asyncio.gather(*(upstream.drain() for upstream in self._upstreams))

    async def aclose(self) -> None:
        await _cancel_all(self._reading)
        await asyncio.gather(*(upstream.aclose() for upstream in self._upstreams))

    @property
    def _upstreams(self) -> list[Upstream]:
        """Those that are open."""
        return [part.upstream for part in self._parts if part.upstream is not None]

    def _read(self, part: _Part) -> None:
        self._reading[asyncio.create_task(part.more())] = part


async def _cancel_all(tasks: Collection[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)

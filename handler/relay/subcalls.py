"""Gets several choices (`n`) from a provider that gives one per request, by sending several requests at once.

To the attempt loop they are one attempt, with one answer or one stream. The stream is live: the frames of
each subcall are sent as they come, without waiting for the slowest. If one subcall fails, all fail.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection, Sequence
from typing import Any

from handler.answers.answer import Answer, read_frames
from handler.answers.client_stream import ClientStream
from handler.answers.edits import whole
from handler.answers.merge import MergedStream, merge_completions
from handler.answers.usage import Usage
from handler.errors import UpstreamError
from handler.providers.provider import Provider
from handler.providers.translator import Translator
from handler.relay.call import Attempt, Call
from handler.relay.response import (
    check_response,
    closing_on_failure,
    decoder,
    send_and_read,
    start_stream,
)
from handler.structured.offered_tools import chunk_check
from handler.upstream.client import Client, UpstreamResponse
from handler.wire.sse import MAX_EVENT
from rules import Fields

_ONE_REQUESTS = frozenset({"idempotency-key"})  # headers that identify one request


def split(call: Call, row: Provider, translator: Translator) -> list[Call]:
    """Return one call for each choice; only `call` if the provider gives all choices to one request."""
    n = int(call.body.get("n") or 1)
    if n == 1 or (translator.supports_n and "n" not in row.quirks.unable):
        return [call]
    headers = {name: value for name, value in call.headers.items() if name not in _ONE_REQUESTS}
    body = {name: value for name, value in call.body.items() if name != "n"}
    seed = body.get("seed")
    # One seed would give one answer n times; this gives each its own, the same in every repetition.
    seeds = [{} if seed is None else {"seed": int(seed) ^ index} for index in range(n)]
    return [call.replaced(headers=headers, body={**body, **each}) for each in seeds]


async def together(attempts: Sequence[Attempt], client: Client) -> Answer:
    """Send all attempts at once and merge their answers into one. Raises UpstreamError when one fails."""
    first = attempts[0]
    if not first.call.chat.stream:
        return await _whole(attempts, client)
    merged = MergedStream(
        model=first.candidate.id,
        wants_usage=first.wants_usage,
        charged=first.charged,
        explanation=first.explanation,
        wasted=first.wasted,
    )
    merged.streams = [_client_stream(each, merged, index) for index, each in enumerate(attempts)]
    source = _Subcalls(
        [
            _Subcall(attempt=each, client=client, stream=stream)
            for each, stream in zip(attempts, merged.streams, strict=True)
        ]
    )
    try:
        return await closing_on_failure(first, source, start_stream(first, source, merged))
    except BaseException:
        if merged.charged:
            first.wasted.append((first.candidate, merged.used()))
        raise


async def _whole(attempts: Sequence[Attempt], client: Client) -> Answer:
    first = attempts[0]
    tasks = [asyncio.create_task(send_and_read(attempt, client)) for attempt in attempts]
    try:
        answers = await asyncio.gather(*tasks)
    except BaseException:
        await _cancel_all(tasks)
        done = [task.result() for task in tasks if not (task.cancelled() or task.exception())]
        first.wasted.extend((answer.candidate, answer.used) for answer in done if answer.used)
        raise
    text = answers[0].body.decode()
    bodies = [json.loads(answer.body) for answer in answers]
    used = sum((answer.used for answer in answers if answer.used), start=Usage())
    body = whole(
        text,
        bodies[0],
        merge_completions(bodies),
        model=first.candidate.id,
        charged=first.charged,
        wasted=first.wasted,
        used=used,
    )
    last = max(answers, key=lambda answer: answer.attempts[-1].ms)
    return last.replaced(body=body, used=used)


def _client_stream(attempt: Attempt, merged: MergedStream, index: int) -> ClientStream:
    return ClientStream(
        decoder(attempt),
        model=attempt.candidate.id,
        wants_usage=attempt.wants_usage,
        input_tokens=attempt.input_tokens,
        edits=merged.choice(index),
        framing=attempt.translator.framing,
        max_event=MAX_EVENT // attempt.subcalls,
        check=chunk_check(attempt.call.body),
    )


class _Subcall(Fields):
    attempt: Attempt
    client: Client
    stream: ClientStream
    response: UpstreamResponse | None = None

    async def read(self) -> bytes:
        """Its next frames. A failure is kept in its stream."""
        if self.response is None:
            try:
                attempt = self.attempt
                self.response = await self.client.send(
                    attempt.request, attempt.limits, attempt.stopwatch, self.stream.note_posted
                )
                await check_response(attempt, self.response)
            except UpstreamError as error:
                return self.stream.close(error)
        return await read_frames(self.response, self.stream)


class _Subcalls:
    """The subcalls of a stream as one source, of frames that are complete; see ByteSource."""

    def __init__(self, subcalls: Sequence[_Subcall]) -> None:
        self._subcalls = subcalls
        self._reading: dict[asyncio.Task[bytes], _Subcall] = {}
        self._failure: UpstreamError | None = None
        for subcall in subcalls:
            self._read_ahead(subcall)

    @property
    def status(self) -> int:
        return self._responses[0].status

    @property
    def waited(self) -> float:
        return self._responses[0].waited

    @property
    def ms(self) -> int:
        return self._responses[0].ms

    async def read(self, *, started: bool, content_bytes: int, patience: float | None) -> bytes:
        """The next frames of any subcall. Each is read ahead by one piece, under time limits of its own."""
        frames = b""
        while not frames and self._failure is None and self._reading:
            await asyncio.wait(self._reading, return_when=asyncio.FIRST_COMPLETED)
            for task in [task for task in self._reading if task.done()]:
                subcall = self._reading.pop(task)
                frames += task.result()
                if not subcall.stream.ended:
                    self._read_ahead(subcall)
                self._failure = self._failure or subcall.stream.failure
        if not frames and self._failure is not None:
            raise self._failure
        return frames

    async def drain(self) -> None:
        await asyncio.gather(*(response.drain() for response in self._responses))

    async def aclose(self) -> None:
        await _cancel_all(self._reading)
        await asyncio.gather(*(response.aclose() for response in self._responses))

    @property
    def _responses(self) -> list[UpstreamResponse]:
        """The responses that are open."""
        return [subcall.response for subcall in self._subcalls if subcall.response is not None]

    def _read_ahead(self, subcall: _Subcall) -> None:
        self._reading[asyncio.create_task(subcall.read())] = subcall


async def _cancel_all(tasks: Collection[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)

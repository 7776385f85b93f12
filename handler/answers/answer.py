"""What was answered: a whole body, or a stream that has begun and is handed on as it comes."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from handler.answers.client_stream import ClientStream
from handler.answers.merge import MergedStream
from handler.answers.usage import Spent, Usage, dollars_of
from handler.errors import AttemptRecord, Json, UpstreamError
from handler.relay.failover import final_error
from handler.wire.sse import DONE, encode
from rules import Candidate


class Source(Protocol):
    """The upstream of a stream."""

    @property
    def status(self) -> int: ...

    @property
    def waited(self) -> float:
        """Seconds of the whole call that were spent waiting on providers."""
        ...

    @property
    def ms(self) -> int:
        """Milliseconds since this attempt began."""
        ...

    async def read(self, *, begun: bool, brought: int, patience: float | None) -> bytes:
        """The next bytes, empty at the end. Raises UpstreamError, also when they are too long in coming.

        `begun`: there was content, of `brought` bytes so far. `patience`: seconds that the rest is worth,
        when that is limited.
        """
        ...

    async def drain(self) -> None:
        """Read what little is left, so that the connection can serve again."""
        ...

    async def aclose(self) -> None: ...


@dataclass(slots=True, eq=False)
class Stream:
    """A stream at its commit point: what came so far is in `held`."""

    source: Source
    frames: ClientStream | MergedStream
    held: bytes
    forget: Callable[[UpstreamError], None]  # takes the credential out of a failure
    settled: bool = False

    def taken(self) -> bytes:
        held, self.held = self.held, b""
        return held


@dataclass(slots=True, kw_only=True, eq=False)
class Answer:
    """Of a stream all this may change, and is final when its frames have ended or it is closed.

    When the stream breaks off, `rescue` is asked for the answer that goes on with it.
    """

    candidate: Candidate  # that answers, of a stream the one at hand
    attempts: list[AttemptRecord]  # of the call
    waited: float  # seconds spent waiting on providers
    input_tokens: int = 0  # the estimate, for a provider that tells of no usage
    dropped: tuple[str, ...] = ()  # tuning the provider does not take
    body: bytes = field(default=b"", repr=False)  # a whole answer, as the client gets it
    retold: bytes = field(default=b"", repr=False)  # a whole answer as the stream that was asked for
    schema: str | None = None  # how it was held to what was asked for: native | tool | prompt
    used: Usage | None = None  # by the candidate
    spent: list[Spent] = field(default_factory=list)  # by others
    first_token: float | None = None  # of a stream: seconds from the attempt's start to the first content
    resumed: Json | None = None  # who began the stream, and how many characters of it came from there
    failure: UpstreamError | None = None  # why it broke off: the client has a part of an answer
    rescue: Callable[[Answer, UpstreamError], Awaitable[Answer | None]] | None = field(
        default=None, repr=False
    )
    stream: Stream | None = field(default=None, repr=False)

    @property
    def usage(self) -> Usage | None:
        """All that the call used; None while that is unknown."""
        if self.used is None:
            return None
        return sum((usage for _, usage in self.spent), start=self.used)

    @property
    def cost_dollars(self) -> float | None:
        """Of all that the call used. None while the usage is unknown, or when a price is."""
        return None if self.used is None else dollars_of((*self.spent, (self.candidate, self.used)))

    async def frames(self) -> AsyncGenerator[bytes, None]:
        """The stream as the client gets it: server-sent events, one or more at a time.

        It ends with `data: [DONE]`, or, when the answer broke off, with an error event instead. It is read
        once; leaving it early needs `aclose`, of this iterator or of the answer.
        """
        stream = self.stream
        if stream is None:
            if self.retold:
                yield self.retold
            return
        frame = stream.taken()
        try:
            while True:
                if frame:
                    yield frame
                if not stream.frames.ended:
                    frame = await more(stream.source, stream.frames)
                elif following := await self._following(stream):
                    stream, frame = following, following.taken()
                else:
                    break
            if stream.frames.failure is None:
                yield DONE
                await stream.source.drain()
            else:
                yield self._broken_off(stream.frames.failure)
        finally:
            await self.aclose()
            self.waited = stream.source.waited

    async def aclose(self) -> None:
        """Let go of the upstream at once, whatever it still had to say. May be called twice."""
        if self.stream is not None:
            self._settle(self.stream)
            await self.stream.source.aclose()

    async def _following(self, stream: Stream) -> Stream | None:
        """The stream that goes on with this one, which has ended; None if that was all."""
        failure = stream.frames.failure
        if failure is None:
            return None
        stream.forget(failure)
        await self.aclose()
        if self.rescue is None or self.used is None:
            return None
        # Before another candidate continues: the usage that the client gets counts this attempt too.
        self.spent.append((self.candidate, self.used))
        self.used = Usage()
        following = await self.rescue(self, failure)
        if following is None:
            return None
        self.candidate, self.first_token = following.candidate, following.first_token
        self.stream, self.resumed = following.stream, following.resumed
        return self.stream

    def _settle(self, stream: Stream) -> None:
        """What is known of an attempt when it has ended or is left."""
        if stream.settled:
            return
        stream.settled, source, frames = True, stream.source, stream.frames
        failure_class, failure = (
            "ok" if frames.ended else "cancelled",
            frames.failure if frames.ended else None,
        )
        self.attempts[-1] = self.attempts[-1]._replace(
            failure_class=failure.failure_class if failure else failure_class,
            ms=source.ms,
            detail=failure.detail if failure else None,
            cause=failure.cause if failure else None,
        )
        self.waited = source.waited
        self.used = frames.used(self.input_tokens)

    def _broken_off(self, failure: UpstreamError) -> bytes:
        error = final_error([failure], self.attempts, model=self.candidate.id, broke_off=True)
        self.failure = error
        return encode(json.dumps(error.body(), separators=(",", ":")))


async def more(source: Source, frames: ClientStream | MergedStream) -> bytes:
    """The frames of the next bytes, or of the end."""
    try:
        brought = frames.content_bytes
        data = await source.read(begun=frames.content, brought=brought, patience=frames.patience)
    except UpstreamError as error:
        return frames.close(error)
    return frames.feed(data) if data else frames.close()

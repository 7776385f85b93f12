"""The answer to a call: a whole body, or a stream that has started."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from operator import is_not
from typing import TYPE_CHECKING, Protocol

from handler.answers.client_stream import ClientStream
from handler.answers.costs import costs_of
from handler.answers.merge import MergedStream
from handler.answers.relayed_bytes import RelayedBytes
from handler.answers.usage import Usage, WastedUsage
from handler.errors import AttemptRecord, Json, UpstreamError
from rules import Candidate, Fields, fresh

if TYPE_CHECKING:
    from handler.answers.cached import CacheEntry


class ByteSource(Protocol):
    """Where the bytes of a stream come from: a provider's response, or several read as one."""

    @property
    def status(self) -> int: ...

    @property
    def waited(self) -> float: ...

    @property
    def ms(self) -> int: ...

    async def read(self, *, started: bool, content_bytes: int, patience: float | None) -> bytes: ...

    async def drain(self) -> None: ...

    async def aclose(self) -> None: ...


class Stream(Fields):
    """A stream at its first content. `buffered` is what came so far, as frames for the client."""

    source: ByteSource
    frames: ClientStream | MergedStream | RelayedBytes
    buffered: bytes
    redact_credential: Callable[[UpstreamError], None]
    settled: bool = False

    def take_buffered(self) -> bytes:
        buffered, self.buffered = self.buffered, b""
        return buffered


class Answer(Fields):
    """A whole answer, or a stream, whose fields may change until its frames have ended or it is closed.

    `drive` is the attempt loop's reader of the stream, which may ask another candidate to continue it.
    """

    candidate: Candidate  # the one that answers; of a stream, the one at the moment
    attempts: list[AttemptRecord]  # of the call
    waited: float  # seconds spent waiting on providers
    dropped: tuple[str, ...] = ()  # parameters that the provider does not take
    body: bytes = b""  # a whole answer, as the client gets it
    media_type: str = "application/json"  # of a whole answer, and of an operation besides chat
    replayed: bytes = b""  # a whole answer as the stream that was asked for
    native: bool = False  # in the client's own format, which is not chat: the provider's bytes
    schema: str | None = None  # the mode of structured output: native | tool | prompt
    used: Usage | None = None  # by the candidate
    wasted: list[WastedUsage] = fresh(factory=list)  # by attempts that gave no answer
    first_token: float | None = None  # of a stream: seconds from the attempt's start to the first content
    resumed: Json | None = None  # who began the stream, and how many characters of it came from there
    failure: UpstreamError | None = None  # why it broke off: the client has a part of an answer
    age: int | None = None  # of a cached answer: seconds since it was stored
    cache_entry: CacheEntry | None = None  # for the cache
    stream: Stream | None = None
    drive: Callable[[Answer], AsyncGenerator[bytes, None]] | None = None
    # Counts a failure of the candidate: its key, the failure class, the Retry-After in seconds.
    observe: Callable[[str, str, float | None], None] | None = None
    _costs: tuple[tuple[object, ...], dict[str, int] | None] | None = None  # and what they were made of

    @property
    def usage(self) -> Usage | None:
        """The usage of the whole call; None while that is unknown."""
        if self.used is None:
            return None
        return sum((usage for _, usage in self.wasted), start=self.used)

    @property
    def costs(self) -> dict[str, int] | None:
        """The nano-dollars of the whole call, by part; None while the usage or a price is unknown.

        A cached answer costs nothing.
        """
        if self.age is not None:
            return {}
        if self.used is None:
            return None
        state = (self.candidate, self.used, len(self.wasted))
        if self._costs is None or any(map(is_not, self._costs[0], state)):
            self._costs = state, costs_of((*self.wasted, (self.candidate, self.used)))
        return self._costs[1]

    @property
    def cost(self) -> int | None:
        """The cost of the whole call in nano-dollars; None while the usage or a price is unknown."""
        costs = self.costs
        return None if costs is None else sum(costs.values())

    def frames(self) -> AsyncGenerator[bytes, None]:
        """The stream as the client gets it, to be read once; see AttemptLoop.frames."""
        assert self.drive is not None, "the attempt loop has not accepted this answer"
        return self.drive(self)

    async def aclose(self) -> None:
        """Close the connection to the provider at once, whatever it still sends. May be called twice."""
        if self.stream is not None:
            self._settle(self.stream)
            await self.stream.source.aclose()

    def _settle(self, stream: Stream) -> None:
        """Record how an attempt ended, or was left."""
        if stream.settled:
            return
        stream.settled, source, frames = True, stream.source, stream.frames
        ended, failure = "ok" if frames.ended else "cancelled", frames.failure if frames.ended else None
        self.attempts[-1] = self.attempts[-1]._replace(
            failure_class=failure.failure_class if failure else ended,
            ms=source.ms,
            detail=failure.detail if failure else None,
            cause=failure.cause if failure else None,
        )
        self.waited = source.waited
        self.used = frames.used()


async def read_frames(source: ByteSource, frames: ClientStream | MergedStream | RelayedBytes) -> bytes:
    """Read the next bytes and return the frames that they complete; at the end, the last frames."""
    try:
        data = await source.read(
            started=frames.content, content_bytes=frames.content_bytes, patience=frames.patience
        )
    except UpstreamError as error:
        return frames.close(error)
    return frames.feed(data) if data else frames.close()

"""What one candidate answered: a whole body, or a stream that has begun and is handed on as it comes."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field, replace
from typing import Protocol

from handler.cost import Usage, cost, dollars, estimated
from handler.errors import Attempt, UpstreamError
from handler.failover import final_error
from handler.frames import Frames
from handler.sse import DONE, encode
from rules import Candidate


class Source(Protocol):
    """The upstream of a stream that has begun."""

    @property
    def waited(self) -> float:
        """Seconds of the whole call that were spent waiting on providers."""
        ...

    @property
    def ms(self) -> int:
        """Milliseconds since this attempt began."""
        ...

    async def read(self) -> bytes:
        """The next bytes, empty at the end. Raises UpstreamError, also when they are too long in coming."""
        ...

    async def drain(self) -> None:
        """Read what little is left, so that the connection can serve again."""
        ...

    async def aclose(self) -> None: ...


@dataclass(slots=True, eq=False)
class Stream:
    """A stream at its commit point: what came so far is in `held`."""

    source: Source
    frames: Frames
    held: bytes
    forget: Callable[[UpstreamError], None]  # takes the credential out of a failure


@dataclass(slots=True, kw_only=True, eq=False)
class Answer:
    """Of a stream, `attempts`, `usage` and `waited` are final when its frames have ended or it is closed."""

    candidate: Candidate
    attempts: tuple[Attempt, ...]  # the last one is this answer's
    waited: float  # seconds spent waiting on providers
    input_tokens: int = 0  # the estimate, for a provider that tells of no usage
    dropped: tuple[str, ...] = ()  # tuning the provider does not take
    body: bytes = field(default=b"", repr=False)  # a whole answer, as the client gets it
    usage: Usage | None = None
    first_token: float | None = None  # of a stream: seconds from the attempt's start to the first content
    stream: Stream | None = field(default=None, repr=False)

    @property
    def cost_dollars(self) -> float | None:
        """None while the usage is unknown, or when the price is."""
        price = self.candidate.model.price
        return dollars(cost(self.usage, price)) if self.usage and price else None

    async def frames(self) -> AsyncGenerator[bytes, None]:
        """The stream as the client gets it: server-sent events, one or more at a time.

        It ends with `data: [DONE]`, or, when the answer broke off, with an error event instead. It is read
        once; leaving it early needs `aclose`, of this iterator or of the answer.
        """
        if self.stream is None:
            return
        source, frames = self.stream.source, self.stream.frames
        frame, self.stream.held = self.stream.held, b""
        try:
            while frame or not frames.ended:
                if frame:
                    yield frame
                frame = b"" if frames.ended else await _more(source, frames)
            if frames.failure is None:
                yield DONE
                await source.drain()
            else:
                self.stream.forget(frames.failure)
                self._settle()
                yield self._broken_off(frames.failure)
        finally:
            await self.aclose()

    async def aclose(self) -> None:
        """Let go of the upstream at once, whatever it still had to say. May be called twice."""
        if self.stream is not None:
            self._settle()
            await self.stream.source.aclose()

    def _settle(self) -> None:
        assert self.stream is not None
        source, frames = self.stream.source, self.stream.frames
        klass = "ok" if frames.failure is None else frames.failure.klass
        last = replace(self.attempts[-1], klass=klass if frames.ended else "cancelled", ms=source.ms)
        self.attempts = (*self.attempts[:-1], last)
        self.waited = source.waited
        self.usage = frames.usage or estimated(input_tokens=self.input_tokens, output_bytes=frames.content)

    def _broken_off(self, failure: UpstreamError) -> bytes:
        error = final_error([failure], self.attempts, broke_off=True)
        return encode(json.dumps(error.body(), separators=(",", ":")))


async def _more(source: Source, frames: Frames) -> bytes:
    """The frames of the next bytes, or of the end."""
    try:
        data = await source.read()
    except UpstreamError as error:
        return frames.close(error)
    return frames.feed(data) if data else frames.close()

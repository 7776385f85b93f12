"""Calls to providers: the awaits on them, each under its time limit, and the class of what httpx raises.

Which attempts one call makes is in conduct.py (the ONE attempt loop, for whole answers and for streams) and
failover.py; what an attempt sends is in outgoing.py, what comes back in attempt.py.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import lru_cache, partial
from typing import TypeVar

import httpx

from handler.answers.answer import Answer
from handler.answers.resume import Continuation
from handler.answers.usage import Spent
from handler.errors import AttemptRecord, SchemaMismatch, UpstreamError
from handler.providers.addressing import apply_surface
from handler.providers.provider import Provider
from handler.providers.registry import TRANSLATORS
from handler.providers.translator import Translator
from handler.relay.attempt import Attempt, answered, retold
from handler.relay.attempts import AttemptLoop, Observe
from handler.relay.call import SILENT, Call, Limit, Limits, closed, limits_of
from handler.relay.subcalls import parts_of, together
from handler.upstream.connection import READ_PAUSE, UNPACED_READS
from handler.upstream.request import outgoing
from handler.upstream.response import Upstream
from handler.upstream.signing import Sign, refuse_to_sign
from handler.upstream.stopwatch import Stopwatch
from handler.wire.sse import MAX_EVENT
from rules import Candidate

__all__ = ["Answer", "Call", "Relay"]

T = TypeVar("T")

# Seconds and bytes that a response may take to end after its stream: then its connection can serve again.
DRAIN, MOST_DRAINED = 0.1, 100_000
# The most bytes of a stream without content: one event, and heartbeats around it.
MAX_WITHOUT_CONTENT = MAX_EVENT + 1_000_000
SMALL = 1_000  # bytes; a read of fewer counts as one of a flood


async def _within(watch: Stopwatch, awaitable: Awaitable[T], limit: Limit) -> T:
    """What it gives within the limit. Raises UpstreamError for the limit and for what httpx raises."""
    (at, failure_class), began = limit, watch.begin()
    try:
        async with asyncio.timeout(at - began):
            return await awaitable
    except TimeoutError as error:
        raise UpstreamError("The provider took too long.", failure_class=failure_class) from error
    except UpstreamError as error:
        raise closed(failure_class, error, silent=watch.clock() - began) from error.__cause__
    except (httpx.TransportError, httpx.InvalidURL) as error:
        raise closed(failure_class, silent=watch.clock() - began) from error
    finally:
        watch.end()


class _Open:
    """An open response: its bytes under time limits, and the way to let go of it."""

    def __init__(self, response: httpx.Response, watch: Stopwatch, limits: Limits, began: float) -> None:
        self._response, self.status, self.headers = response, response.status_code, response.headers
        assert isinstance(response.stream, httpx.AsyncByteStream)
        self._bytes = aiter(response.stream)  # not aiter_raw: one layer less for every chunk
        self._watch, self._limits, self._began = watch, limits, began
        self._ends = float("inf")  # when the rest is given up
        # Bytes of content so far; reads and bytes since content last came.
        self._brought = self._reads = self._idle_bytes = 0

    @property
    def waited(self) -> float:
        return self._watch.waited

    @property
    def ms(self) -> int:
        return self._watch.ms_since(self._began)

    async def read(self, *, begun: bool, brought: int, patience: float | None) -> bytes:
        limits, limit, since = self._limits, self._limits.first, self._began
        if begun:
            since = self._watch.clock()
            limit = min((since + limits.idle, "timeout_idle"), limits.total)
        if patience is None:
            self._ends = float("inf")
        else:
            self._ends = min(self._ends, self._watch.clock() + patience)
            limit = min(limit, (self._ends, "timeout_idle"))
        if brought != self._brought:
            self._brought, self._reads, self._idle_bytes = brought, 0, 0
        self._reads += 1
        coming = anext(self._bytes, b"") if self._reads <= UNPACED_READS else self._paced()
        self._idle_bytes += len(data := await _within(self._watch, coming, limit))
        if self._idle_bytes > MAX_WITHOUT_CONTENT:
            raise UpstreamError("The provider's stream holds no content.", failure_class="protocol")
        if not data and (silent := self._watch.clock() - since) >= SILENT:
            raise closed(limit[1], silent=silent)
        return data

    async def _paced(self) -> bytes:
        """Reads the next bytes after a pause, so that a flood without content costs few reads."""
        await asyncio.sleep(READ_PAUSE)
        return await anext(self._bytes, b"")

    async def whole(self, most: int) -> bytes:
        return await _within(self._watch, self._gathered(most), self._limits.first)

    async def drain(self) -> None:
        with suppress(UpstreamError):  # the answer is complete: only the connection is lost
            until = self._watch.clock() + DRAIN, "timeout_idle"
            await _within(self._watch, self._gathered(MOST_DRAINED), until)

    async def aclose(self) -> None:
        await self._response.aclose()

    async def _gathered(self, most: int) -> bytes:
        body, reads = bytearray(), 0
        async for data in self._bytes:
            body += data
            reads += 1
            if len(body) > most:
                break
            if reads > UNPACED_READS and len(body) < reads * SMALL:
                await asyncio.sleep(READ_PAUSE)
        return bytes(body)


class Relay:
    """Answers calls. One per process; it keeps connections, and nothing of a call."""

    def __init__(
        self,
        transport: httpx.AsyncBaseTransport,
        *,
        credential: Callable[[Provider], str | None],
        private_ok: bool,
        sign: Sign = refuse_to_sign,
        translators: Mapping[str, Translator] = TRANSLATORS,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
        observe: Observe = lambda *_: None,
    ) -> None:
        self._transport = transport
        self._credential = credential
        self._private_ok = private_ok
        self._sign = sign
        self._translators = translators
        self._clock = clock
        self._sleep = sleep
        self._jitter = jitter
        self._observe = observe  # told of every attempt, and of a stream that breaks off again

    async def __call__(
        self, call: Call, spent: list[Spent] | None = None, attempts: list[AttemptRecord] | None = None
    ) -> Answer:
        """The answer: whole, or a stream at its first content. Raises UpstreamError when all attempts failed.

        Cancelling it closes the upstream at once. `attempts` gets every attempt and `spent` what the failed
        ones used, for whoever gets no answer to ask.
        """
        watch, deadline = Stopwatch(self._clock), call.deadline_from(self._clock())
        spent = [] if spent is None else spent

        async def ask(
            candidate: Candidate, goes_on: Continuation | None, amends: SchemaMismatch | None
        ) -> Answer:
            return await self._attempt(call, candidate, goes_on, amends, watch, deadline, spent)

        conduct = AttemptLoop(
            call,
            ask,
            watch,
            deadline=deadline,
            spent=spent,
            attempts=[] if attempts is None else attempts,
            observe=self._observe,
            sleep=self._sleep,
            jitter=self._jitter,
        )
        return await conduct.answer()

    async def aclose(self) -> None:
        """Closes the connections that were kept."""
        await self._transport.aclose()

    async def _attempt(
        self,
        call: Call,
        candidate: Candidate,
        goes_on: Continuation | None,
        amends: SchemaMismatch | None,
        watch: Stopwatch,
        deadline: float,
        spent: list[Spent],
    ) -> Answer:
        """One call to one candidate. Unless it gives an answer, nothing of it stays open."""
        began, row = self._clock(), self._row(call, candidate)
        translator, credential = self._translators[row.dialect], self._credential(row)
        form = call.form(candidate, row, translator, amends)
        sent = call.sent(goes_on, form, candidate.model, amends)
        limits = limits_of(sent, candidate, now=began, deadline=deadline)

        async def asked(part: Call) -> Attempt:
            order = outgoing(
                part, candidate.model, row, translator, credential=credential, private_ok=self._private_ok
            )
            if row.auth == "sigv4" and credential is None:
                order = await _within(watch, self._sign(order), limits.first)
            return Attempt(part, candidate, row, translator, order, goes_on, form, spent, len(parts))

        parts = parts_of(sent, row, translator)
        asks, opened = [await asked(part) for part in parts], partial(self._opened, watch, limits, began)
        answer = await (answered(asks[0], opened) if len(asks) == 1 else together(asks, opened))
        return answer if call.chat.stream == sent.chat.stream else retold(asks[0], answer)

    async def _opened(self, watch: Stopwatch, limits: Limits, began: float, asked: Attempt) -> Upstream:
        response = await _within(watch, self._send(asked, limits), limits.first)
        return _Open(response, watch, limits, began)

    def _row(self, call: Call, candidate: Candidate) -> Provider:
        row = call.rows.get(candidate.model.provider)
        if row is None or row.dialect not in self._translators:
            raise UpstreamError(f"{candidate.id} has no provider that is served.", failure_class="not_found")
        return apply_surface(row, candidate.model)

    async def _send(self, asked: Attempt, limits: Limits) -> httpx.Response:
        order = asked.order
        extensions = {
            "timeout": {"connect": limits.connect},
            "public_only": not self._private_ok,
        }
        url, length = _url(order.url), str(len(order.body)).encode()
        # Whole as it is: httpx looks for nothing more to put to a request whose body is a stream.
        headers = [(b"host", url.netloc), *order.headers, (b"content-length", length)]
        stream = httpx.ByteStream(order.body)
        request = httpx.Request("POST", url, headers=headers, stream=stream, extensions=extensions)
        return await self._transport.handle_async_request(request)


@lru_cache(maxsize=256)
def _url(text: str) -> httpx.URL:
    return httpx.URL(text)

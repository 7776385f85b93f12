"""Try the candidates in turn until one answers: the ONE attempt loop, for whole answers and for streams.

Here are the awaits on providers, each under its time limit, and the class of what the HTTP client raises.
What is sent is in outgoing.py, what comes back in attempt.py, what follows a failure in failover.py.
"""

from __future__ import annotations

import asyncio
import random
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, suppress
from functools import lru_cache
from typing import Any, TypeVar

import certifi
import httpx

from handler.address import refuse_private
from handler.answer import Answer
from handler.attempt import Asked, answered
from handler.call import Call, Limit, Limits, limits_of
from handler.errors import Attempt, Unavailable, UpstreamError
from handler.failover import Failover, final_error
from handler.outgoing import Outgoing, outgoing
from handler.providers.base import Provider, Translator
from handler.providers.registry import TRANSLATORS
from handler.settings import Settings
from rules import Candidate

__all__ = ["Answer", "Call", "Relay", "transport"]

T = TypeVar("T")

KEEP_ALIVE = 20.0  # seconds a connection may rest: networks drop a longer silence without a word
# Seconds a response may take to end after its stream: read to the end, its connection can serve again.
DRAIN = 0.1
MOST_DRAINED = 100_000  # bytes


def transport(settings: Settings) -> httpx.AsyncHTTPTransport:
    """The pool of a process. A client around it would add redirects, cookies and proxies, all unwanted."""
    roots = settings.environment.get("SSL_CERT_FILE") or certifi.where()
    return httpx.AsyncHTTPTransport(
        verify=ssl.create_default_context(cafile=roots),
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=100, keepalive_expiry=KEEP_ALIVE),
        trust_env=False,
    )


class _Watch:
    """The clock of one call. Every await on a provider goes through it and counts as waiting."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.waited = 0.0

    async def wait(self, awaitable: Awaitable[T], limit: Limit) -> T:
        """What it gives within the limit. Raises UpstreamError for the limit and for what httpx raises."""
        began = self.clock()
        at, klass = limit
        try:
            async with asyncio.timeout(at - began):
                return await awaitable
        except TimeoutError as error:
            raise UpstreamError("The provider took too long.", klass=klass) from error
        except httpx.TimeoutException as error:  # its only time limit is that of connecting
            raise UpstreamError("No connection came about in time.", klass="timeout_connect") from error
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise UpstreamError("The connection failed.", klass="network") from error
        finally:
            self.waited += self.clock() - began

    async def pause(self, sleeping: Awaitable[None]) -> None:
        began = self.clock()
        await sleeping
        self.waited += self.clock() - began

    def ms_since(self, began: float) -> int:
        return round((self.clock() - began) * 1000)


class _Open:
    """An open response: its bytes under time limits, and the way to let go of it."""

    def __init__(self, response: httpx.Response, watch: _Watch, limits: Limits, began: float) -> None:
        self.status = response.status_code
        self.headers = response.headers
        self._response = response
        assert isinstance(response.stream, httpx.AsyncByteStream)
        self._bytes = aiter(response.stream)  # not aiter_raw: one layer less for every chunk
        self._watch = watch
        self._limits = limits
        self._began = began

    @property
    def waited(self) -> float:
        return self._watch.waited

    @property
    def ms(self) -> int:
        return self._watch.ms_since(self._began)

    async def begin(self) -> bytes:
        return await self._watch.wait(anext(self._bytes, b""), self._limits.first)

    async def read(self) -> bytes:
        idle = (self._watch.clock() + self._limits.idle, "timeout_idle")
        return await self._watch.wait(anext(self._bytes, b""), min(idle, self._limits.total))

    async def whole(self, most: int) -> bytes:
        return await self._watch.wait(self._gathered(most), self._limits.first)

    async def drain(self) -> None:
        limit = (self._watch.clock() + DRAIN, "timeout_idle")
        with suppress(UpstreamError):  # the answer is complete: only the connection is lost
            await self._watch.wait(self._gathered(MOST_DRAINED), limit)

    async def aclose(self) -> None:
        await self._response.aclose()

    async def _gathered(self, most: int) -> bytes:
        body = bytearray()
        async for data in self._bytes:
            body += data
            if len(body) > most:
                break
        return bytes(body)


class Relay:
    """Answers calls. One per process; it keeps connections, and nothing of a call."""

    def __init__(
        self,
        transport: httpx.AsyncBaseTransport,
        *,
        rows: Callable[[], Mapping[str, Provider]],
        credential: Callable[[Provider], str | None],
        private_ok: bool,
        translators: Mapping[str, Translator] = TRANSLATORS,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._transport = transport
        self._rows = rows
        self._credential = credential
        self._private_ok = private_ok
        self._translators = translators
        self._clock = clock
        self._sleep = sleep
        self._jitter = jitter

    async def __call__(self, call: Call) -> Answer:
        """The answer: whole, or a stream at its first content. Raises UpstreamError when all attempts failed.

        Cancelling it closes the upstream at once.
        """
        watch, effects = _Watch(self._clock), call.decision.effects
        deadline = call.deadline_from(self._clock())
        failover = Failover(call.decision.candidates, retries=effects.retries, jitter=self._jitter)
        attempts: list[Attempt] = []
        failures: list[UpstreamError] = []
        step = failover.first()
        while step is not None:
            if step.delay:
                await watch.pause(self._sleep(step.delay))
            began = self._clock()
            try:
                answer = await self._attempt(call, step.candidate, watch, deadline)
            except UpstreamError as error:
                klass, status = error.klass, error.upstream_status
                attempts.append(Attempt(step.candidate.id, klass, status, watch.ms_since(began)))
                failures.append(error)
                step = failover.after(step.candidate, error, now=self._clock(), deadline=deadline)
            else:
                answer.attempts = (*attempts, *answer.attempts)
                return answer
        if not failures:
            raise Unavailable("No candidate is left to be asked.")
        raise final_error(failures, attempts, pinned=call.decision.pinned) from failures[-1]

    async def aclose(self) -> None:
        """Closes the connections that were kept."""
        await self._transport.aclose()

    async def _attempt(self, call: Call, candidate: Candidate, watch: _Watch, deadline: float) -> Answer:
        """One call to one candidate. Unless it gives an answer, nothing of it stays open."""
        began, row = self._clock(), self._row(candidate)
        translator, credential = self._translators[row.dialect], self._credential(row)
        order = outgoing(
            call, candidate.model, row, translator, credential=credential, private_ok=self._private_ok
        )
        limits = limits_of(call, candidate, now=began, deadline=deadline)
        response = await watch.wait(self._send(order, limits), limits.first)
        async with AsyncExitStack() as opened:
            upstream = _Open(response, watch, limits, began)
            opened.push_async_callback(upstream.aclose)
            answer = await answered(Asked(call, candidate, row, translator, order), upstream)
            if answer.stream is not None:
                opened.pop_all()
            return answer

    def _row(self, candidate: Candidate) -> Provider:
        row = self._rows().get(candidate.model.provider)
        if row is None or row.dialect not in self._translators:
            raise UpstreamError(f"{candidate.id} has no provider that is served.", klass="not_found")
        return row

    async def _send(self, order: Outgoing, limits: Limits) -> httpx.Response:
        extensions: dict[str, Any] = {"timeout": {"connect": limits.connect, "pool": limits.connect}}
        if not self._private_ok:
            extensions["trace"] = refuse_private
        request = httpx.Request(
            "POST", _url(order.url), headers=order.headers, content=order.body, extensions=extensions
        )
        return await self._transport.handle_async_request(request)


@lru_cache(maxsize=256)
def _url(text: str) -> httpx.URL:
    return httpx.URL(text)

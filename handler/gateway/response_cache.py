"""Answers requests from the cache where a `cache` record applies. Equal requests at once share one answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from handler.answers.answer import Answer
from handler.answers.cached import CacheEntry, answer_of, storable_body
from handler.aws.errors import StoreError
from handler.formats.chat.effects import MAX_TOKENS
from handler.gateway.cache_key import cache_key
from handler.log import RequestLog
from handler.relay.call import Call
from handler.store.answer_cache import AnswerCache, CachedAnswer
from handler.store.background import BackgroundTasks, safe_message

JOIN_WAIT = 60.0  # seconds that a request waits for the answer to an equal one
RETRY = 5.0  # seconds without reads after one that failed
MAX_TASKS = 20  # writes under way; more answers are not stored while the store hangs
# Problems, as the log names them.
NOT_READ = "cached answers not read"
NOT_WRITTEN = "answers not cached"

Report = Callable[[str, dict[str, Any]], None]
Ask = Callable[[], Awaitable[Answer]]
Cached = Callable[[], CachedAnswer | None]  # of an answer; called only if another request waits for it


class ResponseCache:
    """The cache of one instance. Trouble with the store is a miss, and is reported once.

    `now`: epoch seconds; `clock`: monotonic seconds.
    """

    def __init__(
        self, store: AnswerCache, *, report: Report, now: Callable[[], float], clock: Callable[[], float]
    ) -> None:
        self._store = store
        self._report = report
        self._now = now
        self._clock = clock
        self._tasks = BackgroundTasks()  # writes
        self._flights: dict[str, asyncio.Future[Cached]] = {}  # by key: a request that others may wait for
        self._retry_at = float("-inf")
        self._problems: set[str] = set()

    async def answer(self, call: Call, entry: RequestLog, ask: Ask) -> Answer:
        """Return the cached answer, or that of `ask`, which `store` stores later if the request lets it."""
        if not any(call.chat.cache):
            return await ask()
        key = cache_key(call)
        if not all(call.chat.cache):
            return (await self._find_or_ask(key, call, entry, ask))[0]
        if answer := await self._join(key, call, entry):
            return answer
        if key in self._flights:  # it takes too long
            return (await self._find_or_ask(key, call, entry, ask))[0]
        return await self._lead(key, call, entry, ask)

    def store(self, answer: Answer) -> None:
        """Store a recorded answer in the background. Requests that wait for it get it."""
        entry = answer.cache_entry
        if entry is None:
            return
        if entry.leads:  # a stream, which has ended now
            left = bool(answer.attempts) and answer.attempts[-1].failure_class == "cancelled"
            self._land(entry.id, partial(_cached, answer, entry, self._now()), left=left)
        if len(self._tasks) < MAX_TASKS:
            self._tasks.start(self._write(answer, entry), partial(self._failed, NOT_WRITTEN))

    async def settle(self, seconds: float) -> None:
        await self._tasks.settle(seconds)

    async def _join(self, key: str, call: Call, entry: RequestLog) -> Answer | None:
        """Return the answer to an equal request under way, or None. Once its client leaves, another leads."""
        began = self._clock()
        until = min(began + JOIN_WAIT, call.deadline)
        while flight := self._flights.get(key):
            await asyncio.wait({flight}, timeout=max(0.0, until - self._clock()))
            if not flight.cancelled():
                cached = flight.result()() if flight.done() else None
                return cached and self._hit(cached, call, entry, waited=self._clock() - began)
        return None

    async def _lead(self, key: str, call: Call, entry: RequestLog, ask: Ask) -> Answer:
        """Answer while equal requests wait. After a failure each of them goes on by itself."""
        self._flights[key] = asyncio.get_running_loop().create_future()
        try:
            answer, cached = await self._find_or_ask(key, call, entry, ask)
        except BaseException as error:
            self._land(key, lambda: None, left=isinstance(error, asyncio.CancelledError))
            raise
        if answer.cache_entry is not None and not answer.body:  # a stream: its frames are still to come
            answer.cache_entry.leads = True
        else:
            self._land(key, cached)
        return answer

    def _land(self, key: str, cached: Cached, *, left: bool = False) -> None:
        """Give an answer to the requests that wait for it. left: the client left, so one of them asks."""
        flight = self._flights.pop(key)
        if left:
            flight.cancel()
        else:
            flight.set_result(cached)

    async def _find_or_ask(self, key: str, call: Call, entry: RequestLog, ask: Ask) -> tuple[Answer, Cached]:
        if call.chat.cache.read:
            entry.cache = "miss"
            cached = await self._read(key, call)
            if cached is not None and (found := self._hit(cached, call, entry)):
                return found, lambda: cached
        answer = await ask()
        if not call.chat.cache.write:
            return answer, lambda: None
        answer.cache_entry = target = _entry_of(key, call)
        if answer.drive is not None:
            answer.drive = target.record(answer.drive)
        at = self._now()
        return answer, lambda: _cached(answer, target, at)

    def _hit(
        self, cached: CachedAnswer, call: Call, entry: RequestLog, *, waited: float = 0.0
    ) -> Answer | None:
        """Return the answer that a cached one gives, and log it; None if it is no completion."""
        candidate, age = call.decision.candidates[0], self._now() - cached.stored_at
        try:
            answer = answer_of(cached, candidate, call.chat, call.explanation, age=age, waited=waited)
        except ValueError:
            return None
        entry.cache, entry.answer, entry.waited = "hit", answer, waited
        return answer

    async def _read(self, key: str, call: Call) -> CachedAnswer | None:
        if self._clock() < self._retry_at or call.decision.cache is None:
            return None
        try:
            cached = await self._store.get(key, ttl=call.decision.cache.ttl, now=self._now())
        except StoreError as error:
            self._retry_at = self._clock() + RETRY
            self._failed(NOT_READ, error)
            return None
        self._problems.discard(NOT_READ)
        return cached

    async def _write(self, answer: Answer, target: CacheEntry) -> None:
        if cached := await asyncio.to_thread(_cached, answer, target, self._now()):
            await self._store.put(target.id, cached, ttl=target.ttl)
            self._problems.discard(NOT_WRITTEN)

    def _failed(self, problem: str, error: BaseException) -> None:
        if problem not in self._problems:
            self._report(problem, {"problem": safe_message(error, StoreError)})
        self._problems.add(problem)


def _cached(answer: Answer, target: CacheEntry, at: float) -> CachedAnswer | None:
    body = storable_body(answer, target)
    return None if body is None else CachedAnswer(body, at, answer.schema, answer.dropped)


def _entry_of(key: str, call: Call) -> CacheEntry:
    assert call.decision.cache is not None
    return CacheEntry(
        id=key,
        model=call.decision.candidates[0].id,
        ttl=call.decision.cache.ttl,
        limited=any(call.body.get(name) is not None for name in MAX_TOKENS),
        added_cost=call.chat.include_cost,
    )

"""The attempts of one call, in turn until one answers: the ONE loop, for whole answers and for streams.

It also runs on when a stream breaks off behind its commit point and the rule says `resume`, and it starts a
second candidate where the first is silent for `hedge_after`. What may follow a failure is in failover.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from handler.answers.answer import Answer
from handler.answers.resume import Continuation, Sent
from handler.answers.usage import Spent
from handler.errors import AttemptRecord, SchemaMismatch, Unavailable, Unsupported, UpstreamError
from handler.relay.call import SILENT, Call, hedge_after
from handler.relay.failover import Next, failover_of, final_error
from handler.upstream.stopwatch import Stopwatch
from rules import Candidate

# One attempt; raises UpstreamError. The mismatch is that of the candidate's answer before.
Ask = Callable[[Candidate, Continuation | None, SchemaMismatch | None], Awaitable[Answer]]
Observe = Callable[[str, str, float | None], None]  # a candidate's id, the class or "ok", its Retry-After


class Failed(NamedTuple):
    """An attempt without an answer."""

    candidate: Candidate
    error: UpstreamError
    goes_on: Continuation | None


Tried = asyncio.Task[Answer | Failed]


class AttemptLoop:
    """One call, from its first attempt to its last."""

    def __init__(
        self,
        call: Call,
        ask: Ask,
        watch: Stopwatch,
        *,
        deadline: float,
        spent: list[Spent],
        attempts: list[AttemptRecord],
        observe: Observe,
        sleep: Callable[[float], Awaitable[None]],
        jitter: Callable[[], float],
    ) -> None:
        self._call = call
        self._ask = ask
        self._watch = watch
        self._deadline = deadline
        self._spent = spent
        self._observe = observe
        self._sleep = sleep
        self._failover = failover_of(call.decision, jitter)
        self._attempts = attempts
        self._failures: list[Failed] = []
        self._hedged_once = False  # there was a hedge, or time for one
        self._sent: Sent | None = None  # what the client has of an answer that broke off
        self._refused: set[str] = set()  # who refused a prefill
        self._amiss: dict[str, SchemaMismatch] = {}  # whose answer was not what was asked for, by id

    async def answer(self) -> Answer:
        """The answer: whole, or a stream at its first content. Raises UpstreamError when there is none."""
        answer = await self._tried_in_turn(self._failover.first())
        if answer is not None:
            return answer
        if not self._failures:
            raise Unavailable("No candidate is left to be asked.")
        # A candidate that was not asked explains nothing when another one was.
        failures = [each for each in self._failures if not isinstance(each.error, Unsupported)]
        failures, pinned = failures or self._failures, self._call.decision.pinned
        last, errors = failures[-1], [failed.error for failed in failures]
        told = final_error(errors, self._attempts, model=last.candidate.id, pinned=pinned)
        raise told from last.error

    async def _tried_in_turn(self, step: Next | None) -> Answer | None:
        while step is not None:
            if step.delay:
                await self._watch.pause(self._sleep(step.delay))
            after = None if self._hedged_once else hedge_after(self._call, step.candidate)
            self._hedged_once = True
            if after is None:
                tried = await self._attempt(step.candidate)
            else:
                tried = await self._hedged(step.candidate, after)
            if isinstance(tried, Answer):
                return self._won(tried)
            step = self._following(tried)
        return None

    async def _attempt(self, candidate: Candidate) -> Answer | Failed:
        """One attempt. A failure is noted here, an answer when it is the one that is taken."""
        began, goes_on = self._watch.clock(), self._continuation(candidate)
        try:
            return await self._ask(candidate, goes_on, self._amiss.get(candidate.id))
        except Unsupported as error:
            return Failed(candidate, error, goes_on)
        except UpstreamError as error:
            failed = AttemptRecord(
                candidate.id, error.failure_class, error.upstream_status, self._watch.ms_since(began)
            )
            self._attempts.append(
                failed._replace(
                    detail=error.detail, cause=error.cause, dropped=error.dropped, schema=error.schema
                )
            )
            self._observe(candidate.id, error.failure_class, error.retry_after)
            return Failed(candidate, error, goes_on)
        except asyncio.CancelledError:
            self._attempts.append(AttemptRecord(candidate.id, "cancelled", None, self._watch.ms_since(began)))
            self._observe(candidate.id, "cancelled", None)
            raise

    def _won(self, answer: Answer) -> Answer:
        self._attempts += answer.attempts
        self._observe(answer.candidate.id, "ok", None)
        answer.attempts, answer.spent, answer.rescue = self._attempts, self._spent, self._rescued
        return answer

    def _following(self, failed: Failed, *, again: bool = True) -> Next | None:
        candidate, error, goes_on = failed
        self._failures.append(failed)
        if isinstance(error, SchemaMismatch):
            self._amiss[candidate.id] = error
        now = self._watch.clock()
        if goes_on is not None and goes_on.prefill and error.failure_class == "invalid_request":
            self._refused.add(candidate.id)  # it is asked anew, without
            return Next(candidate) if now < self._deadline else None
        return self._failover.after(candidate, error, now=now, deadline=self._deadline, again=again)

    # A stream that breaks off.

    async def _rescued(self, broken: Answer, failure: UpstreamError) -> Answer | None:
        """The answer that goes on with it, None when nobody can."""
        self._observe(broken.candidate.id, failure.failure_class, failure.retry_after)
        told = broken.stream.frames.told if broken.stream else None
        self._sent = told.sent() if told else None
        if self._sent is None:
            return None
        return await self._tried_in_turn(
            self._following(Failed(broken.candidate, failure, None), again=False)
        )

    def _continuation(self, candidate: Candidate) -> Continuation | None:
        sent = self._sent
        if sent is None:
            return None
        able = "prefill" in candidate.model.can and candidate.id not in self._refused
        return Continuation(sent, prefill=able and not sent.text.isspace())

    # A hedge.

    async def _hedged(self, candidate: Candidate, after: float) -> Answer | Failed:
        """What this candidate gives, or a second one that begins when the first is silent for that long."""
        began = self._watch.clock()
        tasks: list[Tried] = [asyncio.create_task(self._attempt(candidate))]
        decisive: Tried | None = None
        try:
            await asyncio.wait(tasks, timeout=after)
            other = None if tasks[0].done() else self._failover.another(candidate)
            if other is not None:
                tasks.append(asyncio.create_task(self._attempt(other)))
            decisive = await self._decisive(tasks)
            if not tasks[0].done() and self._watch.clock() - began >= SILENT:
                self._observe(candidate.id, "timeout_first_token", None)  # so long a silence is a failure
            return decisive.result()
        finally:
            await self._cancel_all([task for task in tasks if task is not decisive])

    async def _decisive(self, tasks: Sequence[Tried]) -> Tried:
        """The first that answers, or whose failure ends the call, or else the last to fail."""
        waiting = list(tasks)
        while True:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in [task for task in waiting if task.done()]:
                waiting.remove(task)
                tried = task.result()
                if isinstance(tried, Answer) or not waiting:
                    return task
                if self._failover.ends(tried.candidate, tried.error):
                    return task
                self._failures.append(tried)
                self._failover.note(tried.candidate, tried.error, self._watch.clock())

    async def _cancel_all(self, tasks: Sequence[Tried]) -> None:
        for task in tasks:
            task.cancel()
        for tried in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(tried, Answer):  # it came together with the one that was taken
                await tried.aclose()
                self._attempts.append(tried.attempts[-1]._replace(failure_class="cancelled"))
                self._observe(tried.candidate.id, "cancelled", None)
                if tried.used is not None:
                    self._spent.append((tried.candidate, tried.used))

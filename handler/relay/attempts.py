"""The attempt loop: asks the candidates of a call in turn until one answers, whole or as a stream.

The loop also drives a stream to its end. When a stream breaks off and the rule says `resume`, the loop asks
another candidate to continue it. failover.py decides what follows a failure; attempt.py makes one attempt.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Mapping
from typing import Any, NamedTuple

from handler.answers.answer import Answer, Stream, read_frames
from handler.answers.resume import Continuation, Sent
from handler.answers.usage import Usage, WastedUsage
from handler.errors import AttemptRecord, NotSent, SchemaMismatch, Unavailable, UpstreamError
from handler.providers.provider import Provider
from handler.providers.registry import TRANSLATORS
from handler.providers.translator import Translator
from handler.relay.attempt import Services, make_attempt
from handler.relay.call import Call, failure_record
from handler.relay.failover import Step, failover_of
from handler.relay.final_error import final_error
from handler.relay.hedging import race
from handler.relay.timeouts import deadline_of, hedge_after
from handler.upstream.client import SILENT, Client, Stopwatch
from handler.wire.sse import DONE, encode
from rules import Candidate

# Called after every attempt, and again if its stream breaks off. Arguments: the candidate's key, the failure
# class or "ok", the Retry-After in seconds.
Observe = Callable[[str, str, float | None], None]


class Relay:
    """Answers calls. There is one per process. It keeps connections, but no state of a call."""

    def __init__(
        self,
        client: Client,
        *,
        credential: Callable[[Provider], str | None],
        translators: Mapping[str, Translator] = TRANSLATORS,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
        observe: Observe = lambda *_: None,
    ) -> None:
        self.services = Services(client, credential, translators)
        self.clock = clock
        self.sleep = sleep
        self.jitter = jitter
        self.observe = observe

    async def complete(
        self, call: Call, wasted: list[WastedUsage] | None = None, attempts: list[AttemptRecord] | None = None
    ) -> Answer:
        """Return the answer: whole, or a stream at its first content. Raises UpstreamError if all fail.

        Cancellation closes the connection to the provider at once. Every attempt is added to `attempts`, and
        the usage of failed ones to `wasted`, so a caller that gets no answer has them too.
        """
        loop = AttemptLoop(
            self,
            call,
            wasted=[] if wasted is None else wasted,
            attempts=[] if attempts is None else attempts,
        )
        return await loop.answer()

    async def aclose(self) -> None:
        """Close the connections that were kept."""
        await self.services.client.aclose()


class Failed(NamedTuple):
    """An attempt without an answer."""

    candidate: Candidate
    error: UpstreamError
    continuation: Continuation | None


class AttemptLoop:
    """One call, from its first attempt to the end of its answer."""

    def __init__(
        self, relay: Relay, call: Call, *, wasted: list[WastedUsage], attempts: list[AttemptRecord]
    ) -> None:
        self._relay = relay
        self._call = call
        self._wasted = wasted
        self._attempts = attempts
        self._stopwatch = Stopwatch(relay.clock)
        self._deadline = deadline_of(call, relay.clock())
        self._failover = failover_of(call.decision, relay.jitter)
        self._failures: list[Failed] = []
        self._in_flight: list[Candidate] = []  # that are being asked, or answer
        self._may_hedge = True  # only the first attempt may
        self._sent: Sent | None = None  # the text that the client has of an answer that broke off
        self._no_prefill: set[str] = set()  # candidates that refused a prefill
        self._mismatches: dict[str, SchemaMismatch] = {}  # by candidate: its last answer did not fit

    async def answer(self) -> Answer:
        """The answer: whole, or a stream at its first content. Raises UpstreamError when there is none."""
        answer = await self._ask_in_turn(self._failover.first())
        if answer is not None:
            return answer
        if not self._failures:
            raise Unavailable("No candidate is left to be asked.")
        # The error is about candidates that were asked, if there are any.
        failures = [each for each in self._failures if not isinstance(each.error, NotSent)]
        failures, pinned = failures or self._failures, self._call.decision.pinned
        last, errors = failures[-1], [failed.error for failed in failures]
        raise final_error(errors, self._attempts, model=last.candidate.id, pinned=pinned) from last.error

    async def _ask_in_turn(self, step: Step | None) -> Answer | None:
        while step is not None:
            if step.delay:
                await self._stopwatch.pause(self._relay.sleep(step.delay))
            after = hedge_after(self._call, step.candidate) if self._may_hedge else None
            self._may_hedge = False
            if after is None:
                result = await self._attempt(step.candidate)
            else:
                result = await self._hedged(step.candidate, after)
            if isinstance(result, Answer):
                return self._accept(result)
            step = self._step_after(result)
        return None

    async def _attempt(self, candidate: Candidate) -> Answer | Failed:
        """One attempt. A failure is recorded here, an answer when it is accepted."""
        began, continuation = self._stopwatch.clock(), self._continuation(candidate)
        span = self._call.trace and self._call.trace.attempt(began)
        self._in_flight.append(candidate)
        try:
            if self._call.reserve is not None:
                await self._call.reserve(self._in_flight, self._wasted)
            answer = await make_attempt(
                self._relay.services,
                self._call,
                candidate,
                continuation=continuation,
                repair_of=self._mismatches.get(candidate.id),
                deadline=self._deadline,
                stopwatch=self._stopwatch,
                wasted=self._wasted,
                span=span,
            )
            if span is not None:
                answer.attempts[-1] = answer.attempts[-1]._replace(span=span)
            return answer
        except NotSent as error:
            self._in_flight.remove(candidate)
            return Failed(candidate, error, continuation)
        except UpstreamError as error:
            self._in_flight.remove(candidate)
            self._attempts.append(failure_record(candidate, error, self._stopwatch.ms_since(began), span))
            self._relay.observe(candidate.key, error.failure_class, error.retry_after)
            return Failed(candidate, error, continuation)
        except asyncio.CancelledError:
            self._in_flight.remove(candidate)
            ms = self._stopwatch.ms_since(began)
            self._attempts.append(
                AttemptRecord(candidate.id, "cancelled", None, ms, account=candidate.account, span=span)
            )
            self._relay.observe(candidate.key, "cancelled", None)
            raise

    def _accept(self, answer: Answer) -> Answer:
        self._attempts += answer.attempts
        self._relay.observe(answer.candidate.key, "ok", None)
        answer.attempts, answer.wasted = self._attempts, self._wasted
        answer.drive, answer.observe = answer.drive or self.frames, self._relay.observe
        return answer

    def _step_after(self, failed: Failed, *, again: bool = True) -> Step | None:
        candidate, error, continuation = failed
        self._failures.append(failed)
        if isinstance(error, SchemaMismatch):
            self._mismatches[candidate.id] = error
        now = self._stopwatch.clock()
        if continuation is not None and continuation.prefill and error.failure_class == "invalid_request":
            self._no_prefill.add(candidate.id)  # it is asked again, without a prefill
            return Step(candidate) if now < self._deadline else None
        return self._failover.after(candidate, error, now=now, deadline=self._deadline, again=again)

    # A stream, to its end.

    async def frames(self, answer: Answer) -> AsyncGenerator[bytes, None]:
        """Yield the stream for the client: one or more server-sent events at a time.

        The last event is `data: [DONE]`, or an error event if the answer broke off. Iterate once. To stop
        early, call `aclose` of this iterator or of the answer.
        """
        stream = answer.stream
        if stream is None:
            if answer.replayed:
                yield answer.replayed
            return
        frames = stream.take_buffered()
        try:
            while True:
                if frames:
                    yield frames
                if not stream.frames.ended:
                    frames = await read_frames(stream.source, stream.frames)
                elif (failure := stream.frames.failure) is None:
                    if not answer.native:
                        yield DONE
                    await stream.source.drain()
                    return
                elif (following := await self._resume(answer, failure)) is not None:
                    stream, frames = following, following.take_buffered()
                else:
                    yield self._break_off(answer, failure)
                    return
        finally:
            await answer.aclose()
            answer.waited = stream.source.waited

    async def _resume(self, answer: Answer, failure: UpstreamError) -> Stream | None:
        """Ask for the rest of a stream that broke off. Returns the stream that continues it, or None."""
        assert answer.stream is not None
        broken = answer.stream
        broken.redact_credential(failure)
        await answer.aclose()
        if answer.used is None:
            return None
        self._relay.observe(answer.candidate.key, failure.failure_class, failure.retry_after)
        # Added before another candidate continues, so that the usage for the client counts this attempt too.
        self._wasted.append((answer.candidate, answer.used))
        self._in_flight.remove(answer.candidate)
        answer.used = Usage()
        self._sent = broken.frames.edits.sent() if broken.frames.edits else None
        if self._sent is None:
            return None
        step = self._step_after(Failed(answer.candidate, failure, None), again=False)
        following = await self._ask_in_turn(step)
        if following is None:
            return None
        answer.candidate, answer.first_token = following.candidate, following.first_token
        answer.stream, answer.resumed = following.stream, following.resumed
        return answer.stream

    def _continuation(self, candidate: Candidate) -> Continuation | None:
        sent = self._sent
        if sent is None:
            return None
        able = "prefill" in candidate.model.can and candidate.id not in self._no_prefill
        return Continuation(sent, prefill=able and not sent.text.isspace())

    def _break_off(self, answer: Answer, failure: UpstreamError) -> bytes:
        """The error event that ends a stream."""
        error = final_error([failure], self._attempts, model=answer.candidate.id, broke_off=True)
        answer.failure = error
        if answer.native:  # the provider's own event, if there is one; else the client's format has its own
            return error.native.body if error.native else b""
        return encode(json.dumps(error.body(), separators=(",", ":")))

    # A hedge.

    async def _hedged(self, candidate: Candidate, after: float) -> Answer | Failed:
        """Ask a candidate, and a second one as well when the first is silent for `after` seconds."""
        began = self._stopwatch.clock()
        failures = len(self._failures)

        def second() -> Coroutine[Any, Any, Answer | Failed] | None:
            other = self._failover.another(candidate)
            return None if other is None else self._attempt(other)

        def settles(result: Answer | Failed) -> bool:
            if isinstance(result, Failed) and not self._failover.ends(result.candidate, result.error):
                self._failures.append(result)
                self._failover.note(result.candidate, result.error, self._stopwatch.clock())
                return False
            overtaken = result.candidate is not candidate and len(self._failures) == failures
            if overtaken and self._stopwatch.clock() - began >= SILENT:
                self._relay.observe(
                    candidate.key, "timeout_first_token", None
                )  # so long a silence is a failure
            return True

        return await race(
            self._attempt(candidate), second, after=after, settles=settles, discard=self._discard
        )

    async def _discard(self, result: Answer | Failed) -> None:
        """Close an answer that came at the same moment as the accepted one."""
        if isinstance(result, Answer):
            await result.aclose()
            self._in_flight.remove(result.candidate)
            self._attempts.append(result.attempts[-1]._replace(failure_class="cancelled"))
            self._relay.observe(result.candidate.key, "cancelled", None)
            if result.used is not None:
                self._wasted.append((result.candidate, result.used))

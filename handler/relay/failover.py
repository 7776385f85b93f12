"""Decides which attempt follows a failed one (contract, section 6). No I/O."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from handler.errors import NotSent, SchemaMismatch, UpstreamError
from rules import Candidate, Decision

BACKOFF = 0.25  # seconds before the first retry, doubling; times 0.5 to 1.5
MAX_RETRY_DELAY = 5.0  # seconds; after a longer Retry-After the next candidate is the better one
MAX_RATE_LIMIT_WAITS = 2
MAX_RATE_LIMIT_WAIT = 20.0  # seconds of one wait

# The failures of an account: another credential of the same provider may do better.
OF_ACCOUNT = frozenset({"auth", "permission", "not_found", "quota", "rate_limit"})


class Step(NamedTuple):
    """The candidate to try next, after `delay` seconds."""

    candidate: Candidate
    delay: float = 0.0


class Failover:
    """The order of attempts of one call: the candidates in turn, retries, waits for a rate limit.

    `pinned`: the id of the one model that the request itself named.
    """

    def __init__(
        self,
        candidates: Sequence[Candidate],
        *,
        retries: int,
        retry_after_max: float,
        jitter: Callable[[], float],
        pinned: str | None = None,
    ) -> None:
        self._queue = deque(candidates)
        self._retries = retries
        self._retry_after_max = retry_after_max
        self._jitter = jitter
        self._pinned = pinned
        self._retries_of: dict[str, int] = {}  # by candidate id
        self._repeated: set[tuple[str, str]] = set()  # key and failure class of what was asked again, once
        self._window: int | None = None  # tokens of the largest window that was too small
        self._limited: dict[str, tuple[float, Candidate]] = {}  # by key: when it may be asked again
        self._waits = 0

    def first(self) -> Step | None:
        return self._next_candidate()

    def another(self, candidate: Candidate) -> Candidate | None:
        """Take the next candidate that is not `candidate` out of the queue, for a hedge."""
        for other in self._queue:
            if other.id != candidate.id:
                self._queue.remove(other)
                return other
        return None

    def ends(self, candidate: Candidate, error: UpstreamError) -> bool:
        """True when no other candidate may follow: a model that the request names is never replaced."""
        if isinstance(error, NotSent):
            return candidate.id == self._pinned
        return not error.action.failover

    def note(self, candidate: Candidate, error: UpstreamError, now: float) -> None:
        """Record what a failure says about later attempts."""
        if error.failure_class == "rate_limit":
            given = error.retry_after
            self._limited[candidate.key] = (now + (2.0**self._waits if given is None else given), candidate)
        if error.failure_class == "context_length":
            self._window = max(self._window or 0, candidate.model.context or 0)
        if isinstance(error, NotSent) or error.failure_class not in OF_ACCOUNT:
            self._drop_accounts(candidate)

    def _drop_accounts(self, candidate: Candidate) -> None:
        """Leave out the other accounts of a candidate, whose failure they would share."""
        self._queue = deque(
            other for other in self._queue if other.id != candidate.id or other.account == candidate.account
        )

    def after(
        self, candidate: Candidate, error: UpstreamError, *, now: float, deadline: float, again: bool = True
    ) -> Step | None:
        """Return the step that follows a failure of `candidate`; None if the call has failed.

        now, deadline: on the same clock. again: the step may be another attempt with `candidate`.
        """
        self.note(candidate, error, now)
        if self.ends(candidate, error):
            return None
        for step in self._steps(candidate, error, now, again=again):
            if step is not None and now + step.delay < deadline:
                return step
        return None

    def _steps(
        self, candidate: Candidate, error: UpstreamError, now: float, *, again: bool
    ) -> Iterator[Step | None]:
        if again:
            yield self._same_candidate(candidate, error)
        yield self._next_candidate()
        yield self._after_rate_limit(now)

    def _same_candidate(self, candidate: Candidate, error: UpstreamError) -> Step | None:
        if isinstance(error, SchemaMismatch):
            # In the next mode, as each of the few can be refused only once; or with a correction, once.
            again = error.answer_text is None or self._first_time(candidate, error)
            return Step(candidate) if again else None
        if error.failure_class == "rate_limit":
            return self._after_short_limit(candidate, error)
        retried = self._retries_of.get(candidate.id, 0)
        if not error.action.retry or retried >= self._retries:
            return None
        delay = error.retry_after
        if delay is None:
            delay = BACKOFF * 2**retried * (0.5 + self._jitter())
        self._retries_of[candidate.id] = retried + 1
        return Step(candidate, delay) if delay <= MAX_RETRY_DELAY else None

    def _after_short_limit(self, candidate: Candidate, error: UpstreamError) -> Step | None:
        """Retry a rate-limited candidate once, where its limit ends soon: it may have the prompt cached."""
        delay = error.retry_after
        if not self._queue or delay is None or delay > self._retry_after_max:
            return None
        if not self._first_time(candidate, error):
            return None
        del self._limited[candidate.key]
        return Step(candidate, delay)

    def _first_time(self, candidate: Candidate, error: UpstreamError) -> bool:
        after = (candidate.key, error.failure_class)
        known = after in self._repeated
        self._repeated.add(after)
        return not known

    def _next_candidate(self) -> Step | None:
        while self._queue:
            candidate = self._queue.popleft()
            self._retries_of.pop(candidate.id, None)  # the same one may be listed again
            window = candidate.model.context
            if self._window is None or window is None or window > self._window:
                return Step(candidate)
        return None

    def _after_rate_limit(self, now: float) -> Step | None:
        if not self._limited or self._waits == MAX_RATE_LIMIT_WAITS:
            return None
        ready, candidate = min(self._limited.values(), key=lambda one: one[0])
        if ready - now > MAX_RATE_LIMIT_WAIT:
            return None
        self._waits += 1
        del self._limited[candidate.key]
        return Step(candidate, max(0.0, ready - now))


def failover_of(decision: Decision, jitter: Callable[[], float]) -> Failover:
    """Make the failover of a decision, with the settings of its rule."""
    effects = decision.effects
    return Failover(
        decision.candidates,
        retries=effects.retries,
        retry_after_max=effects.retry_after_max,
        jitter=jitter,
        pinned=decision.pin,
    )

"""Decides which attempt follows a failed one (contract, section 6). No I/O."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from handler.errors import SchemaMismatch, Unsupported, UpstreamError
from rules import Candidate, Decision

BACKOFF = 0.25  # seconds before the first retry, doubling; times 0.5 to 1.5
# Seconds a Retry-After may hold up a retry; asked for more, the next candidate is the better one.
PATIENCE = 5.0
RATE_LIMIT_WAITS = 2
RATE_LIMIT_PATIENCE = 20.0  # seconds of one wait


class Step(NamedTuple):
    """Whom to try, after how many seconds."""

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
        self._retried: dict[str, int] = {}  # how often, by id
        self._once: set[tuple[str, str]] = set()  # what may be asked again only once: the id, and after what
        self._window: int | None = None  # tokens of the largest window that was too small
        self._limited: dict[str, tuple[float, Candidate]] = {}  # by id: when it may be asked again
        self._waits = 0

    def first(self) -> Step | None:
        return self._onward()

    def another(self, candidate: Candidate) -> Candidate | None:
        """The next one that is not `candidate`, for a hedge; it has had its turn then."""
        for other in self._queue:
            if other.id != candidate.id:
                self._queue.remove(other)
                return other
        return None

    def ends(self, candidate: Candidate, error: UpstreamError) -> bool:
        """True when no other candidate may follow: a model that the request names is never replaced."""
        if isinstance(error, Unsupported):
            return candidate.id == self._pinned
        return not error.action.failover

    def note(self, candidate: Candidate, error: UpstreamError, now: float) -> None:
        """Notes what a failure says about later attempts."""
        if error.failure_class == "rate_limit":
            given = error.retry_after
            self._limited[candidate.id] = (now + (2.0**self._waits if given is None else given), candidate)
        if error.failure_class == "context_length":
            self._window = max(self._window or 0, candidate.model.context or 0)

    def after(
        self, candidate: Candidate, error: UpstreamError, *, now: float, deadline: float, again: bool = True
    ) -> Step | None:
        """What to try once `candidate` has failed; None when that was all. Times on the one clock.

        `again`: it may be `candidate` once more.
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
            yield self._again(candidate, error)
        yield self._onward()
        yield self._once_the_limit_allows(now)

    def _again(self, candidate: Candidate, error: UpstreamError) -> Step | None:
        if isinstance(error, SchemaMismatch):
            # In the next mode (there are few, and each is refused once), or shown what is wrong, once.
            again = error.answer_text is None or self._first_time(candidate, error)
            return Step(candidate) if again else None
        if error.failure_class == "rate_limit":
            return self._soon(candidate, error)
        retried = self._retried.get(candidate.id, 0)
        if not error.action.retry or retried >= self._retries:
            return None
        delay = error.retry_after
        if delay is None:
            delay = BACKOFF * 2**retried * (0.5 + self._jitter())
        self._retried[candidate.id] = retried + 1
        return Step(candidate, delay) if delay <= PATIENCE else None

    def _soon(self, candidate: Candidate, error: UpstreamError) -> Step | None:
        """Retries a rate-limited candidate once, where its limit ends soon: it may have the prompt cached."""
        delay = error.retry_after
        if not self._queue or delay is None or delay > self._retry_after_max:
            return None
        if not self._first_time(candidate, error):
            return None
        del self._limited[candidate.id]
        return Step(candidate, delay)

    def _first_time(self, candidate: Candidate, error: UpstreamError) -> bool:
        after = (candidate.id, error.failure_class)
        known = after in self._once
        self._once.add(after)
        return not known

    def _onward(self) -> Step | None:
        while self._queue:
            candidate = self._queue.popleft()
            self._retried.pop(candidate.id, None)  # the same one may be listed again
            window = candidate.model.context
            if self._window is None or window is None or window > self._window:
                return Step(candidate)
        return None

    def _once_the_limit_allows(self, now: float) -> Step | None:
        if not self._limited or self._waits == RATE_LIMIT_WAITS:
            return None
        ready, candidate = min(self._limited.values(), key=lambda one: one[0])
        if ready - now > RATE_LIMIT_PATIENCE:
            return None
        self._waits += 1
        del self._limited[candidate.id]
        return Step(candidate, max(0.0, ready - now))


def failover_of(decision: Decision, jitter: Callable[[], float]) -> Failover:
    """Makes the failover of a decision, with the settings of its rule."""
    effects = decision.effects
    return Failover(
        decision.candidates,
        retries=effects.retries,
        retry_after_max=effects.retry_after_max,
        jitter=jitter,
        pinned=decision.pin,
    )

"""The circuit breaker: candidates that keep failing are asked last for a while (contract, section 6). No I/O.

    working --- it keeps failing ---------------------------> cooling: last, but still a candidate
       ^                                                       |      ^
       | success                                 time has passed |    | failure: longer than before
       +---------------------- to be probed: in its own place for ONE request of this instance

- Failures count if errors.ACTIONS says `blame`: a mistake of the caller says nothing about a candidate.
- "Keeps failing" means three failures in a row, each at most a minute after the one before. A success takes
  back half a failure, so a candidate whose streams start and break off is noticed, too. For four successes
  after its return, one failure is enough.
- It cools at once after a failure with a Retry-After, and after `auth` and `quota`, which concern the
  gateway's account and not one request. `permission` and `not_found` may concern one request, so they count.
- It cools for its Retry-After (1 s to 10 min), else for 5 s, doubling with every failed probe: up to 60 s for
  failures that an operator has to correct (auth, permission, not_found, quota), up to 20 s for the others. So
  a candidate that recovers has its place back with the first request after at most 20 s.
- While a probe is under way, other requests see the candidate as cooling, with 0 seconds left. The probe is a
  request that asks the candidate first; it ends with its answer, with the request, or after PROBE seconds.

Times are epoch seconds, because instances share them (shared_cooldown.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from handler.errors import ACTIONS
from rules import Fields

FIRST = 5.0  # seconds of the first cooling; they double
LONGEST = 20.0
LONGEST_FOR_OPERATOR = 60.0  # where an operator has to correct something
LONGEST_BY_CLASS = dict.fromkeys(("auth", "permission", "not_found", "quota"), LONGEST_FOR_OPERATOR)
AT_ONCE = frozenset({"auth", "quota"})
MIN_RETRY_AFTER, MAX_RETRY_AFTER = 1.0, 600.0  # seconds
FAILURE, SUCCESS, OPENS = 2, 1, 6  # points added, points taken off, points that open the breaker
IN_A_ROW = 60.0  # seconds between two failures that are in a row
PROBE = 60.0  # seconds after which a probe counts as ended
CLOCK_SKEW = 10.0  # seconds that the clocks of two instances may differ
FORGET = 300.0  # seconds without an attempt after which a candidate counts as working
MAX_CANDIDATES = 1_000

_NONE: Mapping[str, float] = MappingProxyType({})


class Opening(NamedTuple):
    """The start of a candidate's cooling, as other instances get it."""

    at: float
    until: float
    level: int  # how many in a row, this one included


class _Candidate(Fields):
    points: int = 0
    failed_at: float = 0.0
    succeeded_at: float = 0.0
    opening: Opening | None = None  # None: working
    probe: object | None = None  # the request that probes
    probe_until: float = 0.0

    def left(self, now: float) -> float | None:
        """Seconds until it may be probed, 0 during a probe; None when it has its own place."""
        if self.opening is None:
            return None
        if now < self.opening.until:
            return self.opening.until - now
        return 0.0 if self.probe is not None and now < self.probe_until else None


class Cooldown:
    """The breakers of one process. `on_change` gets each opening, and None for each return to work."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self.on_change: Callable[[str, Opening | None], None] = lambda id, opening: None
        self.invalidate()

    def invalidate(self) -> None:
        """Forget everything, as after a restore."""
        self._seen: dict[str, _Candidate] = {}
        self._open: dict[str, _Candidate] = {}  # those of them that are not working

    def observe(self, id: str, failure_class: str, retry_after: float | None = None) -> None:
        """Record an attempt: "ok" or its failure class, and the provider's Retry-After in seconds."""
        now = self._now()
        if failure_class == "ok":
            self._succeeded(id, now)
        elif ACTIONS[failure_class].blame:
            self._failed(id, now, failure_class, retry_after)
        elif id in self._open:
            self._open[id].probe = None

    def cooling(self) -> Mapping[str, float]:
        """The candidates that go last now, with the seconds until they may be probed."""
        if not self._open:
            return _NONE
        now = self._now()
        for id, one in list(self._open.items()):
            if one.opening and now > one.opening.until + FORGET:
                self._close(id, one)
        return {id: left for id, one in self._open.items() if (left := one.left(now)) is not None}

    def probe(self, id: str, holder: object) -> None:
        """Start a probe of the candidate if one is due. `holder`: the request that asks it first."""
        one, now = self._open.get(id), self._now()
        if one is not None and one.left(now) is None:
            one.probe, one.probe_until = holder, now + PROBE

    def release(self, holder: object) -> None:
        """End the probe of a request that is over. If it had no result, another request may probe."""
        for one in self._open.values():
            if one.probe is holder:
                one.probe = None

    def adopt(self, id: str, opening: Opening) -> None:
        """Take over another instance's opening, unless this instance has seen something since."""
        now, one = self._now(), self._of(id)
        until = min(opening.until, opening.at + MAX_RETRY_AFTER)
        current = now - opening.at > -CLOCK_SKEW and now < until + IN_A_ROW
        longer = one.opening is None or one.opening.until < until
        if current and longer and one.succeeded_at < opening.at:
            self._begin(id, one, Opening(opening.at, until, max(opening.level, 1)))

    def reopened(self, ids: Iterable[str]) -> None:
        """Allow a probe of these candidates now, because another instance saw them work again."""
        now = self._now()
        for id in ids:
            one = self._open.get(id)
            if one is not None and one.opening and now < one.opening.until:
                one.opening = Opening(one.opening.at, now, one.opening.level)

    def _succeeded(self, id: str, now: float) -> None:
        one = self._of(id)
        one.succeeded_at, one.points = now, max(0, one.points - SUCCESS)
        if one.opening is not None:
            self._close(id, one)
            one.points = OPENS - FAILURE  # one more failure opens it again
            self.on_change(id, None)

    def _failed(self, id: str, now: float, failure_class: str, retry_after: float | None) -> None:
        one = self._of(id)
        one.points = FAILURE + (one.points if now - one.failed_at <= IN_A_ROW else 0)
        one.failed_at = now
        last = one.opening
        enough = one.points >= OPENS or failure_class in AT_ONCE or bool(retry_after)
        if last is None and not enough:
            return
        # It was asked before it started to cool, or as the last candidate.
        under_way = last is not None and now < last.until
        level = last.level + (0 if under_way else 1) if last else 1
        until = now + _seconds(failure_class, level, retry_after)
        if under_way and last and (not retry_after or until < last.until + FIRST):
            return
        opening = Opening(now, until, level)
        self._begin(id, one, opening)
        self.on_change(id, opening)

    def _begin(self, id: str, one: _Candidate, opening: Opening) -> None:
        one.opening, one.probe = opening, None
        self._open[id] = one

    def _close(self, id: str, one: _Candidate) -> None:
        one.opening, one.probe, one.points = None, None, 0
        self._open.pop(id, None)

    def _of(self, id: str) -> _Candidate:
        """The candidate's state, made the newest. Beyond the limit, the oldest working one is dropped."""
        one = self._seen.pop(id, None) or _Candidate()
        if len(self._seen) >= MAX_CANDIDATES:
            oldest = next((each for each in self._seen if each not in self._open), next(iter(self._seen)))
            del self._seen[oldest]
            self._open.pop(oldest, None)
        self._seen[id] = one
        return one


def _seconds(failure_class: str, level: int, retry_after: float | None) -> float:
    """Seconds to cool, for the `level`th time in a row."""
    if retry_after:
        return min(max(retry_after, MIN_RETRY_AFTER), MAX_RETRY_AFTER)
    return float(min(FIRST * 2 ** min(level - 1, 10), LONGEST_BY_CLASS.get(failure_class, LONGEST)))

"""Which candidates go last for a while because they keep failing (contract, section 6: Cooldown). No I/O.

    working --- it keeps failing ---------------------------> cooling: last, not away
       ^                                                       |      ^
       | success                                     time over |      | failure: longer than before
       +---------------------- to be probed: in its own place for ONE request of this instance

- What counts is `blame` in errors.ACTIONS: a mistake of the caller says nothing of a candidate.
- It keeps failing: three failures in a row, none more than a minute after the one before. A success takes
  back half a failure, so a candidate whose streams begin and break off is noticed too. For four successes
  after its return one failure is enough.
- At once: a failure that says when to come back (Retry-After), and `auth` and `quota`, which are about our
  account and not about one request. `permission` and `not_found` may be about one request, so they count.
- How long: Retry-After (1 s to 10 min), else 5 s, doubling with every failed probe: up to 60 s for what only
  we can mend (auth, permission, not_found, quota), up to 20 s for what may be over at any moment. So one that
  recovers has its place back with the first request after at most 20 s, however long it was away.
- While the probe is under way the others see the candidate as cooling, with 0 seconds left. The probe is a
  request that asks it first; it ends with its answer, with the request, or after PROBE seconds.

Times are epoch seconds, as instances share them (sharing.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from handler.errors import ACTIONS

BEGIN = 5.0  # seconds of the first cooling; it doubles
LONGEST = 20.0
OURS_TO_MEND = 60.0
LONGEST_BY_CLASS = dict.fromkeys(("auth", "permission", "not_found", "quota"), OURS_TO_MEND)
AT_ONCE = frozenset({"auth", "quota"})
ASKED_LEAST, ASKED_MOST = 1.0, 600.0  # seconds of a Retry-After
FAILURE, SUCCESS, OPENS = 2, 1, 6  # points on, points off, and how many open
IN_A_ROW = 60.0  # seconds between two failures that are in a row
PROBE = 60.0  # seconds after which a probe that nobody ended counts as ended
CLOCKS = 10.0  # seconds that the clocks of two instances may differ
FORGET = 300.0  # seconds without news after which a candidate is as good as new
MOST = 1_000  # candidates remembered

_NONE: Mapping[str, float] = MappingProxyType({})


class Opening(NamedTuple):
    """A candidate begins to cool: what other instances are told."""

    at: float
    until: float
    level: int  # how many in a row, this one included


@dataclass(slots=True)
class _Candidate:
    points: int = 0
    failed_at: float = 0.0
    succeeded_at: float = 0.0
    opening: Opening | None = None  # None: working
    probe: object | None = None  # whose it is
    probe_until: float = 0.0

    def left(self, now: float) -> float | None:
        """Seconds until it may be probed, 0 while it is; None when it has its own place."""
        if self.opening is None:
            return None
        if now < self.opening.until:
            return self.opening.until - now
        return 0.0 if self.probe is not None and now < self.probe_until else None


class Cooldown:
    """One per process. `on_change` is told of each opening, and with None of each return to work."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self.on_change: Callable[[str, Opening | None], None] = lambda id, opening: None
        self.invalidate()

    def invalidate(self) -> None:
        """Forgets everything: what was known before a restore is old."""
        self._seen: dict[str, _Candidate] = {}
        self._open: dict[str, _Candidate] = {}  # those of them that do not work

    def observe(self, id: str, failure_class: str, retry_after: float | None = None) -> None:
        """What became of an attempt: "ok" or its class of failure, and the seconds the provider asked for."""
        now = self._now()
        if failure_class == "ok":
            self._succeeded(id, now)
        elif ACTIONS[failure_class].blame:
            self._failed(id, now, failure_class, retry_after)
        elif id in self._open:
            self._open[id].probe = None

    def cooling(self) -> Mapping[str, float]:
        """The candidates that go last now, with the seconds until they are to be probed."""
        if not self._open:
            return _NONE
        now = self._now()
        for id, one in list(self._open.items()):
            if one.opening and now > one.opening.until + FORGET:
                self._close(id, one)
        return {id: left for id, one in self._open.items() if (left := one.left(now)) is not None}

    def probe(self, id: str, holder: object) -> None:
        """`holder` is about to ask this candidate first: its probe, if it is to be probed."""
        one, now = self._open.get(id), self._now()
        if one is not None and one.left(now) is None:
            one.probe, one.probe_until = holder, now + PROBE

    def release(self, holder: object) -> None:
        """The request of `holder` is over: where it was a probe and taught nothing, the next one is."""
        for one in self._open.values():
            if one.probe is holder:
                one.probe = None

    def adopt(self, id: str, opening: Opening) -> None:
        """What another instance saw. It counts unless this one has seen something since."""
        now, one = self._now(), self._of(id)
        until = min(opening.until, opening.at + ASKED_MOST)
        current = now - opening.at > -CLOCKS and now < until + IN_A_ROW
        longer = one.opening is None or one.opening.until < until
        if current and longer and one.succeeded_at < opening.at:
            self._begin(id, one, Opening(opening.at, until, max(opening.level, 1)))

    def reopened(self, ids: Iterable[str]) -> None:
        """Another instance saw these at work again: they may be probed now."""
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
            one.points = OPENS - FAILURE  # one more failure soon, as of a stream that began and breaks off
            self.on_change(id, None)

    def _failed(self, id: str, now: float, failure_class: str, retry_after: float | None) -> None:
        one = self._of(id)
        one.points = FAILURE + (one.points if now - one.failed_at <= IN_A_ROW else 0)
        one.failed_at = now
        last = one.opening
        enough = one.points >= OPENS or failure_class in AT_ONCE or bool(retry_after)
        if last is None and not enough:
            return
        under_way = (
            last is not None and now < last.until
        )  # it was asked before it began to cool, or as the last
        level = last.level + (0 if under_way else 1) if last else 1
        until = now + _seconds(failure_class, level, retry_after)
        if under_way and last and (not retry_after or until < last.until + BEGIN):
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
        """What is known of it, as the newest. Names come from callers: the oldest that works gives way."""
        one = self._seen.pop(id, None) or _Candidate()
        if len(self._seen) >= MOST:
            oldest = next((each for each in self._seen if each not in self._open), next(iter(self._seen)))
            del self._seen[oldest]
            self._open.pop(oldest, None)
        self._seen[id] = one
        return one


def _seconds(failure_class: str, level: int, retry_after: float | None) -> float:
    """How long to cool, for the `level`th time in a row."""
    if retry_after:
        return min(max(retry_after, ASKED_LEAST), ASKED_MOST)
    return float(min(BEGIN * 2 ** min(level - 1, 10), LONGEST_BY_CLASS.get(failure_class, LONGEST)))

"""The counters of a request: one for each limit and budget that applies, window, and value of `each`. No I/O.

Windows are fixed, in UTC (contract, section 8).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from urllib.parse import quote

from handler.store.usage_totals import id_part
from rules import AppliedLimit, BudgetRecord, Candidate, Decision, Facts, LimitRecord

LONGEST_BUCKET = 64  # characters of a value in the id of a counter; a longer one is hashed
RETENTION = timedelta(days=2)  # that an item outlives its window
# Values of `each` that callers choose. The number of their counters is bounded.
CHOSEN_BY_CALLER = frozenset({"user", "session", "agent"})
SHARED = "(shared)"  # the counter of all values beyond that bound


@dataclass(frozen=True, slots=True)
class Counter:
    """One counter. `limit`: the most requests, tokens or nano-dollars of its window."""

    record: LimitRecord | BudgetRecord = field(compare=False)
    bucket: str  # the value of `each`, as the id has it
    window: str  # 2026-11-29T21:46, 2026-11-29T21, 2026-11-29 or 2026-11
    ends: float = field(compare=False)  # epoch seconds
    id: str = field(init=False)  # of its item in State

    def __post_init__(self) -> None:
        record = self.record
        parts = ("count", self.window, record.kind, record.unit, record.id, self.bucket)
        object.__setattr__(self, "id", "/".join(map(id_part, parts)))

    @property
    def limit(self) -> int:
        return self.record.amount

    @property
    def reserves(self) -> bool:
        """True if an amount is reserved first and settled later; False for requests, which count at once."""
        return self.record.unit != "requests"

    @property
    def bounded(self) -> bool:
        """True if callers choose how many counters there are of the record."""
        each = self.record.each or ""
        return each in CHOSEN_BY_CALLER or each.startswith("tag.")

    @property
    def series(self) -> tuple[str, ...]:
        """The parts of the id that the counters of all windows have in common."""
        return self.record.kind, self.record.id, self.bucket

    @property
    def census_id(self) -> str:
        """The id of the item that counts this record's counters in this window."""
        return f"{self.id.rpartition('/')[0]}/{quote('(counters)', safe='')}"

    @property
    def expires_at(self) -> int:
        """When DynamoDB may delete the item, in epoch seconds."""
        return int(self.ends + RETENTION.total_seconds())

    @property
    def value(self) -> str:
        """The value of `each`, or a hash of a long one."""
        return self.bucket.removeprefix("=")

    def shared(self) -> Counter:
        """Return the counter of the values that have none of their own."""
        return Counter(self.record, SHARED, self.window, self.ends)

    def need(self, candidate: Candidate) -> int:
        """Return the most that one attempt with `candidate` can add."""
        return NEEDS[self.record.unit](candidate)


# By unit, the most that one attempt with a candidate can use. A request counts once, whatever is tried.
NEEDS: Mapping[str, Callable[[Candidate], int]] = {
    "requests": lambda _: 1,
    "tokens": lambda candidate: candidate.tokens,
    "usd": lambda candidate: candidate.cost_max or 0,
}


def counters_of(decision: Decision, now: datetime) -> Iterator[tuple[Counter, AppliedLimit]]:
    """Yield the counters that a decision's candidates are counted by. `now`: in UTC."""
    for limit in decision.limits:
        window, ends = WINDOWS[limit.record.per](now)
        yield Counter(limit.record, bucket_of(limit.record.each, decision.facts), window, ends), limit


def bucket_of(each: str | None, facts: Facts) -> str:
    """Return the value of `each` as the ids of counters have it."""
    if each is None:
        return "*"
    tag = each.removeprefix("tag.")
    return bucket_of_value(facts.tags.get(tag) if tag != each else getattr(facts, each))


def bucket_of_value(value: str | None) -> str:
    """Return a value, hashed if it is long. Absent values share one counter, that of the empty text."""
    text = f"={value}" if value else "="
    if len(text) > LONGEST_BUCKET:
        text = "sha256:" + sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return text


def _window(text: str, starts: datetime, length: timedelta) -> tuple[str, float]:
    return text, (starts + length).timestamp()


def _minute(now: datetime) -> tuple[str, float]:
    starts = now.replace(second=0, microsecond=0)
    return _window(f"{starts:%Y-%m-%dT%H:%M}", starts, timedelta(minutes=1))


def _hour(now: datetime) -> tuple[str, float]:
    starts = now.replace(minute=0, second=0, microsecond=0)
    return _window(f"{starts:%Y-%m-%dT%H}", starts, timedelta(hours=1))


def _day(now: datetime) -> tuple[str, float]:
    starts = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return _window(f"{starts:%Y-%m-%d}", starts, timedelta(days=1))


def _month(now: datetime) -> tuple[str, float]:
    december = now.month == 12
    ends = datetime(now.year + december, 1 if december else now.month + 1, 1, tzinfo=UTC)
    return f"{now:%Y-%m}", ends.timestamp()


# By `per`, the name and the end of the window that a time is in.
WINDOWS: Mapping[str, Callable[[datetime], tuple[str, float]]] = {
    "minute": _minute,
    "hour": _hour,
    "day": _day,
    "month": _month,
}

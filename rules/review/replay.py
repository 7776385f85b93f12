"""Decides recorded requests under two rule sets, and reports what the second one changes.

Both sets decide each request, with the providers that had a credential when it was made and nothing cooling
down. The speeds are those that were measured over all samples.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from statistics import fmean
from typing import Any, NamedTuple

from rules.admission import LiveState
from rules.catalog.price import NANO
from rules.decide import decide
from rules.decision import Candidate, Decision
from rules.review.applying import APPLYING, Key, Side
from rules.review.changes import Change, Why, why_changed
from rules.review.samples import Sample
from rules.review.unanswerable import Questions

MAX_EXAMPLES = 10
MAX_ROWS = 50  # of each table of the report
_OF_EXAMPLES = ("project", "key", "function", "operation", "model", "input_tokens")  # facts
# What may go wrong in the decision on facts that no gateway has written.
ODD = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


class Outcome(NamedTuple):
    """The result of a decision: the first candidate, or the code of the refusal."""

    model: str | None
    refused: str | None

    @classmethod
    def of(cls, decision: Decision) -> Outcome:
        if decision.refusal is not None:
            return cls(None, decision.refusal.code)
        return cls(decision.candidates[0].id, None)

    def as_json(self) -> dict[str, str]:
        return {"model": self.model} if self.model else {"refused": self.refused or ""}


class Replay:
    """Decides samples one by one, so that a caller can do other work in between, and adds up the report."""

    def __init__(self, before: Side, after: Side, first_token: Mapping[str, float]) -> None:
        self._before, self._after = before, after
        self._first_token = first_token
        self._questions = [Questions(side.ruleset) for side in (before, after)]
        self._live: dict[tuple[Any, ...], LiveState] = {}
        self._counts: Counter[str] = Counter()
        self._changes: defaultdict[tuple[Outcome, Outcome, Why], list[Sample]] = defaultdict(list)
        self._numbers: Counter[tuple[Outcome, Outcome, Why]] = Counter()
        self._applied: tuple[Counter[Key], Counter[Key]] = Counter(), Counter()
        self._costs: Counter[str] = Counter()

    def skip(self) -> None:
        """Count a sample that cannot be read."""
        self._counts["skipped"] += 1

    def add(self, sample: Sample) -> None:
        """Decide one sample under both sets. One whose facts no gateway can have written is skipped."""
        try:
            before, after = self._decide(sample, self._before), self._decide(sample, self._after)
        except ODD:
            return self.skip()
        self._count(sample, before, after)
        for side, decision, applied in zip(
            (self._before, self._after), (before, after), self._applied, strict=True
        ):
            applied.update({*side.applying(decision)})
        if any(each.unanswerable(sample) for each in self._questions):
            self._counts["inexact"] += 1
        return None

    def _decide(self, sample: Sample, side: Side) -> Decision:
        live = self._live_of(sample, side)
        return decide(sample.facts, side.ruleset, side.catalog, live, frozenset(sample.spent))

    def _live_of(self, sample: Sample, side: Side) -> LiveState:
        """Return the state of that time, as the records of this side change it."""
        old = sample.revision != self._before.ruleset.revision
        key = (side is self._after, sample.available, sample.default_access, old)
        if (found := self._live.get(key)) is not None:
            return found
        available = frozenset(sample.available) | (self._before.providers if old else frozenset())
        if side is self._after:  # of a new provider the credential is assumed to be there
            added, removed = (
                side.providers - self._before.providers,
                self._before.providers - side.providers - side.default_on,
            )
            available = (available | added) - removed
        self._live[key] = live = side.live.replaced(
            available=available, default_access=sample.default_access, first_token=self._first_token
        )
        return live

    def _count(self, sample: Sample, before: Decision, after: Decision) -> None:
        was, now = Outcome.of(before), Outcome.of(after)
        self._counts[_change_of(was, now)] += 1
        self._counts["effects"] += was == now and before.effects != after.effects
        if was != now:
            why = why_changed(Change(self._before.ruleset, self._after.ruleset, before, after))
            self._numbers[was, now, why] += 1
            examples = self._changes[was, now, why]
            if len(examples) < MAX_EXAMPLES:
                examples.append(sample)
        self._add_costs(sample, before, after)

    def _add_costs(self, sample: Sample, before: Decision, after: Decision) -> None:
        """Add what the recorded usage costs at the first candidate of each decision."""
        if not sample.usage:
            self._costs["without_usage"] += 1
            return
        was, now = _cost(sample, before), _cost(sample, after)
        if was is None or now is None:
            self._costs["unpriced"] += 1
            return
        self._costs.update({"before": was, "after": now, "priced": 1})

    def report(self) -> dict[str, Any]:
        """Return the report as JSON."""
        counts, costs = self._counts, self._costs
        decided = sum(counts[name] for name in ("same", "moved", "refused", "admitted", "still_refused"))
        names = ("same", "moved", "refused", "admitted", "still_refused", "effects", "inexact", "skipped")
        return {
            "revisions": {"before": self._before.ruleset.revision, "after": self._after.ruleset.revision},
            "samples": decided + counts["skipped"],
            **{name: counts[name] for name in names},
            "changes": [
                {"count": count, **_row(*change)} for change, count in self._numbers.most_common(MAX_ROWS)
            ],
            "more_changes": max(0, len(self._numbers) - MAX_ROWS),
            "cost": {
                "before": costs["before"] / NANO,
                "after": costs["after"] / NANO,
                "difference": (costs["after"] - costs["before"]) / NANO,
                **{name: costs[name] for name in ("priced", "unpriced", "without_usage")},
            },
            "unused": [_record(key) for key in self._unused()],
            "no_longer_used": [*self._no_longer_used()],
            "examples": [*self._examples()],
        }

    def _unused(self) -> list[Key]:
        """Return the records of the new set that apply to no sample."""
        ruleset = self._after.ruleset
        records = (record for kind in APPLYING for record in ruleset.enabled(kind))
        return [key for record in records if not self._applied[1][key := (record.kind, record.id)]]

    def _no_longer_used(self) -> Iterator[dict[str, Any]]:
        """Yield the records that applied to samples before, and now to none."""
        left = {(record.kind, record.id) for record in self._after.ruleset.records if record.enabled}
        for key, count in sorted(self._applied[0].items()):
            if not self._applied[1][key]:
                yield {**_record(key), "samples": count, "removed": key not in left}

    def _examples(self) -> Iterator[dict[str, Any]]:
        """Yield one sample of each change in turn, those of the most frequent change first."""
        ordered = [
            (change, samples)
            for change, _ in self._numbers.most_common()
            if (samples := self._changes.get(change))
        ]
        rounds = ((change, each[n]) for n in range(MAX_EXAMPLES) for change, each in ordered if n < len(each))
        for (change, sample), _ in zip(rounds, range(MAX_EXAMPLES), strict=False):
            facts = sample.facts
            request = {name: getattr(facts, name) for name in _OF_EXAMPLES}
            yield {"at": sample.at, "request_id": sample.request_id, **request, **_row(*change)}


def measured(times: Iterable[tuple[str | None, float | None]]) -> dict[str, float]:
    """Return the mean seconds to first token of each model. `times`: model and seconds of each sample."""
    by_model = defaultdict(list)
    for model, seconds in times:
        if model and seconds is not None:
            by_model[model].append(seconds)
    return {model: fmean(listed) for model, listed in by_model.items()}


def _change_of(was: Outcome, now: Outcome) -> str:
    if was.model and now.model:
        return "same" if was == now else "moved"
    if was.model or now.model:
        return "refused" if was.model else "admitted"
    return "still_refused"


def _row(was: Outcome, now: Outcome, why: Why) -> dict[str, Any]:
    return {"from": was.as_json(), "to": now.as_json(), "why": why.as_json()}


def _record(key: Key) -> dict[str, str]:
    return dict(zip(("kind", "id"), key, strict=True))


def _cost(sample: Sample, decision: Decision) -> int | None:
    """Return the nano-dollars of the recorded usage at the first candidate; None if its price is unknown."""
    if decision.refusal is not None:
        return 0
    first: Candidate = decision.candidates[0]
    if first.id == sample.served and sample.cost is not None:
        return sample.cost
    if first.price is None:
        return None
    price = first.price.of_request(sample.service_tier, sample.longest_input)
    return sum(price.costs(sample.usage).values())

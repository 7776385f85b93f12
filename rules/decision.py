"""The result of decide(): candidates in order, why other models were rejected, and a step for each record."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from functools import cached_property
from types import MappingProxyType
from typing import Any, NamedTuple

from rules.affinity import Affinity
from rules.catalog.catalog import Model
from rules.catalog.price import NANO, Price
from rules.facts.facts import FAMILIES, VOCABULARY, Facts, fact_getter
from rules.frozen import Frozen
from rules.records.kinds import BudgetRecord, CacheRecord, LimitRecord
from rules.records.problem import Problem

MAX_REJECTIONS = 20  # in an explanation

NONE: Mapping[str, Any] = MappingProxyType({})


class Reason(StrEnum):
    """The step of the policy that chose the model."""

    REQUESTED = "requested"
    RULE = "rule"
    PREFERENCE = "preference"
    BUDGET = "budget"
    FALLBACK = "fallback"  # a later candidate answered: in headers and log only


class Candidate(Frozen, kw_only=False):
    """A model that may be tried. Costs are in nano-dollars, None when the price is unknown.

    `assumed_price`: that of a model without a price, the highest at its provider. `account`: the name of the
    credential to use, where its provider has several; each is a candidate of its own.
    """

    model: Model
    cost_min: int | None = None
    cost_max: int | None = None
    cooling: float | None = None  # seconds until it is no longer last; None: it is not cooling down
    assumed_price: Price | None = None
    tokens: int = 0  # the most that the request can use: the estimate of its input, and the largest output
    account: str | None = None

    @cached_property
    def id(self) -> str:
        return self.model.id

    @property
    def key(self) -> str:
        """The name under which it cools down: two accounts of a model fail separately."""
        return candidate_key(self.id, self.account)

    @property
    def price(self) -> Price | None:
        """The price that its costs are calculated with; None if its provider has no price at all."""
        return self.model.price or self.assumed_price

    @property
    def price_assumed(self) -> bool:
        return self.model.price is None and self.assumed_price is not None


def candidate_key(id: str, account: str | None) -> str:
    return id if account is None else f"{id} {account}"


class Rejection(NamedTuple):
    model: str
    why: str


class AppliedLimit(NamedTuple):
    """A limit or budget record that counts the request, if one of these candidates is tried."""

    record: LimitRecord | BudgetRecord
    candidates: frozenset[str]  # their ids
    spent: bool = False  # a budget whose `then` chose the model: it is counted, and refuses nothing

    def explain(self) -> dict[str, Any]:
        record = self.record
        amount = float(record.usd) if isinstance(record, BudgetRecord) else record.amount
        each = {"each": record.each} if record.each else {}
        return {"kind": record.kind, "id": record.id, record.unit: amount, "per": record.per, **each}


class Step(NamedTuple):
    """The outcome of one record: "applied", "matched, but route/x goes first (its priority is higher)",
    "disabled", "out of scope", "failed: hour gt 18, got 12".
    """

    kind: str
    id: str
    outcome: str


class Steps(Sequence[Step]):
    """Steps that are made when they are first looked at: few requests ask for an explanation."""

    def __init__(self, make: Callable[[], tuple[Step, ...]]) -> None:
        self._make = make

    @cached_property
    def _made(self) -> tuple[Step, ...]:
        return self._make()

    def __getitem__(self, index: Any) -> Any:
        return self._made[index]

    def __len__(self) -> int:
        return len(self._made)

    def __eq__(self, other: object) -> bool:
        return self._made == tuple(other) if isinstance(other, Sequence) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._made)


class Refusal(NamedTuple):
    """The error of a request without candidates."""

    code: str  # of contract section 7: model_not_found, model_not_allowed, no_candidate, ...
    message: str
    param: str | None = None


class Effects(NamedTuple):
    """The effects of the route that applies, whatever chose the model."""

    set: Mapping[str, Any] = NONE
    defaults: Mapping[str, Any] = NONE
    cap: Mapping[str, Any] = NONE
    allow_fields: tuple[str, ...] = ()
    timeouts: Mapping[str, float] = NONE  # seconds: connect, first_token, idle, total
    retries: int = 1
    hedge_after: float | None = None  # seconds
    retry_after_max: float = 3.0  # the longest Retry-After, in seconds, that is waited for
    recovery: str = "error"  # error | resume | buffer


class Decision(Frozen):
    """The models that may answer a request, and why. No provider was called for it."""

    facts: Facts
    reason: Reason
    rule: str | None = None
    candidates: tuple[Candidate, ...] = ()
    fallbacks: frozenset[str] = frozenset()  # ids of the candidates that `reason` did not choose
    rejections: tuple[Rejection, ...] = ()
    steps: Sequence[Step] = ()
    problems: tuple[Problem, ...] = ()  # records that cannot be read
    refusal: Refusal | None = None
    effects: Effects = Effects()
    cache: CacheRecord | None = None  # the record that lets the answer be cached
    limits: tuple[AppliedLimit, ...] = ()
    prefer: str | None = None
    affinity: Affinity | None = None  # of the first candidate, if it has equals
    pinned: bool = False  # the request named exactly one provider/model
    revision: str = ""
    stale: bool = False

    @property
    def pin(self) -> str | None:
        """The id of the model that the request named exactly, if it did."""
        named = (candidate.id for candidate in self.candidates if candidate.id not in self.fallbacks)
        return next(named, None) if self.pinned else None

    def explain(self, *, visible: frozenset[tuple[str, str]] | None = None) -> dict[str, Any]:
        """Return the JSON of contract section 8. `visible`: (kind, id) of the records to show; None: all."""
        shown = [step for step in self.steps if visible is None or (step.kind, step.id) in visible]
        records = [(limit, (limit.record.kind, limit.record.id)) for limit in self.limits]
        limits = [limit.explain() for limit, record in records if visible is None or record in visible]
        explanation: dict[str, Any] = {
            "reason": str(self.reason),
            "rule": self.rule,
            "revision": self.revision,
            "stale": self.stale,
            "prefer": self.prefer,
            "candidates": [_candidate(candidate) for candidate in self.candidates],
            "rejections": [rejection._asdict() for rejection in self.rejections[:MAX_REJECTIONS]],
            "steps": [step._asdict() for step in shown],
            "limits": limits,
            "timeouts": dict(self.effects.timeouts),
            "facts": _facts(self.facts),
        }
        if self.affinity is not None:
            explanation["affinity"] = self.affinity.explain()
        if self.cache is not None:
            explanation["cache"] = self.cache.id
        if problems := [each for each in self.problems if visible is None or each.covers(self.facts)]:
            explanation["problems"] = [each.as_json() for each in problems]
        if len(self.rejections) > MAX_REJECTIONS:
            explanation["more_rejections"] = len(self.rejections) - MAX_REJECTIONS
        if self.refusal:
            explanation["error"] = self.refusal._asdict()
        return explanation


def _candidate(candidate: Candidate) -> dict[str, Any]:
    low, high = candidate.cost_min, candidate.cost_max
    cost = None if low is None or high is None else {"min": low / NANO, "max": high / NANO}
    if cost and candidate.price_assumed:
        cost["assumed"] = True
    cooling = {} if candidate.cooling is None else {"cooling": round(candidate.cooling, 1)}
    account = {} if candidate.account is None else {"credential": candidate.account}
    return {"model": candidate.id, **account, "cost": cost, **cooling}


def _facts(facts: Facts) -> dict[str, Any]:
    """Return the facts that a condition may name, without the absent ones."""
    known = {name: fact_getter(name)(facts) for name in (*VOCABULARY, *FAMILIES)}
    return {name: value for name, value in known.items() if value is not None and value != {}}

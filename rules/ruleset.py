"""A rule set: the records in force, what could not be read of them, and which of them apply to a request.

A bad record changes nothing: its last readable version stays in force; where there never was one it is
skipped, except that a new unreadable `access` or `budget` whose scope can be read refuses that scope.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple

from rules.adopting import Name, Problem, adopt
from rules.catalog import Catalog
from rules.conditions import Condition
from rules.decision import Step
from rules.facts import Facts
from rules.names import Names
from rules.record import Enforced, Record
from rules.records import (
    KINDS,
    AccessRecord,
    AliasRecord,
    BudgetRecord,
    LimitRecord,
    ProviderRecord,
    RouteRecord,
)

# The kinds that decide, in the order of their steps.
RULES = (RouteRecord, AccessRecord, LimitRecord, BudgetRecord)


class Matched(NamedTuple):
    """The records that apply, of each kind in order. The first route is the one that holds.

    In the other three `model` means the candidate: ask `record.holds_for(facts, names)` for each of them.
    """

    routes: tuple[RouteRecord, ...]
    access: tuple[AccessRecord, ...]
    limits: tuple[LimitRecord, ...]
    budgets: tuple[BudgetRecord, ...]
    steps: tuple[Step, ...]


class _Line(NamedTuple):
    """One rule as it is asked of every request. Its steps that never vary are made once."""

    record: Record
    asked: tuple[Condition, ...]
    matched: Step
    outside: Step
    disabled: Step

    def step(self, facts: Facts) -> Step:
        record, asked, matched, outside, disabled = self
        if not record.enabled:
            return disabled
        if not record.scope.covers(facts):
            return outside
        for condition in asked:
            fact = condition.look_up(facts)
            if not condition.holds_of(fact):
                return Step(matched.kind, matched.id, condition.failed(fact))
        return matched


def _line(record: Record) -> _Line:
    per_candidate = isinstance(record, Enforced)
    asked = tuple(each for each in record.when if not (per_candidate and each.fact == "model"))
    steps = (Step(record.kind, record.id, outcome) for outcome in ("matched", "out of scope", "disabled"))
    return _Line(record, asked, *steps)


@dataclass(frozen=True, slots=True)
class RuleSet:
    """Made by `read`; never changed."""

    EMPTY: ClassVar[RuleSet]

    revision: str
    records: tuple[Record, ...]
    problems: tuple[Problem, ...] = ()
    items: Mapping[Name, Mapping[str, Any]] = field(default_factory=dict, repr=False)  # raw, as in force
    _lines: tuple[_Line, ...] = field(init=False, repr=False, compare=False)
    _enabled: Mapping[str, tuple[Record, ...]] = field(init=False, repr=False, compare=False)
    _aliases: Mapping[str, tuple[str, ...]] = field(init=False, repr=False, compare=False)
    _refusing: frozenset[str] = field(init=False, repr=False, compare=False)  # pins that are not listed

    def __post_init__(self) -> None:
        rules = (record for rule in RULES for record in self.records if isinstance(record, rule))
        object.__setattr__(self, "_lines", tuple(_line(record) for record in rules))
        enabled: dict[str, list[Record]] = {}
        for record in self.records:
            if record.enabled:
                enabled.setdefault(record.kind, []).append(record)
        object.__setattr__(self, "_enabled", {kind: tuple(listed) for kind, listed in enabled.items()})
        aliases = {each.id.lower(): each.models for each in self.of("alias") if isinstance(each, AliasRecord)}
        providers = (each for each in self.of("provider") if isinstance(each, ProviderRecord))
        refusing = frozenset(each.id for each in providers if each.unlisted == "refuse")
        object.__setattr__(self, "_aliases", aliases)
        object.__setattr__(self, "_refusing", refusing)

    @classmethod
    def read(
        cls, items: Iterable[Any], *, previous: Mapping[Name, Mapping[str, Any]] = MappingProxyType({})
    ) -> RuleSet:
        """`previous`: the items of the set that is in force now. Raises RuleSetTooLarge, and nothing else."""
        adopted, problems = adopt(items, previous)
        return cls(
            revision=_revision(adopted[name].text for name in sorted(adopted)),
            records=tuple(sorted((reading.record for reading in adopted.values()), key=_order)),
            problems=tuple(problems),
            items=MappingProxyType({name: reading.item for name, reading in adopted.items()}),
        )

    def of(self, kind: str) -> tuple[Record, ...]:
        """The enabled records of one kind, the most specific first."""
        return self._enabled.get(kind, ())

    def names(self, catalog: Catalog, admitted: Callable[[str], bool] = lambda id: False) -> Names:
        """`admitted`: whether a pattern without `*` admits the pin of this id to the request."""
        return Names(catalog, self._aliases, self._refusing, admitted)

    def matching(self, facts: Facts) -> Matched:
        steps = []
        applying: dict[type[Record], list[Any]] = {rule: [] for rule in RULES}
        for line in self._lines:
            step = line.step(facts)
            steps.append(step)
            if step is line.matched:
                applying[type(line.record)].append(line.record)
        routes, access, limits, budgets = (tuple(applying[rule]) for rule in RULES)
        return Matched(routes, access, limits, budgets, tuple(steps))

    def refusing(self, facts: Facts) -> Problem | None:
        """The unreadable record that refuses these facts' scope, if there is one."""
        return next((problem for problem in self.problems if problem.refuses(facts)), None)


def _revision(texts: Iterable[str]) -> str:
    return sha256("\n".join(texts).encode()).hexdigest()[:12]


_PLACES = {kind: place for place, kind in enumerate(KINDS)}


def _order(record: Record) -> tuple[Any, ...]:
    """By kind, then the most specific scope, then the higher priority, then the id."""
    return _PLACES[record.kind], record.scope.specificity, -record.priority, record.id


RuleSet.EMPTY = RuleSet.read(())

"""A rule set: the records in force, what could not be read of them, and which of them apply to a request.

A bad record changes nothing: its last readable version stays in force; where there never was one it is
skipped, except that a new unreadable `access` or `budget` refuses the project or key that its scope names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple

from rules.adoption import Name, Problem, adopt
from rules.catalog.catalog import Catalog
from rules.catalog.names import Names
from rules.decision import Step
from rules.facts.facts import Facts
from rules.records.base import Enforced, Record
from rules.records.conditions import Condition
from rules.records.kinds import (
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


MOST_REMEMBERED = 4096  # steps of a route behind another


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
    applied: Step
    outside: Step
    disabled: Step

    def step(self, facts: Facts) -> Step:
        record, asked, applied, outside, disabled = self
        if not record.enabled:
            return disabled
        if not record.scope.covers(facts):
            return outside
        for condition in asked:
            fact = condition.look_up(facts)
            if not condition.holds_of(fact):
                return Step(applied.kind, applied.id, condition.failed(fact))
        return applied


def _line(record: Record) -> _Line:
    per_candidate = isinstance(record, Enforced)
    later = tuple(each for each in record.when if per_candidate and each.fact == "model")
    applied = f"applied where {' and '.join(map(str, later))}" if later else "applied"
    steps = (Step(record.kind, record.id, outcome) for outcome in (applied, "out of scope", "disabled"))
    return _Line(record, tuple(each for each in record.when if each not in later), *steps)


# The sorting keys of records of one kind, and why the one that goes first by each does.
PRECEDENCE: tuple[tuple[Callable[[Record], Any], str], ...] = (
    (lambda record: record.scope.function is None, "it names a function"),
    (lambda record: record.scope.key is None, "it names a key"),
    (lambda record: record.scope.project is None, "it names a project"),
    (lambda record: -record.priority, "its priority is higher"),
    (lambda record: -len(record.when), "it has more conditions"),
    (lambda record: record.id, "its id comes first"),
)


def goes_first(first: Record, other: Record) -> str:
    """Says why `first` precedes `other`: "route/a goes first (its priority is higher)"."""
    why = next(words for key, words in PRECEDENCE if key(first) != key(other))
    return f"{first.kind}/{first.id} goes first ({why})"


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
    _behind: dict[tuple[str, str], Step] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        rules = (record for rule in RULES for record in self.records if isinstance(record, rule))
        object.__setattr__(self, "_lines", tuple(_line(record) for record in rules))
        enabled: dict[str, list[Record]] = {}
        for record in self.records:
            if record.enabled:
                enabled.setdefault(record.kind, []).append(record)
        object.__setattr__(self, "_enabled", {kind: tuple(listed) for kind, listed in enabled.items()})
        aliases = {
            each.id.lower(): each.models for each in self.enabled("alias") if isinstance(each, AliasRecord)
        }
        providers = (each for each in self.enabled("provider") if isinstance(each, ProviderRecord))
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

    def enabled(self, kind: str) -> tuple[Record, ...]:
        """The enabled records of one kind, the most specific first."""
        return self._enabled.get(kind, ())

    def names(self, catalog: Catalog, admitted: Callable[[str], bool] = lambda id: False) -> Names:
        """`admitted`: True for an id that a pattern without `*` admits to the request."""
        return Names(catalog, self._aliases, self._refusing, admitted)

    def matching(self, facts: Facts) -> Matched:
        steps = []
        applying: dict[type[Record], list[Any]] = {rule: [] for rule in RULES}
        for line in self._lines:
            record, step = line.record, line.step(facts)
            if step is line.applied:
                before = applying[type(record)]
                if before and isinstance(record, RouteRecord):
                    step = self._step_behind(before[0], record)
                before.append(record)
            steps.append(step)
        routes, access, limits, budgets = (tuple(applying[rule]) for rule in RULES)
        return Matched(routes, access, limits, budgets, tuple(steps))

    def _step_behind(self, first: RouteRecord, record: RouteRecord) -> Step:
        names = first.id, record.id
        if (step := self._behind.get(names)) is None:
            if len(self._behind) >= MOST_REMEMBERED:
                self._behind.clear()
            step = Step(record.kind, record.id, f"matched, but {goes_first(first, record)}")
            self._behind[names] = step
        return step

    def refusing(self, facts: Facts) -> Problem | None:
        """The unreadable record that refuses these facts' scope, if there is one."""
        return next((problem for problem in self.problems if problem.refuses(facts)), None)


def _revision(texts: Iterable[str]) -> str:
    return sha256("\n".join(texts).encode()).hexdigest()[:12]


_PLACES = {kind: place for place, kind in enumerate(KINDS)}


def _order(record: Record) -> tuple[Any, ...]:
    return _PLACES[record.kind], *(key(record) for key, _ in PRECEDENCE)


RuleSet.EMPTY = RuleSet.read(())

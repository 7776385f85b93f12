"""A rule set: the records in force, the problems of bad ones, and which records apply to a request.

A bad record changes nothing: its last readable version stays in force; without one the record is skipped,
but a new `access` or `budget` record refuses the projects or keys of its scope.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from hashlib import sha256
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple

from rules.catalog.catalog import Catalog
from rules.catalog.name_resolution import NameResolver
from rules.decision import Step, Steps
from rules.facts.facts import Facts
from rules.frozen import Frozen
from rules.records.base import Record
from rules.records.compiled import Compiled, compile_records, content_hash, read_compiled
from rules.records.index import Rule, RuleIndex, make_rule
from rules.records.kinds import (
    KINDS,
    AccessRecord,
    AliasRecord,
    BudgetRecord,
    LimitRecord,
    ProviderRecord,
    RouteRecord,
)
from rules.records.problem import Problem, RecordKey

# The kinds with steps in an explanation, in their order.
RULES = (RouteRecord, AccessRecord, LimitRecord, BudgetRecord)


class MatchingRecords(NamedTuple):
    """The records that match a request, of each kind in order of precedence. The first route applies.

    The others match a candidate only if `record.holds_for(facts, names)` does for its names.
    """

    routes: tuple[RouteRecord, ...]
    access: tuple[AccessRecord, ...]
    limits: tuple[LimitRecord, ...]
    budgets: tuple[BudgetRecord, ...]
    steps: Steps


# The sorting keys of the records of one kind, each with the reason why a record goes first by it.
PRECEDENCE: tuple[tuple[Callable[[Record], Any], str], ...] = (
    (lambda record: record.scope.function is None, "it names a function"),
    (lambda record: record.scope.key is None, "it names a key"),
    (lambda record: record.scope.project is None, "it names a project"),
    (lambda record: -record.priority, "its priority is higher"),
    (lambda record: -len(record.when), "it has more conditions"),
    (lambda record: record.id, "its id comes first"),
)


def goes_first(first: Record, other: Record) -> str:
    """Return why `first` precedes `other`: "route/a goes first (its priority is higher)"."""
    why = next(reason for key, reason in PRECEDENCE if key(first) != key(other))
    return f"{first.kind}/{first.id} goes first ({why})"


class RuleSet(Frozen):
    """Immutable; `read` makes one."""

    EMPTY: ClassVar[RuleSet]

    revision: str
    records: tuple[Record, ...]
    problems: tuple[Problem, ...] = ()
    items: Mapping[RecordKey, Mapping[str, Any]] = {}  # of `records`

    @cached_property
    def _rules(self) -> tuple[Rule, ...]:
        return tuple([make_rule(each) for kind in RULES for each in self.records if isinstance(each, kind)])

    @cached_property
    def _index(self) -> RuleIndex:
        return RuleIndex(self._rules)

    @cached_property
    def _enabled(self) -> Mapping[str, tuple[Record, ...]]:
        enabled: dict[str, list[Record]] = {}
        for record in self.records:
            if record.enabled:
                enabled.setdefault(record.kind, []).append(record)
        return {kind: tuple(listed) for kind, listed in enabled.items()}

    @cached_property
    def _aliases(self) -> Mapping[str, tuple[str, ...]]:
        aliases = (each for each in self.enabled("alias") if isinstance(each, AliasRecord))
        return {each.id.lower(): each.models for each in aliases}

    @cached_property
    def _listed_only(self) -> frozenset[str]:
        """The ids of the providers that serve only what the catalogue lists."""
        providers = (each for each in self.enabled("provider") if isinstance(each, ProviderRecord))
        return frozenset(each.id for each in providers if each.unlisted == "refuse")

    @classmethod
    def read(
        cls, items: Iterable[Any], *, previous: Mapping[RecordKey, Mapping[str, Any]] = MappingProxyType({})
    ) -> RuleSet:
        """Read the items of a table or file. `previous`: the items in force. Raises only RuleSetTooLarge."""
        from rules.reading.adoption import adopt  # with pydantic: a request needs neither

        adopted, problems = adopt(items, previous)
        return cls(
            revision=_revision(adopted[key].json for key in sorted(adopted)),
            records=tuple(sorted((sourced.record for sourced in adopted.values()), key=_sort_key)),
            problems=tuple(problems),
            items=MappingProxyType({key: sourced.item for key, sourced in adopted.items()}),
        )

    @classmethod
    def of_compiled(cls, data: object, items: Sequence[Mapping[str, Any]]) -> RuleSet | None:
        """Return the set that `data` was compiled of, if it had these items; otherwise None."""
        content = content_hash(items) if data is not None else None
        found = read_compiled(data, content) if content else None
        if found is None:
            return None
        by_key = {(item["kind"], item["id"]): item for item in items}
        return cls(revision=found.revision, records=found.records, items=MappingProxyType(by_key))

    def compiled(self) -> bytes | None:
        """Return the compiled form, or None if a record is not in force as written.

        What holds instead of such a record depends on earlier versions of the set, and it is soon corrected.
        """
        content = content_hash([*self.items.values()]) if self.items and not self.problems else None
        return compile_records(Compiled(self.revision, self.records), content) if content else None

    def enabled(self, kind: str) -> tuple[Record, ...]:
        """Return the enabled records of one kind, the most specific first."""
        return self._enabled.get(kind, ())

    def resolver(
        self, catalog: Catalog, is_admitted: Callable[[str], bool] = lambda id: False
    ) -> NameResolver:
        """Return the resolver of names. `is_admitted`: True for an id that a pattern without `*` admits."""
        return NameResolver(catalog, self._aliases, self._listed_only, is_admitted)

    def match(self, facts: Facts) -> MatchingRecords:
        """Return the records that match these facts, and a step for each record of RULES."""
        applying: dict[type[Record], list[Any]] = {kind: [] for kind in RULES}
        for rule in self._index.possible(facts):
            if rule.applies(facts):
                applying[type(rule.record)].append(rule.record)
        routes, access, limits, budgets = (tuple(applying[kind]) for kind in RULES)
        return MatchingRecords(routes, access, limits, budgets, Steps(lambda: self._steps(facts)))

    def _steps(self, facts: Facts) -> tuple[Step, ...]:
        steps = []
        first: Record | None = None  # route that applies
        for rule in self._rules:
            record, outcome = rule.record, rule.outcome(facts)
            if outcome is None and isinstance(record, RouteRecord) and first is not None:
                outcome = f"matched, but {goes_first(first, record)}"
            elif outcome is None:
                outcome = rule.applied
                first = record if isinstance(record, RouteRecord) else first
            steps.append(Step(record.kind, record.id, outcome))
        return tuple(steps)

    def most_specific(self, kind: str, facts: Facts) -> Record | None:
        """Return the most specific enabled record of a kind that matches, the only one that applies."""
        return next((record for record in self.enabled(kind) if record.matches(facts)), None)

    def refusing_problem(self, facts: Facts) -> Problem | None:
        """Return the problem of an unreadable record that refuses these facts, or None."""
        return next((problem for problem in self.problems if problem.refuses(facts)), None)


def _revision(texts: Iterable[str]) -> str:
    return sha256("\n".join(texts).encode()).hexdigest()[:12]


_KIND_ORDER = {kind: index for index, kind in enumerate(KINDS)}


def _sort_key(record: Record) -> tuple[Any, ...]:
    return _KIND_ORDER[record.kind], *(key(record) for key, _ in PRECEDENCE)


RuleSet.EMPTY = RuleSet(revision=_revision(()), records=())

"""Finds the records that may match a request without asking each: by scope, and by what `when` compares."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from rules.facts.facts import Facts, fact_getter, fact_type
from rules.records.base import EnforcedRecord, Record
from rules.records.conditions import Condition

_SCOPES = ("key", "function", "project")  # from the one with the most values
_ABOVE, _BELOW = ("gt", "gte"), ("lt", "lte")


class Rule(NamedTuple):
    """A record with the conditions that depend on the request alone."""

    record: Record
    conditions: tuple[Condition, ...]

    def applies(self, facts: Facts) -> bool:
        record, conditions = self
        if not (record.enabled and record.scope.covers(facts)):
            return False
        return not conditions or all(condition.holds(facts) for condition in conditions)

    def outcome(self, facts: Facts) -> str | None:
        """Return why the record does not apply, or None if it does."""
        record, conditions = self
        if not record.enabled:
            return "disabled"
        if not record.scope.covers(facts):
            return "out of scope"
        for condition in conditions:
            fact = condition.get_fact(facts)
            if not condition.holds_for(fact):
                return condition.explain_failure(fact)
        return None

    @property
    def applied(self) -> str:
        """The outcome if it applies, with the conditions that each candidate is compared with."""
        later = [str(condition) for condition in self.record.when if condition not in self.conditions]
        return f"applied where {' and '.join(later)}" if later else "applied"


def make_rule(record: Record) -> Rule:
    if not isinstance(record, EnforcedRecord):
        return Rule(record, record.when)
    return Rule(record, tuple([each for each in record.when if each.fact != "model"]))


class _Table(NamedTuple):
    """Rules by the value of one fact, or by its first `length` characters."""

    get: Callable[[Facts], Any]
    ignore_case: bool
    length: int | None
    places: dict[Any, list[int]]


class _Bounds(NamedTuple):
    """Rules by a number that one fact has to reach, or must not pass; in ascending order of the number."""

    get: Callable[[Facts], Any]
    below: bool
    bounds: list[int]
    places: list[int]


class RuleIndex:
    """`rules`: in their order, which `possible` keeps."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = rules
        self._others: list[int] = []  # places of the rules that are not in a table
        tables: dict[tuple[str, int | None], _Table] = {}
        bounds: dict[tuple[str, bool], list[tuple[int, int]]] = {}
        for place, rule in enumerate(rules):
            if not rule.record.enabled:
                continue
            if (found := _values(rule)) is not None:
                _add(tables, *found, place)
            elif bound := next((each for each in rule.conditions if each.op in (*_ABOVE, *_BELOW)), None):
                bounds.setdefault((bound.fact, bound.op in _BELOW), []).append((bound.value, place))
            else:
                self._others.append(place)
        self._tables = [*tables.values()]
        self._bounds = [_bounds(fact, below, listed) for (fact, below), listed in bounds.items()]

    def possible(self, facts: Facts) -> Iterator[Rule]:
        """Yield every rule that matches these facts, and maybe others, in their order."""
        places = self._others.copy()
        for table in self._tables:
            value = table.get(facts)
            if value is not None:
                value = value.lower() if table.ignore_case else value
                places += table.places.get(value if table.length is None else value[: table.length], ())
        for get, below, bounds, ordered in self._bounds:
            value = get(facts)
            if value is not None:
                at = bisect_left(bounds, value) if below else bisect_right(bounds, value)
                places += ordered[at:] if below else ordered[:at]
        places.sort()
        return map(self._rules.__getitem__, places)


def _values(rule: Rule) -> tuple[str, int | None, Iterable[Any]] | None:
    """Return a fact and the only values of it for which the rule can match, or None if there is none.

    A number in between: only so many first characters of the fact are compared.
    """
    for name in _SCOPES:
        if (names := getattr(rule.record.scope, name)) is not None:
            return name, None, names
    for condition in rule.conditions:
        if condition.op == "is" and type(condition.value) in (int, str):
            return condition.fact, None, (condition.value,)
        if condition.op == "in" and all(map(_is_exact, condition.value)):
            return condition.fact, None, condition.value
        if condition.op == "like" and type(condition.value) is str:
            value = condition.value.lower() if _ignores_case(condition.fact) else condition.value
            first, star, _ = value.partition("*")
            if first:
                return condition.fact, len(first) if star else None, (first,)
    return None


def _ignores_case(fact: str) -> bool:
    type_ = fact_type(fact)
    return type_ is not None and type_.ignore_case


def _is_exact(value: object) -> bool:
    return type(value) is int or (type(value) is str and "*" not in value)


def _add(
    tables: dict[tuple[str, int | None], _Table],
    fact: str,
    length: int | None,
    values: Iterable[Any],
    place: int,
) -> None:
    ignore_case = _ignores_case(fact)
    table = tables.setdefault((fact, length), _Table(fact_getter(fact), ignore_case, length, {}))
    for value in {value.lower() if ignore_case else value for value in values}:
        table.places.setdefault(value, []).append(place)


def _bounds(fact: str, below: bool, listed: list[tuple[int, int]]) -> _Bounds:
    listed.sort()
    return _Bounds(fact_getter(fact), below, [bound for bound, _ in listed], [place for _, place in listed])

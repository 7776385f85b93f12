"""Conditions on one fact, such as `input_tokens gt 8000`.

Of an absent fact only `exists: false` holds. A bool is not a number.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from rules.facts.facts import Facts, FactType, fact_getter, fact_type
from rules.records.patterns import compile_pattern

Test = Callable[[Any], bool]


class Condition:
    """A question about a fact. `value` is as `rules.reading.conditions` reads it.

    `test`, `get_fact` and `text` follow from the others. They are made when they are first asked for.
    """

    __slots__ = ("fact", "get_fact", "op", "test", "text", "value")

    fact: str
    op: str
    value: Any
    test: Test  # of the fact's value
    get_fact: Callable[[Facts], Any]
    text: str  # "input_tokens gt 8000"

    def __init__(self, fact: str, op: str, value: Any) -> None:
        object.__setattr__(self, "fact", fact)
        object.__setattr__(self, "op", op)
        object.__setattr__(self, "value", value)

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            if name not in _DERIVED:
                raise AttributeError(name)
            derived = _DERIVED[name](self)
            object.__setattr__(self, name, derived)
            return derived

    def holds(self, facts: Facts) -> bool:
        return self.holds_for(self.get_fact(facts))

    def holds_for(self, value: Any) -> bool:
        """Return True if the condition holds for this value of the fact; None: absent."""
        return self.test(value) if value is not None else self.op == "exists" and not self.value

    def holds_for_any(self, values: Iterable[Any]) -> bool:
        """Return True if it holds for a fact with all of these values at once; `not` means none of them."""
        return (all if self.op == "not" else any)(self.test(value) for value in values)

    def explain_failure(self, value: Any) -> str:
        """Return the outcome in an explanation: "failed: input_tokens gt 8000, got 10"."""
        got = repr(value)
        return f"failed: {self.text}, got {got if len(got) <= 100 else got[:97] + '...'}"

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a Condition is frozen: {name} cannot be set")

    def __eq__(self, other: object) -> bool:
        if type(other) is not Condition:
            return NotImplemented
        return (self.fact, self.op, self.value) == (other.fact, other.op, other.value)

    def __hash__(self) -> int:
        return hash((self.fact, self.op, self.value))

    def __repr__(self) -> str:
        return f"Condition(fact={self.fact!r}, op={self.op!r}, value={self.value!r})"

    def __str__(self) -> str:
        return self.text


def implied_operator(value: Any) -> str:
    """Return the operator that a bare value stands for: `in` for a list, `like` for a text with `*`."""
    if isinstance(value, list | tuple | set | frozenset):
        return "in"
    return "like" if isinstance(value, str) and "*" in value else "is"


def _text(condition: Condition) -> str:
    value = condition.value
    return f"{condition.fact} {condition.op} {list(value) if isinstance(value, tuple) else value!r}"


def _test(condition: Condition) -> Test:
    type_ = fact_type(condition.fact)
    if type_ is None:
        raise ValueError(f"no fact is called {condition.fact}")
    return TESTS[condition.op](type_, condition.value)


_DERIVED: Mapping[str, Callable[[Condition], Any]] = {
    "test": _test,
    "get_fact": lambda condition: fact_getter(condition.fact),
    "text": _text,
}


def _is(type_: FactType, value: Any) -> Test:
    if isinstance(value, bool) and type_.kind == "count":
        return lambda fact: (fact > 0) is value
    if isinstance(value, bool) and type_.kind == "effort":
        return lambda fact: bool(fact != "none")
    if type_.ignore_case:
        low = value.lower()
        return lambda fact: bool(fact.lower() == low)
    return partial(operator.eq, value)


def _in(type_: FactType, values: Iterable[Any]) -> Test:
    tests = [_bare(type_, value) for value in values]
    return lambda fact: any(test(fact) for test in tests)


def _like(type_: FactType, value: Any) -> Test:
    if isinstance(value, tuple):
        return _in(type_, value)
    return compile_pattern(value, ignore_case=type_.ignore_case)


def _not(type_: FactType, value: Any) -> Test:
    test = _bare(type_, value)
    return lambda fact: not test(fact)


def _bare(type_: FactType, value: Any) -> Test:
    return TESTS[implied_operator(value)](type_, value)


def _contains(type_: FactType, part: str) -> Test:
    if type_.ignore_case:
        low = part.lower()
        return lambda fact: low in fact.lower()
    return lambda fact: part in fact


def _comparison(compare: Callable[[Any, Any], bool]) -> Callable[[FactType, Any], Test]:
    return lambda type_, bound: partial(compare, bound)


# By operator, what makes the test of a fact's value.
TESTS: Mapping[str, Callable[[FactType, Any], Test]] = {
    "is": _is,
    "not": _not,
    "in": _in,
    "like": _like,
    "contains": _contains,
    "gt": _comparison(operator.lt),
    "gte": _comparison(operator.le),
    "lt": _comparison(operator.gt),
    "lte": _comparison(operator.ge),
    "exists": lambda type_, expected: lambda fact: bool(expected),
}

"""One question about a request, `input_tokens gt 8000`, compiled when the record that asks it is read.

Nothing holds of an absent fact except `exists: false`, and a bool is not a number.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from rules.errors import InvalidRecord
from rules.facts.facts import FAMILIES, VOCABULARY, Facts, Sort, getter, is_secret_header, sort_of
from rules.records.coercion import (
    Reader,
    any_order,
    flag,
    mapping,
    nearest,
    number,
    shown,
    text,
    whole,
    within,
    wrong,
)
from rules.records.patterns import compile_pattern

Test = Callable[[Any], bool]
Compiled = tuple[Any, Test]  # the value as understood, and the test for the fact


@dataclass(frozen=True, slots=True)
class Condition:
    """Raises InvalidRecord when there is no such fact or operator, or the operator cannot take the value."""

    fact: str
    op: str
    value: Any
    test: Test = field(init=False, repr=False, compare=False)
    look_up: Callable[[Facts], Any] = field(init=False, repr=False, compare=False)
    line: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        sort = within(self.fact, _sort, self.fact)
        if self.op not in OPERATORS:
            raise InvalidRecord(f"{self.fact}.{self.op}", f"unknown operator{nearest(self.op, OPERATORS)}")
        value, test = within(self.fact, lambda value: OPERATORS[self.op](sort, value), self.value)
        object.__setattr__(self, "value", value)
        object.__setattr__(self, "test", test)
        object.__setattr__(self, "look_up", getter(self.fact))
        object.__setattr__(self, "line", f"{self.fact} {self.op} {_listed(value)!r}")

    def holds(self, facts: Facts) -> bool:
        return self.holds_of(self.look_up(facts))

    def holds_of(self, fact: Any) -> bool:
        """Whether it holds when the fact is this; None is absent."""
        return self.test(fact) if fact is not None else self.op == "exists" and not self.value

    def holds_of_any(self, facts: Iterable[Any]) -> bool:
        """True when it holds for a fact that has all of these values at once; `not` means none of them."""
        return (all if self.op == "not" else any)(self.test(fact) for fact in facts)

    def failed(self, fact: Any) -> str:
        """The line of an explanation: "failed: input_tokens gt 8000, got 10"."""
        got = repr(fact)
        return f"failed: {self.line}, got {got if len(got) <= 100 else got[:97] + '...'}"

    def __str__(self) -> str:
        return self.line


def conditions(value: Any) -> tuple[Condition, ...]:
    """The reader of `when`: a fact to a value, a list, a pattern, or to operators, all of which must hold."""
    read: list[Condition] = []
    for fact, asked in mapping(value).items():
        within(fact, _sort, fact)
        if asked is None:
            raise InvalidRecord(fact, 'is null: write {"exists": false} to ask that it is absent')
        if not isinstance(asked, Mapping):
            read.append(Condition(fact, _shape(asked), asked))
            continue
        if not asked:
            raise InvalidRecord(fact, "asks nothing")
        for op, operand in asked.items():
            read.append(_explicit(fact, str(op), operand))
    return tuple(read)


def _listed(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _explicit(fact: str, op: str, operand: Any) -> Condition:
    try:
        return Condition(fact, op, operand)
    except InvalidRecord as error:
        below = error.field.removeprefix(fact).removeprefix(f".{op}")
        raise InvalidRecord(f"{fact}.{op}{below}", error.problem) from None


def _sort(fact: str) -> Sort:
    sort = sort_of(fact)
    if sort is None:
        raise wrong(_unknown(fact))
    return sort


def _unknown(fact: str) -> str:
    family, _, member = fact.partition(".")
    if family in FAMILIES and not member:
        return f"name one of them: `{family}.<name>`"
    if family == "header":
        if is_secret_header(member):
            return "no rule may ask for a header that holds a secret"
        return f"header names are lower-case, did you mean `{fact.lower()}`?"
    if member:
        return f"unknown fact{nearest(fact, [f'{known}.{member}' for known in FAMILIES])}"
    return f"unknown fact{nearest(fact, VOCABULARY)}"


def _shape(value: Any) -> str:
    """The operator that a bare value stands for."""
    if isinstance(value, list | tuple | set | frozenset):
        return "in"
    return "like" if isinstance(value, str) and "*" in value else "is"


def _is(sort: Sort, value: Any) -> Compiled:
    read, truth = _READERS[sort.type]
    if truth is not None and value in (True, False, "true", "false") and not _is_number(value):
        return flag(value), truth(flag(value))
    wanted = read(sort)(value)
    if sort.ignore_case:
        folded = wanted.lower()
        return wanted, lambda fact: fact.lower() == folded
    return wanted, partial(operator.eq, wanted)


def _is_number(value: Any) -> bool:
    return not isinstance(value, bool | str)


def _in(sort: Sort, value: Any) -> Compiled:
    compiled = any_order(lambda each: _bare(sort, each, among=("is", "like")))(value)
    if not compiled:
        raise wrong("is empty: nothing is any of nothing")
    tests = [test for _, test in compiled]
    return tuple(each for each, _ in compiled), lambda fact: any(test(fact) for test in tests)


def _like(sort: Sort, value: Any) -> Compiled:
    if sort.type not in ("text", "effort"):
        raise wrong(f"patterns are for texts, and this fact is a {sort.type}")
    if isinstance(value, list | tuple | set | frozenset):
        return _in(sort, value)
    test = compile_pattern(text(value), ignore_case=sort.ignore_case)
    if sort.choices and not any(test(known) for known in sort.choices):
        raise wrong(f"matches none of {' | '.join(sort.choices)}")
    return value, test


def _not(sort: Sort, value: Any) -> Compiled:
    value, test = _bare(sort, value, among=("is", "like", "in"))
    return value, lambda fact: not test(fact)


def _bare(sort: Sort, value: Any, *, among: Iterable[str]) -> Compiled:
    shape = _shape(value)
    if shape not in among:
        raise wrong(f"must be one value, got {shown(value)}")
    return OPERATORS[shape](sort, value)


def _contains(sort: Sort, value: Any) -> Compiled:
    if sort.type not in ("text", "effort"):
        raise wrong(f"`contains` is for texts, and this fact is a {sort.type}")
    part = text(value)
    if sort.ignore_case:
        folded = part.lower()
        return part, lambda fact: folded in fact.lower()
    return part, lambda fact: part in fact


def _exists(sort: Sort, value: Any) -> Compiled:
    wanted = flag(value)
    return wanted, lambda fact: wanted


def _compare(compare: Callable[[Any, Any], bool], *, beyond: int = 0) -> Callable[[Sort, Any], Compiled]:
    """`compare(value, fact)`, in that order; `beyond`: how far past the largest fact a value makes sense."""

    def compiled(sort: Sort, value: Any) -> Compiled:
        if sort.type not in ("count", "number"):
            raise wrong(f"compares numbers, and this fact is a {sort.type}")
        bound = whole(0, None if sort.high is None else sort.high + beyond)(value)
        return bound, partial(compare, bound)

    return compiled


def _read_text(sort: Sort) -> Reader[str]:
    def read(value: Any) -> str:
        if sort.scalars and isinstance(value, bool):
            return "true" if value else "false"
        if sort.scalars and not isinstance(value, str):
            return str(number(value))
        if sort.choices and text(value) not in sort.choices:
            raise wrong(
                f"must be {' | '.join(sort.choices)}, got {shown(value)}{nearest(value, sort.choices)}"
            )
        return text(value)

    return read


def _any_effort(wanted: bool) -> Test:
    if not wanted:
        raise wrong(
            'false is no effort: write "none" for the effort `none`, {"exists": false} for no effort asked'
        )
    return lambda fact: fact != "none"


# Sort of fact -> how its value is read, and what a bare true or false asks of it.
_READERS: Mapping[str, tuple[Callable[[Sort], Reader[Any]], Callable[[bool], Test] | None]] = {
    "text": (_read_text, None),
    "effort": (_read_text, _any_effort),
    "flag": (lambda sort: flag, None),
    "count": (lambda sort: whole(0, sort.high), lambda wanted: lambda fact: (fact > 0) is wanted),
    "number": (lambda sort: whole(0, sort.high), None),
}

# Operator -> what compiles it. A bare value stands for `is`, a list for `in`, a text with `*` for `like`.
OPERATORS: Mapping[str, Callable[[Sort, Any], Compiled]] = {
    "is": _is,
    "not": _not,
    "in": _in,
    "like": _like,
    "contains": _contains,
    "gt": _compare(operator.lt),
    "gte": _compare(operator.le),
    "lt": _compare(operator.gt, beyond=1),
    "lte": _compare(operator.ge),
    "exists": _exists,
}

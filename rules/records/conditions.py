"""Conditions on one fact, such as `input_tokens gt 8000`, compiled when their record is read.

Of an absent fact only `exists: false` holds. A bool is not a number.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from rules.errors import InvalidRecord
from rules.facts.facts import (
    FAMILIES,
    VOCABULARY,
    Facts,
    FactType,
    fact_getter,
    fact_type,
    is_secret_header,
)
from rules.records.coercion import (
    Reader,
    invalid,
    quoted,
    read_at,
    read_flag,
    read_mapping,
    read_number,
    read_text,
    suggest,
    unordered_list,
    whole_number,
)
from rules.records.patterns import compile_pattern

Test = Callable[[Any], bool]
Compiled = tuple[Any, Test]  # the value as it was read, and the test of a fact


@dataclass(frozen=True, slots=True)
class Condition:
    """Raises InvalidRecord for an unknown fact or operator, or a value that the operator cannot take."""

    fact: str
    op: str
    value: Any
    test: Test = field(init=False, repr=False, compare=False)
    get_fact: Callable[[Facts], Any] = field(init=False, repr=False, compare=False)
    text: str = field(init=False, repr=False, compare=False)  # "input_tokens gt 8000"

    def __post_init__(self) -> None:
        type_ = read_at(self.fact, _read_fact_type, self.fact)
        if self.op not in OPERATORS:
            raise InvalidRecord(f"{self.fact}.{self.op}", f"unknown operator{suggest(self.op, OPERATORS)}")
        value, test = read_at(self.fact, lambda value: OPERATORS[self.op](type_, value), self.value)
        shown = list(value) if isinstance(value, tuple) else value
        object.__setattr__(self, "value", value)
        object.__setattr__(self, "test", test)
        object.__setattr__(self, "get_fact", fact_getter(self.fact))
        object.__setattr__(self, "text", f"{self.fact} {self.op} {shown!r}")

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

    def __str__(self) -> str:
        return self.text


def read_conditions(value: Any) -> tuple[Condition, ...]:
    """Read `when`: by fact, a value, a list, a pattern, or operators, all of which must hold."""
    conditions: list[Condition] = []
    for fact, operand in read_mapping(value).items():
        read_at(fact, _read_fact_type, fact)
        if operand is None:
            raise InvalidRecord(fact, 'is null: write {"exists": false} to require that it is absent')
        if not isinstance(operand, Mapping):
            conditions.append(Condition(fact, _implied_operator(operand), operand))
            continue
        if not operand:
            raise InvalidRecord(fact, 'has no operator: write a value, a list or {"gt": 5}')
        for op, argument in operand.items():
            conditions.append(_with_operator(fact, str(op), argument))
    return tuple(conditions)


def _with_operator(fact: str, op: str, argument: Any) -> Condition:
    try:
        return Condition(fact, op, argument)
    except InvalidRecord as error:
        below = error.field.removeprefix(fact).removeprefix(f".{op}")
        raise InvalidRecord(f"{fact}.{op}{below}", error.problem) from None


def _read_fact_type(name: str) -> FactType:
    type_ = fact_type(name)
    if type_ is None:
        raise invalid(_explain_unknown(name))
    return type_


def _explain_unknown(fact: str) -> str:
    family, _, member = fact.partition(".")
    if family in FAMILIES and not member:
        return f"name one of them: `{family}.<name>`"
    if family == "header":
        if is_secret_header(member):
            return "a condition cannot name a header that holds a secret"
        return f"header names are lower-case, did you mean `{fact.lower()}`?"
    if member:
        return f"unknown fact{suggest(fact, [f'{known}.{member}' for known in FAMILIES])}"
    return f"unknown fact{suggest(fact, VOCABULARY)}"


def _implied_operator(value: Any) -> str:
    if isinstance(value, list | tuple | set | frozenset):
        return "in"
    return "like" if isinstance(value, str) and "*" in value else "is"


def _compile_is(type_: FactType, value: Any) -> Compiled:
    reader, boolean_test = _READERS[type_.kind]
    if boolean_test is not None and value in (True, False, "true", "false") and not _is_number(value):
        return read_flag(value), boolean_test(read_flag(value))
    expected = reader(type_)(value)
    if type_.ignore_case:
        low = expected.lower()
        return expected, lambda fact: fact.lower() == low
    return expected, partial(operator.eq, expected)


def _is_number(value: Any) -> bool:
    return not isinstance(value, bool | str)


def _compile_in(type_: FactType, value: Any) -> Compiled:
    compiled = unordered_list(lambda member: _compile_bare(type_, member, allowed=("is", "like")))(value)
    if not compiled:
        raise invalid("is empty: list at least one value")
    tests = [test for _, test in compiled]
    return tuple(member for member, _ in compiled), lambda fact: any(test(fact) for test in tests)


def _compile_like(type_: FactType, value: Any) -> Compiled:
    if type_.kind not in ("text", "effort"):
        raise invalid(f"patterns are for texts, and this fact is a {type_.kind}")
    if isinstance(value, list | tuple | set | frozenset):
        return _compile_in(type_, value)
    test = compile_pattern(read_text(value), ignore_case=type_.ignore_case)
    if type_.choices and not any(test(known) for known in type_.choices):
        raise invalid(f"matches none of {' | '.join(type_.choices)}")
    return value, test


def _compile_not(type_: FactType, value: Any) -> Compiled:
    value, test = _compile_bare(type_, value, allowed=("is", "like", "in"))
    return value, lambda fact: not test(fact)


def _compile_bare(type_: FactType, value: Any, *, allowed: Iterable[str]) -> Compiled:
    op = _implied_operator(value)
    if op not in allowed:
        raise invalid(f"must be one value, got {quoted(value)}")
    return OPERATORS[op](type_, value)


def _compile_contains(type_: FactType, value: Any) -> Compiled:
    if type_.kind not in ("text", "effort"):
        raise invalid(f"`contains` is for texts, and this fact is a {type_.kind}")
    part = read_text(value)
    if type_.ignore_case:
        low = part.lower()
        return part, lambda fact: low in fact.lower()
    return part, lambda fact: part in fact


def _compile_exists(type_: FactType, value: Any) -> Compiled:
    expected = read_flag(value)
    return expected, lambda fact: expected


def _comparison(
    compare: Callable[[Any, Any], bool], *, beyond: int = 0
) -> Callable[[FactType, Any], Compiled]:
    """Return what compiles an operator to `compare(value, fact)`. `beyond`: added to the fact's maximum."""

    def compile_(type_: FactType, value: Any) -> Compiled:
        if type_.kind not in ("count", "number"):
            raise invalid(f"compares numbers, and this fact is a {type_.kind}")
        bound = whole_number(0, None if type_.maximum is None else type_.maximum + beyond)(value)
        return bound, partial(compare, bound)

    return compile_


def _text_reader(type_: FactType) -> Reader[str]:
    def read(value: Any) -> str:
        if type_.scalars and isinstance(value, bool):
            return "true" if value else "false"
        if type_.scalars and not isinstance(value, str):
            return str(read_number(value))
        if type_.choices and read_text(value) not in type_.choices:
            choices = " | ".join(type_.choices)
            raise invalid(f"must be {choices}, got {quoted(value)}{suggest(value, type_.choices)}")
        return read_text(value)

    return read


def _any_effort(expected: bool) -> Test:
    if not expected:
        raise invalid(
            'false is not an effort: write "none" for the effort `none`, {"exists": false} for no effort'
        )
    return lambda fact: fact != "none"


# By kind of fact, the reader of its value, and the test that a bare true or false stands for.
_READERS: Mapping[str, tuple[Callable[[FactType], Reader[Any]], Callable[[bool], Test] | None]] = {
    "text": (_text_reader, None),
    "effort": (_text_reader, _any_effort),
    "flag": (lambda type_: read_flag, None),
    "count": (
        lambda type_: whole_number(0, type_.maximum),
        lambda expected: lambda fact: (fact > 0) is expected,
    ),
    "number": (lambda type_: whole_number(0, type_.maximum), None),
}

# By operator, what compiles it. A bare value stands for `is`, a list for `in`, a text with `*` for `like`.
OPERATORS: Mapping[str, Callable[[FactType, Any], Compiled]] = {
    "is": _compile_is,
    "not": _compile_not,
    "in": _compile_in,
    "like": _compile_like,
    "contains": _compile_contains,
    "gt": _comparison(operator.lt),
    "gte": _comparison(operator.le),
    "lt": _comparison(operator.gt, beyond=1),
    "lte": _comparison(operator.ge),
    "exists": _compile_exists,
}

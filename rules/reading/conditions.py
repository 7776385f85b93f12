"""Reads conditions: each by its fact, its operator and a value that the operator can take."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from rules.errors import InvalidRecord
from rules.facts.facts import FAMILIES, VOCABULARY, FactType, fact_type, is_secret_header
from rules.reading.coercion import (
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
from rules.records.conditions import Condition, implied_operator
from rules.records.patterns import compile_pattern


def read_condition(fact: str, op: str, value: Any) -> Condition:
    """Raise InvalidRecord for an unknown fact or operator, or a value that the operator cannot take."""
    type_ = read_at(fact, _read_fact_type, fact)
    if op not in OPERATORS:
        raise InvalidRecord(f"{fact}.{op}", f"unknown operator{suggest(op, OPERATORS)}")
    return Condition(fact, op, read_at(fact, lambda value: OPERATORS[op](type_, value), value))


def read_conditions(value: Any) -> tuple[Condition, ...]:
    """Read `when`: by fact, a value, a list, a pattern, or operators, all of which must hold."""
    conditions: list[Condition] = []
    for fact, operand in read_mapping(value).items():
        read_at(fact, _read_fact_type, fact)
        if operand is None:
            raise InvalidRecord(fact, 'is null: write {"exists": false} to require that it is absent')
        if not isinstance(operand, Mapping):
            conditions.append(read_condition(fact, implied_operator(operand), operand))
            continue
        if not operand:
            raise InvalidRecord(fact, 'has no operator: write a value, a list or {"gt": 5}')
        for op, argument in operand.items():
            conditions.append(_with_operator(fact, str(op), argument))
    return tuple(conditions)


def _with_operator(fact: str, op: str, argument: Any) -> Condition:
    try:
        return read_condition(fact, op, argument)
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


def _read_is(type_: FactType, value: Any) -> Any:
    reader, takes_bool = _READERS[type_.kind]
    if takes_bool and value in (True, False, "true", "false") and not _is_number(value):
        expected = read_flag(value)
        if type_.kind == "effort" and not expected:
            raise invalid(
                'false is not an effort: write "none" for the effort `none`, {"exists": false} for no effort'
            )
        return expected
    return reader(type_)(value)


def _is_number(value: Any) -> bool:
    return not isinstance(value, bool | str)


def _read_in(type_: FactType, value: Any) -> tuple[Any, ...]:
    values = unordered_list(lambda member: _read_bare(type_, member, allowed=("is", "like")))(value)
    if not values:
        raise invalid("is empty: list at least one value")
    return values


def _read_like(type_: FactType, value: Any) -> Any:
    if type_.kind not in ("text", "effort"):
        raise invalid(f"patterns are for texts, and this fact is a {type_.kind}")
    if isinstance(value, list | tuple | set | frozenset):
        return _read_in(type_, value)
    test = compile_pattern(read_text(value), ignore_case=type_.ignore_case)
    if type_.choices and not any(test(known) for known in type_.choices):
        raise invalid(f"matches none of {' | '.join(type_.choices)}")
    return value


def _read_not(type_: FactType, value: Any) -> Any:
    return _read_bare(type_, value, allowed=("is", "like", "in"))


def _read_bare(type_: FactType, value: Any, *, allowed: Iterable[str]) -> Any:
    op = implied_operator(value)
    if op not in allowed:
        raise invalid(f"must be one value, got {quoted(value)}")
    return OPERATORS[op](type_, value)


def _read_contains(type_: FactType, value: Any) -> str:
    if type_.kind not in ("text", "effort"):
        raise invalid(f"`contains` is for texts, and this fact is a {type_.kind}")
    return read_text(value)


def _bound(*, beyond: int = 0) -> Callable[[FactType, Any], int]:
    """Return the reader of what a number is compared with. `beyond`: added to the fact's maximum."""

    def read(type_: FactType, value: Any) -> int:
        if type_.kind not in ("count", "number"):
            raise invalid(f"compares numbers, and this fact is a {type_.kind}")
        return whole_number(0, None if type_.maximum is None else type_.maximum + beyond)(value)

    return read


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


# By kind of fact, the reader of its value, and True if a bare true or false has a meaning of its own.
_READERS: Mapping[str, tuple[Callable[[FactType], Reader[Any]], bool]] = {
    "text": (_text_reader, False),
    "effort": (_text_reader, True),
    "flag": (lambda type_: read_flag, False),
    "count": (lambda type_: whole_number(0, type_.maximum), True),
    "number": (lambda type_: whole_number(0, type_.maximum), False),
}

# By operator, the reader of its value. Without an operator, a value stands for `is`, a list for `in`, a text
# with `*` for `like`.
OPERATORS: Mapping[str, Callable[[FactType, Any], Any]] = {
    "is": _read_is,
    "not": _read_not,
    "in": _read_in,
    "like": _read_like,
    "contains": _read_contains,
    "gt": _bound(),
    "gte": _bound(),
    "lt": _bound(beyond=1),
    "lte": _bound(),
    "exists": lambda type_, value: read_flag(value),
}

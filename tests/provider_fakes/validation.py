"""The rules of a service, applied to a request; families of models, which differ in what they take."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeVar

from tests.provider_fakes.call import Json, Refusal

F = TypeVar("F")
Problem = tuple[str, str]  # the path of the field, and the service's message
Rule = Callable[[Json, F], Iterator[Problem]]


def check_rules(rules: Iterable[Rule[F]], body: Json, family: F) -> None:
    """Raises Refusal for the first problem that a rule finds."""
    for rule in rules:
        for where, problem in rule(body, family):
            raise Refusal(problem, where=where)


def find_family(families: Mapping[str, F], model: str, unknown: Refusal) -> F:
    """The first family whose name begins `model`, with or without a region. Raises `unknown` if none does."""
    for name, family in families.items():
        if model.startswith(name) or f".{name}" in model:
            return family
    raise unknown

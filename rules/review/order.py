"""Finds records that never apply, because another one is asked first."""

from __future__ import annotations

from collections.abc import Iterator

from rules.records.base import Record
from rules.records.conditions import Condition
from rules.ruleset import RuleSet


def hidden_records(ruleset: RuleSet) -> Iterator[tuple[Record, Record]]:
    """Yield records that never apply: only the most specific of their kind does, and another always is.

    Each comes with the first record that applies in its place.
    """
    numbers: dict[Condition, int] = {}  # sets of numbers are faster to compare
    for kind in ("route", "log", "cache"):
        records = [
            (record, frozenset(numbers.setdefault(each, len(numbers)) for each in record.when))
            for record in ruleset.enabled(kind)
        ]
        for index, (record, conditions) in enumerate(records):
            for first, fewer in records[:index]:
                if fewer <= conditions and first.scope.includes(record.scope):
                    yield record, first
                    break

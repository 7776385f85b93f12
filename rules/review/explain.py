"""Explains how a rule set decides a request, as `rules explain` prints it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from rules.decide import decide
from rules.errors import InvalidRecord
from rules.facts.chat import facts_of_request
from rules.facts.facts import Facts
from rules.reading.fields import read_weekday_and_hour
from rules.records.base import EnforcedRecord, Record
from rules.records.conditions import Condition
from rules.review.check import assume_all_available
from rules.review.command_line import InvalidInput
from rules.ruleset import RuleSet


def explain(ruleset: RuleSet, request: Mapping[str, Any], *, at: str, **caller: Any) -> str:
    """Return the decision on a chat request as JSON (contract, section 8), every provider being available.

    `at`: an RFC 3339 time or `mon 12`, in UTC. `caller`: arguments of `facts_of_request`, such as `project`.
    Raises InvalidInput where `at` is not a time.
    """
    try:
        facts = facts_at(facts_of_request(request, **caller), at)
    except InvalidRecord as error:
        raise InvalidInput(f"--at: {error.problem}") from error
    catalog, live = assume_all_available(ruleset)
    return json.dumps(decide(facts, ruleset, catalog, live).explain(), indent=2, ensure_ascii=False)


def facts_at(facts: Facts, at: str) -> Facts:
    """Return the facts of the same request at another time. Raises InvalidRecord where `at` is not a time."""
    weekday, hour = read_weekday_and_hour(at)
    return facts.replaced(weekday=weekday, hour=hour)


def explain_conditions(ruleset: RuleSet, facts: Facts) -> list[dict[str, Any]]:
    """Return each enabled record of the set with its conditions, the value of each fact, and what holds.

    A condition of an enforced record on `model` is about each candidate, so it has no value here.
    """
    return [
        {
            "kind": record.kind,
            "id": record.id,
            "in_scope": record.scope.covers(facts),
            "conditions": [_explain_condition(record, condition, facts) for condition in record.when],
        }
        for record in ruleset.records
        if record.enabled and record.scoped
    ]


def _explain_condition(record: Record, condition: Condition, facts: Facts) -> dict[str, Any]:
    explained = {"fact": condition.fact, "condition": condition.text}
    if isinstance(record, EnforcedRecord) and condition.fact == "model":
        return explained
    value = condition.get_fact(facts)
    return {**explained, "value": value, "holds": condition.holds_for(value)}

"""Explains how a rule set decides a request, as `rules explain` prints it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from rules.decide import decide
from rules.errors import InvalidRecord
from rules.facts.chat import facts_of_request
from rules.reading.fields import read_weekday_and_hour
from rules.review.check import assume_all_available
from rules.review.command_line import InvalidInput
from rules.ruleset import RuleSet


def explain(ruleset: RuleSet, request: Mapping[str, Any], *, at: str, **caller: Any) -> str:
    """Return the decision on a chat request as JSON (contract, section 8), every provider being available.

    `at`: an RFC 3339 time or `mon 12`, in UTC. `caller`: arguments of `facts_of_request`, such as `project`.
    Raises InvalidInput where `at` is not a time.
    """
    try:
        weekday, hour = read_weekday_and_hour(at)
    except InvalidRecord as error:
        raise InvalidInput(f"--at: {error.problem}") from error
    facts = facts_of_request(request, **caller).replaced(weekday=weekday, hour=hour)
    catalog, live = assume_all_available(ruleset)
    return json.dumps(decide(facts, ruleset, catalog, live).explain(), indent=2, ensure_ascii=False)

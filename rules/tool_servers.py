"""Finds the `mcp` record of a tool server that a request names."""

from __future__ import annotations

from rules.facts.facts import Facts
from rules.records.kinds import McpRecord
from rules.ruleset import RuleSet


def server_by_id(ruleset: RuleSet, facts: Facts, id: str) -> McpRecord | None:
    """Return the record of that id, if its scope and conditions match the request."""
    return next((record for record in _matching(ruleset, facts) if record.id == id), None)


def server_by_address(ruleset: RuleSet, facts: Facts, url: str, label: str | None) -> McpRecord | None:
    """Return the matching record of that address; of several the one called `label`, or else the first."""
    same = [record for record in _matching(ruleset, facts) if record.url == url.rstrip("/")]
    return next((record for record in same if record.id == label), next(iter(same), None))


def _matching(ruleset: RuleSet, facts: Facts) -> list[McpRecord]:
    records = (record for record in ruleset.enabled("mcp") if isinstance(record, McpRecord))
    return [record for record in records if record.matches(facts)]

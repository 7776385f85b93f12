"""Computes the warnings of the rules in force, for /health and for the console of a local run."""

from __future__ import annotations

from rules import Catalog, RuleSet


class RuleWarnings:
    """`warnings(ruleset, catalog)` gives kind, id, field, problem of each. One set is remembered.

    A gateway does not know which keys there are: `rules check` and `rules push` look at scopes.
    """

    def __init__(self) -> None:
        self._ruleset: RuleSet | None = None
        self._found: tuple[dict[str, str], ...] = ()

    def __call__(self, ruleset: RuleSet, catalog: Catalog) -> tuple[dict[str, str], ...]:
        from rules.review import lint  # no request needs it

        if ruleset is not self._ruleset:
            self._found = tuple(finding._asdict() for finding in lint.find_warnings(ruleset, catalog))
            self._ruleset = ruleset
        return self._found

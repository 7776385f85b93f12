"""Lists the records of a rule set that a decision goes by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property

from rules.admission import LiveState
from rules.catalog.catalog import Catalog
from rules.decision import Decision
from rules.frozen import Frozen
from rules.records.kinds import RouteRecord
from rules.ruleset import RuleSet

Key = tuple[str, str]  # the kind and the id of a record
# The kinds whose records may apply to a request: not `test`, nor `mcp`, whose servers no decision is about.
APPLYING = ("route", "access", "limit", "budget", "alias", "provider", "model", "log", "cache")


class Side(Frozen):
    """A rule set with its catalogue. `live`: what the formats of its providers cannot do, and who is missing.

    `default_on`: the providers that need no record.
    """

    ruleset: RuleSet
    catalog: Catalog
    live: LiveState
    default_on: frozenset[str]

    @cached_property
    def providers(self) -> frozenset[str]:
        """The providers that records turn on."""
        return frozenset(record.id for record in self.ruleset.enabled("provider"))

    @cached_property
    def _models(self) -> frozenset[str]:
        return frozenset(record.id for record in self.ruleset.enabled("model"))

    @cached_property
    def _aliases(self) -> Mapping[str, str]:
        return {record.id.lower(): record.id for record in self.ruleset.enabled("alias")}

    @cached_property
    def _aliases_of_routes(self) -> Mapping[str, frozenset[Key]]:
        routes = (record for record in self.ruleset.enabled("route") if isinstance(record, RouteRecord))
        return {route.id: frozenset(self._aliases_in(_names(route))) for route in routes}

    def applying(self, decision: Decision) -> Iterator[Key]:
        """Yield the records that the decision goes by, some maybe twice."""
        ruleset, facts = self.ruleset, decision.facts
        if decision.rule is not None:
            yield "route", decision.rule
            yield from self._aliases_of_routes.get(decision.rule, ())
        if self._aliases:
            yield from self._aliases_in((facts.model or "", *facts.fallbacks))
        if ruleset.enabled("access"):
            yield from (("access", record.id) for record in ruleset.match(facts).access)
        yield from ((limit.record.kind, limit.record.id) for limit in decision.limits)
        if decision.cache is not None:
            yield "cache", decision.cache.id
        if ruleset.enabled("log") and (log := ruleset.most_specific("log", facts)):
            yield "log", log.id
        for candidate in decision.candidates:
            if candidate.model.provider in self.providers:
                yield "provider", candidate.model.provider
            if candidate.id in self._models:
                yield "model", candidate.id

    def _aliases_in(self, names: tuple[str, ...]) -> Iterator[Key]:
        return (("alias", self._aliases[low]) for name in names if (low := name.lower()) in self._aliases)


def _names(route: RouteRecord) -> tuple[str, ...]:
    """Return the names of models in a route."""
    model = (route.model,) if route.model else ()
    return *model, *(route.fallbacks or ()), *(arm.model for arm in route.split or ())

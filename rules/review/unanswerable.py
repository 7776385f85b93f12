"""Finds the samples that a rule set cannot decide exactly: a rule asks for what they do not hold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from rules.records.conditions import Condition
from rules.records.kinds import RouteRecord
from rules.review.samples import Sample
from rules.ruleset import RuleSet

_WITHHELD = ("user", "session", "header", "tags", "metadata")  # facts, and families of facts


class _Question(NamedTuple):
    """A route that may ask for what a sample does not hold. `sticky`: the fact that its split goes by."""

    route: RouteRecord
    conditions: tuple[Condition, ...]
    sticky: str | None


class Questions:
    """The routes of a set that ask for such facts. No other kind that decides may ask for them."""

    def __init__(self, ruleset: RuleSet) -> None:
        self._by_fact: dict[str, list[_Question]] = {}  # and by family, as `tags.*`
        for question in _questions(ruleset):
            facts = {each.fact for each in question.conditions} | {*filter(None, [question.sticky])}
            for name in facts | {f"{fact.partition('.')[0]}.*" for fact in facts}:
                self._by_fact.setdefault(name, []).append(question)

    def unanswerable(self, sample: Sample) -> bool:
        """Return True if a route asks for a fact that is withheld, and its other conditions hold."""
        missing = self._by_fact.keys() & sample.withheld
        return any(_is_open(each, sample) for name in missing for each in self._by_fact[name])


def _questions(ruleset: RuleSet) -> Iterator[_Question]:
    for route in ruleset.enabled("route"):
        if isinstance(route, RouteRecord):
            asking = tuple(each for each in route.when if each.fact.partition(".")[0] in _WITHHELD)
            tag = route.sticky is not None and route.sticky.startswith("tag.") and route.split
            sticky = f"tags.{route.sticky.removeprefix('tag.')}" if tag and route.sticky else None
            if asking or sticky:
                yield _Question(route, asking, sticky)


def _is_open(question: _Question, sample: Sample) -> bool:
    route, facts = question.route, sample.facts
    if not route.scope.covers(facts):
        return False
    unknown = [each for each in question.conditions if _is_withheld(each, sample)]
    if not unknown and not (question.sticky and _is_unknown(question.sticky, sample)):
        return False
    return all(each.holds(facts) for each in route.when if each not in unknown)


def _is_withheld(condition: Condition, sample: Sample) -> bool:
    """Return True if the sample does not tell whether the condition holds."""
    if condition.op == "exists":  # names are known, unless none of the family are
        return f"{condition.fact.partition('.')[0]}.*" in sample.withheld
    return _is_unknown(condition.fact, sample)


def _is_unknown(fact: str, sample: Sample) -> bool:
    return fact in sample.withheld or f"{fact.partition('.')[0]}.*" in sample.withheld

"""Names the record because of which two rule sets decide differently on a request."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from rules.decision import Decision, Reason
from rules.records.kinds import RouteRecord
from rules.ruleset import RuleSet

Key = tuple[str, str]  # the kind and the id of a record
GONE = "is not in the new set"  # or disabled


class Change(NamedTuple):
    """Two decisions on one request that differ, and the rule set of each."""

    old: RuleSet
    new: RuleSet
    before: Decision
    after: Decision


class Why(NamedTuple):
    """The record that explains a change, and how; without a record `kind` and `id` are None."""

    kind: str | None
    id: str | None
    text: str

    def as_json(self) -> dict[str, str | None]:
        return self._asdict()


def why_changed(change: Change) -> Why:
    """Return the record that explains the change; if none does, the step of the policy that decided."""
    return next((why for find in _FINDERS if (why := find(change))), None) or _by_step(change)


def _new_obstacle(change: Change) -> Why | None:
    """Return the record because of which the model of before may not answer any more."""
    return _obstacle(_first(change.before), change.after, change.new, "")


def _old_obstacle(change: Change) -> Why | None:
    """Return the record because of which the model of now could not answer before."""
    return _obstacle(_first(change.after), change.before, change.old, "before: ")


def _obstacle(model: str | None, other: Decision, ruleset: RuleSet, prefix: str) -> Why | None:
    if model is None:
        return None
    if (bad := ruleset.refusing_problem(other.facts)) is not None:
        return Why(bad.kind, bad.id, f"{prefix}it cannot be read, and refuses its scope")
    why = _rejection(model, other)
    named = [
        (kind, record.id)
        for kind in ("access", "limit", "budget")
        for record in ruleset.enabled(kind)
        if f"{kind} {record.id}" in why
    ]
    # Of two ids of which one begins with the other, the longer one is meant.
    found = max(named, key=lambda key: len(key[1]), default=None)
    return Why(*found, f"{prefix}{why}") if found else None


def _rejection(model: str | None, decision: Decision) -> str:
    """Return why a model was rejected, or an empty text."""
    return next((each.why for each in decision.rejections if each.model == model), "")


def _new_decider(change: Change) -> Why | None:
    """Return the record that decides now, if it is another one or has changed."""
    now, was = _decider(change.after, change.new), _decider(change.before, change.old)
    if now is None or (now == was and not _has_changed(change, now)):
        return None
    return Why(*now, "decides now")


def _old_decider(change: Change) -> Why | None:
    """Return the record that decided before, if it does not any more."""
    now, was = _decider(change.after, change.new), _decider(change.before, change.old)
    if was is None or now == was:
        return None
    return Why(*was, "decides no more" if _is_enabled(was, change.new) else GONE)


def _changed_model(change: Change) -> Why | None:
    """Return the record that changed about one of the two models, or its provider."""
    for model in filter(None, (_first(change.after), _first(change.before))):
        for key in (("model", model), ("provider", model.partition("/")[0])):
            if _has_changed(change, key):
                return Why(*key, "has changed" if _is_enabled(key, change.new) else GONE)
    return None


_FINDERS: tuple[Callable[[Change], Why | None], ...] = (
    _new_obstacle,
    _old_obstacle,
    _new_decider,
    _old_decider,
    _changed_model,
)


def _by_step(change: Change) -> Why:
    """Return why the model of before was rejected, or else the step that decides now."""
    refusal, reason = change.after.refusal, change.after.reason
    why = _rejection(_first(change.before), change.after)
    return Why(None, None, why or (refusal.code if refusal else f"by {reason}"))


def _first(decision: Decision) -> str | None:
    return decision.candidates[0].id if decision.candidates else None


def _is_enabled(key: Key, ruleset: RuleSet) -> bool:
    return any((record.kind, record.id) == key and record.enabled for record in ruleset.records)


def _has_changed(change: Change, key: Key) -> bool:
    return change.old.items.get(key) != change.new.items.get(key)


def _decider(decision: Decision, ruleset: RuleSet) -> Key | None:
    """Return the record that chose the first candidate; None if none did."""
    facts, first = decision.facts, _first(decision)
    if decision.reason is Reason.BUDGET:
        return next((("budget", limit.record.id) for limit in decision.limits if limit.spent), None)
    by_rule = decision.reason is Reason.RULE or first in decision.fallbacks
    if decision.rule and (by_rule or (decision.reason is Reason.PREFERENCE and _prefers(decision, ruleset))):
        return "route", decision.rule
    if facts.model and decision.reason is Reason.REQUESTED:
        aliases = (
            record.id for record in ruleset.enabled("alias") if record.id.lower() == facts.model.lower()
        )
        return next((("alias", id) for id in aliases), None)
    return None


def _prefers(decision: Decision, ruleset: RuleSet) -> bool:
    """Return True if the preference comes from the rule."""
    routes = (record for record in ruleset.enabled("route") if record.id == decision.rule)
    route = next(routes, None)
    return isinstance(route, RouteRecord) and decision.facts.prefer is None and route.prefer is not None

"""The whole policy: an overriding rule, the model asked for, the rule, the preference; then the fallbacks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rules.admission import Admission, LiveState, needs_of
from rules.catalog.catalog import Catalog, Model
from rules.catalog.names import Named, is_valid_name
from rules.decision import Candidate, Decision, Effects, Reason, Refusal
from rules.facts.facts import PREFERENCES, Facts
from rules.plan import Plan, Refused
from rules.preference import Size
from rules.records.kinds import BudgetRecord, LimitRecord, RouteRecord
from rules.ruleset import Matched, RuleSet


def decide(facts: Facts, ruleset: RuleSet, catalog: Catalog, live: LiveState) -> Decision:
    """Which models may answer, in order. A caller's fault is not raised: it is the decision's refusal."""
    matched = ruleset.matching(facts)
    route = next(iter(matched.routes), None)
    plan = plan_of(facts, ruleset, catalog, live, matched)
    reason, first, candidates, refusal = _planned(plan, facts, ruleset, route)
    return Decision(
        facts=facts,
        reason=reason,
        rule=route.id if route else None,
        candidates=candidates,
        fallbacks=frozenset(candidate.id for candidate in candidates if candidate.model not in first),
        rejections=tuple(plan.rejections.values()),
        steps=matched.steps,
        problems=ruleset.problems,
        refusal=refusal,
        effects=effects_of(route, facts),
        limits=_limits(plan, matched, candidates),
        prefer=plan.wanted,
        pinned=plan.pinned,
        revision=ruleset.revision,
        stale=live.stale,
    )


def _planned(
    plan: Plan, facts: Facts, ruleset: RuleSet, route: RouteRecord | None
) -> tuple[Reason, list[Model], tuple[Candidate, ...], Refusal | None]:
    """The reason with the models it chose, the candidates, and what refuses them all."""
    reason = Reason.REQUESTED if facts.model else Reason.PREFERENCE
    try:
        _must_be_decidable(facts, ruleset)
        reason, first = _choose(plan, facts, route)
        later = [model for name in _fallbacks(facts, route) for model in plan.by_name(name)]
        if reason is Reason.PREFERENCE and not (first or later):
            first = plan.preferred(local=True)
    except Refused as refused:
        return reason, [], (), refused.refusal
    candidates = plan.candidates(first, later)
    return reason, first, candidates, None if candidates else plan.nothing_left()


def _choose(plan: Plan, facts: Facts, route: RouteRecord | None) -> tuple[Reason, list[Model]]:
    if route and route.override:
        return Reason.RULE, plan.ruled(route)
    named = _resolved(plan, facts.model) if facts.model else None
    if named and named.sort == "auto":
        plan.wanted = named.prefer or plan.wanted
    elif named and facts.model:
        return Reason.REQUESTED, plan.requested(facts.model, named)
    if route and (route.model or route.split):
        return Reason.RULE, plan.ruled(route)
    return Reason.PREFERENCE, plan.preferred()


def _must_be_decidable(facts: Facts, ruleset: RuleSet) -> None:
    if refusal := unreadable(facts, ruleset):
        raise Refused(refusal)
    if facts.prefer is not None and facts.prefer not in PREFERENCES:
        known = ", ".join(PREFERENCES)
        raise Refused(
            Refusal("invalid_value", f"prefer must be one of {known}, got {facts.prefer!r}.", "prefer")
        )


def unreadable(facts: Facts, ruleset: RuleSet) -> Refusal | None:
    """What everybody in the scope of a new access or budget record that cannot be read is told."""
    bad = ruleset.refusing(facts)
    if bad is None:
        return None
    message = f"The {bad.kind} record {bad.id} cannot be read (`{bad.field}`)."
    return Refusal("rule_unreadable", f"{message} It refuses its scope until it is put right.")


def _resolved(plan: Plan, name: str) -> Named:
    if named := plan.names.resolve(name):
        return named
    if not is_valid_name(name):
        raise Refused(Refusal("invalid_value", f"{name[:100]!r} is no name of a model.", "model"))
    raise Refused(plan.not_found(name))


def _fallbacks(facts: Facts, route: RouteRecord | None) -> tuple[str, ...]:
    return (*facts.fallbacks, *(route.fallbacks or () if route else ()))


def plan_of(facts: Facts, ruleset: RuleSet, catalog: Catalog, live: LiveState, matched: Matched) -> Plan:
    """An empty plan for this request."""
    route = next(iter(matched.routes), None)
    admission = Admission(
        facts=facts,
        access=matched.access,
        limits=matched.limits,
        budgets=matched.budgets,
        live=live,
        needs=needs_of(facts),
        catalog=catalog,
    )
    return Plan(
        names=ruleset.names(catalog, admission.admits_by_name),
        admission=admission,
        size=Size(
            facts.input_tokens,
            _max_tokens(facts, effects_of(route, facts)),
            facts.n,
            live.first_token,
            live.unsupported,
        ),
        wanted=facts.prefer or (route.prefer if route else None),
    )


NO_EFFECTS = Effects()


def effects_of(route: RouteRecord | None, facts: Facts) -> Effects:
    """The effects of the rule that applies, whoever chose the model.

    By default a stream that breaks off is resumed where there are fallbacks.
    """
    recovery = "resume" if _fallbacks(facts, route) else "error"
    if route is None:
        return NO_EFFECTS._replace(recovery=recovery) if facts.fallbacks else NO_EFFECTS
    return Effects(
        set=route.set or {},
        defaults=route.defaults or {},
        cap=route.cap or {},
        allow_fields=route.allow_fields or (),
        timeouts=route.timeouts or {},
        retries=1 if route.retries is None else route.retries,
        hedge_after=route.hedge_after,
        retry_after_max=NO_EFFECTS.retry_after_max
        if route.retry_after_max is None
        else route.retry_after_max,
        recovery=route.recovery or recovery,
    )


def _max_tokens(facts: Facts, effects: Effects) -> int | None:
    """The largest answer that may be asked for, once the rule has had its say."""
    asked = _tokens(effects.set) or facts.max_tokens or _tokens(effects.defaults)
    cap = effects.cap.get("max_tokens")
    return min(asked, cap) if asked and cap else asked or cap


def _tokens(parameters: Mapping[str, Any]) -> int | None:
    return parameters.get("max_completion_tokens") or parameters.get("max_tokens")


def _limits(plan: Plan, matched: Matched, candidates: tuple[Candidate, ...]) -> tuple[Mapping[str, Any], ...]:
    """The limit and budget records that apply to one of the candidates, as explained."""
    records: tuple[LimitRecord | BudgetRecord, ...] = (*matched.limits, *matched.budgets)
    if not records:
        return ()
    facts, names = plan.admission.facts, [plan.model_names(candidate.model).every for candidate in candidates]
    return tuple(_limit(each) for each in records if any(each.holds_for(facts, every) for every in names))


def _limit(record: LimitRecord | BudgetRecord) -> Mapping[str, Any]:
    amounts = {"usd": float(record.usd)} if isinstance(record, BudgetRecord) else _counted(record)
    each = {"each": record.each} if record.each else {}
    head = {"kind": record.kind, "id": record.id}
    return {**head, **amounts, "per": record.per, **each, "active": record.active}


def _counted(record: LimitRecord) -> Mapping[str, Any]:
    return {"requests": record.requests} if record.requests else {"tokens": record.tokens}

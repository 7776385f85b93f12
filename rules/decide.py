"""The whole policy: a rule with `override`, the request's model, the rule, preference; then fallbacks."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from rules.admission import Admission, LiveState, required_features
from rules.affinity import conversation_of
from rules.catalog.catalog import Catalog, Model
from rules.catalog.name_resolution import ResolvedName, is_valid_name
from rules.decision import AppliedLimit, Candidate, Decision, Effects, Reason, Refusal
from rules.facts.facts import PREFERENCES, Facts
from rules.plan import Plan, RefusedRequest
from rules.preference import Size
from rules.records.kinds import BudgetRecord, CacheRecord, LimitRecord, RouteRecord
from rules.ruleset import MatchingRecords, RuleSet


def decide(
    facts: Facts,
    ruleset: RuleSet,
    catalog: Catalog,
    live: LiveState,
    spent: frozenset[str] = frozenset(),
) -> Decision:
    """Return the models that may answer, in order. Never raises: the caller's error is `refusal`.

    `spent`: the ids of used-up budgets, each with a `then`; the most specific of them chooses the model.
    """
    matching = ruleset.match(facts)
    route = next(iter(matching.routes), None)
    plan = make_plan(facts, ruleset, catalog, live, matching)
    cache = ruleset.most_specific("cache", facts) if facts.operation == "chat" else None
    if route is None or route.affinity != "none":
        # Where answers are cached, equal requests of several sessions go to one model, as its answers are.
        plan.conversation = functools.cache(lambda: conversation_of(facts, by_session=cache is None))
    then = next((record.then for record in matching.budgets if record.id in spent), None)
    reason, first, candidates, refusal = _fill_plan(plan, facts, ruleset, route, then)
    return Decision(
        facts=facts,
        reason=reason,
        rule=route.id if route else None,
        candidates=candidates,
        fallbacks=frozenset(candidate.id for candidate in candidates if candidate.model not in first),
        rejections=tuple(plan.rejections.values()),
        steps=matching.steps,
        problems=ruleset.problems,
        refusal=refusal,
        effects=effects_of(route, facts),
        cache=cache if isinstance(cache, CacheRecord) else None,
        limits=_limits(plan, matching, candidates, spent),
        prefer=plan.prefer,
        affinity=plan.affinity(candidates),
        pinned=plan.pinned,
        revision=ruleset.revision,
        stale=live.stale,
    )


def _fill_plan(
    plan: Plan,
    facts: Facts,
    ruleset: RuleSet,
    route: RouteRecord | None,
    then: Mapping[str, Any] | None,
) -> tuple[Reason, list[Model], tuple[Candidate, ...], Refusal | None]:
    """Return the reason, the models chosen for it, the candidates, and the refusal if there are none."""
    reason = Reason.REQUESTED if facts.model else Reason.PREFERENCE
    try:
        _check_request(facts, ruleset)
        reason, first = (
            _choose(plan, facts, route) if then is None else _choose_over_budget(plan, facts, then)
        )
        fallbacks = _fallbacks(facts, route) if then is None else ()  # they might be what the budget is for
        later = [model for name in fallbacks for model in plan.named_models(name)]
        if reason is Reason.PREFERENCE and facts.operation == "chat" and not (first or later):
            first = plan.preferred_models(last_resort=True)
    except RefusedRequest as error:
        return reason, [], (), error.refusal
    candidates = plan.candidates(first, later)
    return reason, first, candidates, None if candidates else plan.refuse_without_candidates()


def _choose(plan: Plan, facts: Facts, route: RouteRecord | None) -> tuple[Reason, list[Model]]:
    if route and route.override:
        return Reason.RULE, plan.rule_models(route)
    resolved = _resolve(plan, facts.model) if facts.model else None
    if resolved and resolved.kind == "auto":
        plan.prefer = resolved.prefer or plan.prefer
    elif resolved and facts.model:
        return Reason.REQUESTED, plan.requested_models(facts.model, resolved)
    if route and (route.model or route.split):
        return Reason.RULE, plan.rule_models(route)
    if facts.operation != "chat":
        return Reason.PREFERENCE, _default_models(plan, facts)
    return Reason.PREFERENCE, plan.preferred_models()


def _default_models(plan: Plan, facts: Facts) -> list[Model]:
    """Return the model of an operation that names none. Raises RefusedRequest if its API has no default."""
    if facts.default_model is None:
        message = "`model` is missing: it can only be left out of a chat, or where a rule chooses the model."
        raise RefusedRequest(Refusal("missing_required_parameter", message, "model"))
    return plan.named_models(facts.default_model)


def _choose_over_budget(plan: Plan, facts: Facts, then: Mapping[str, Any]) -> tuple[Reason, list[Model]]:
    """Return the models that a used-up budget's `then` chooses, which yields to a model that is named."""
    resolved = _resolve(plan, facts.model) if facts.model else None
    if resolved and resolved.kind != "auto" and not then.get("override"):
        message = f"The budget is used up, and {facts.model} was named."
        raise RefusedRequest(Refusal("budget_exceeded", message, "model"))
    if "model" in then:
        return Reason.BUDGET, plan.named_models(then["model"])
    plan.prefer = then["prefer"]
    return Reason.BUDGET, plan.preferred_models()


def _check_request(facts: Facts, ruleset: RuleSet) -> None:
    if refusal := scope_refusal(facts, ruleset):
        raise RefusedRequest(refusal)
    if facts.prefer is not None and facts.prefer not in PREFERENCES:
        known = ", ".join(PREFERENCES)
        message = f"prefer must be one of {known}, got {facts.prefer!r}."
        raise RefusedRequest(Refusal("invalid_value", message, "prefer"))


def scope_refusal(facts: Facts, ruleset: RuleSet) -> Refusal | None:
    """Return the refusal of requests in the scope of a new access or budget record that cannot be read."""
    bad = ruleset.refusing_problem(facts)
    if bad is None:
        return None
    message = f"The {bad.kind} record {bad.id} cannot be read (`{bad.field}`)."
    return Refusal("rule_unreadable", f"{message} It refuses its scope until it is corrected.")


def _resolve(plan: Plan, name: str) -> ResolvedName:
    if resolved := plan.names.resolve(name):
        return resolved
    if not is_valid_name(name):
        raise RefusedRequest(Refusal("invalid_value", f"{name[:100]!r} is not a model name.", "model"))
    raise RefusedRequest(plan.refuse_unknown(name))


def _fallbacks(facts: Facts, route: RouteRecord | None) -> tuple[str, ...]:
    return (*facts.fallbacks, *(route.fallbacks or () if route else ()))


def make_plan(
    facts: Facts, ruleset: RuleSet, catalog: Catalog, live: LiveState, matching: MatchingRecords
) -> Plan:
    """Return an empty plan for this request."""
    route = next(iter(matching.routes), None)
    effects = effects_of(route, facts)
    admission = Admission(
        facts=facts,
        access=matching.access,
        limits=matching.limits,
        budgets=matching.budgets,
        live=live,
        requirements=required_features(facts),
        catalog=catalog,
    )
    return Plan(
        names=ruleset.resolver(catalog, admission.is_admitted_by_id),
        admission=admission,
        size=Size(
            facts.input_tokens,
            _max_tokens(facts, effects),
            _n(facts, effects),
            effects.set.get("service_tier", facts.service_tier) or "",
            live.first_token,
            live.unsupported,
            facts.operation not in WITHOUT_OUTPUT,
            facts.units,
        ),
        prefer=facts.prefer or (route.prefer if route else None),
    )


NO_EFFECTS = Effects()
WITHOUT_OUTPUT = frozenset({"embeddings", "rerank", "moderation"})  # operations without output tokens


def effects_of(route: RouteRecord | None, facts: Facts) -> Effects:
    """Return the effects of the route that applies, whatever chose the model.

    By default a broken stream is resumed if there are fallbacks.
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
    """Return the largest output that the request can ask for, after the rule's effects.

    A null in `set` removes what the request has.
    """
    requested = facts.max_tokens or _tokens(effects.defaults)
    if not effects.set.keys().isdisjoint(_MAX_TOKENS):
        requested = _tokens(effects.set)
    cap = effects.cap.get("max_tokens")
    return min(requested, cap) if requested and cap else requested or cap


def _n(facts: Facts, effects: Effects) -> int:
    """Return the number of choices that the request can ask for, after the rule's effects."""
    n: int = facts.n if facts.n > 1 else effects.defaults.get("n") or 1
    n = (effects.set["n"] or 1) if "n" in effects.set else n
    return min(n, effects.cap.get("n") or n)


_MAX_TOKENS = ("max_completion_tokens", "max_tokens")  # two names of one field


def _tokens(parameters: Mapping[str, Any]) -> int | None:
    return next((parameters[name] for name in _MAX_TOKENS if parameters.get(name)), None)


def _limits(
    plan: Plan, matching: MatchingRecords, candidates: tuple[Candidate, ...], spent: frozenset[str]
) -> tuple[AppliedLimit, ...]:
    """Return the limit and budget records that apply to a candidate."""
    records: tuple[LimitRecord | BudgetRecord, ...] = (*matching.limits, *matching.budgets)
    if not records:
        return ()
    facts = plan.admission.facts
    names = [(candidate.id, plan.model_names(candidate.model).all) for candidate in candidates]
    limits = (
        AppliedLimit(
            record,
            frozenset(id for id, each in names if record.holds_for(facts, each)),
            spent=isinstance(record, BudgetRecord) and record.id in spent,
        )
        for record in records
    )
    return tuple(limit for limit in limits if limit.candidates)

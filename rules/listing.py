"""Lists what a key may use, for GET /models: available models, pools, aliases and `auto`."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from rules.admission import LiveState
from rules.catalog.catalog import Catalog, Model
from rules.decide import make_plan, scope_refusal
from rules.decision import Refusal
from rules.facts.facts import PREFERENCES, Facts
from rules.ruleset import RuleSet

Json = dict[str, Any]


def list_models(ruleset: RuleSet, catalog: Catalog, live: LiveState, facts: Facts) -> list[Json] | Refusal:
    """Return OpenAI's model objects, each with `context_length` and `pricing` (dollars per token, as text).

    A pool and an alias have those of the first model that would answer; `auto` has neither. Returns a Refusal
    if an unreadable record refuses the key's scope.
    """
    if refusal := scope_refusal(facts, ruleset):
        return refusal
    plan = make_plan(facts, ruleset, catalog, live, ruleset.match(facts))
    models = [model for model in catalog.all() if plan.may_use(model)]
    pools: dict[str, Model] = {}
    for model in models:
        if model.pool and model.pool not in plan.names.aliases:
            pools.setdefault(model.pool, model)
    autos = (
        ["auto", *(f"auto:{prefer}" for prefer in PREFERENCES)] if any(model.auto for model in models) else []
    )
    return [
        *(_model_object(name, "sluice") for name in autos),
        *(_model_object(name, "sluice", first) for name, first in plan.aliases()),
        *(_model_object(name, "sluice", first) for name, first in sorted(pools.items())),
        *(_model_object(model.id, model.provider, model) for model in models),
    ]


def _model_object(id: str, owner: str, model: Model | None = None) -> Json:
    item: Json = {"id": id, "object": "model", "created": 0, "owned_by": owner}
    if model is not None and model.context is not None:
        item["context_length"] = model.context
    if model is not None and model.price is not None:
        price = {"prompt": model.price.input, "completion": model.price.output}
        item["pricing"] = {name: _per_token(nano) for name, nano in price.items()}
    if model is not None and "chat" not in model.operations:
        item["operations"] = sorted(model.operations)
    return item


def _per_token(nano_per_million: int) -> str:
    """Return dollars per token: "0.00000015" for 150_000_000."""
    return format(Decimal(nano_per_million).scaleb(-15).normalize(), "f")

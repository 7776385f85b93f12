"""A catalogue of nine models, and decisions over it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rules import Catalog, Decision, Facts, LiveState, Model, Price, RuleSet, decide

Item = dict[str, Any]

DOLLAR = 10**9  # nano-dollars
ALL = frozenset({"tools", "images", "audio", "files", "json_object", "json_schema", "reasoning"})
TEXT = frozenset({"json_object"})


def model(
    id: str,
    price: tuple[float, float] | None,
    *,
    quality: int = 3,
    speed: int = 3,
    pool: str = "",
    can: frozenset[str] = ALL,
    context: int | None = 100_000,
    auto: bool = True,
) -> Model:
    """`price`: dollars per million tokens of input and of output."""
    provider, name = id.split("/", 1)
    return Model(
        provider=provider,
        name=name,
        pool=pool or name.lower(),
        context=context,
        max_output=8_000,
        price=Price(round(price[0] * DOLLAR), round(price[1] * DOLLAR)) if price else None,
        can=can,
        quality=quality,
        speed=speed,
        auto=auto,
    )


MODELS = (
    model("openai/big", (10, 50), quality=5, speed=2),
    model("openai/mid", (2, 10), quality=4),
    model("openai/mid-2025-01-31", (3, 12), quality=4, auto=False),
    model("openai/mini", (0.2, 1), quality=3, speed=4, can=ALL - {"audio"}),
    model("gemini/pro", (1, 5), quality=4, context=1_000_000),
    model("groq/org/Open-7B", (0.1, 0.1), quality=2, speed=5, pool="open-7b", can=TEXT, context=8_000),
    model("together/Org/open-7b-Turbo", (0.2, 0.2), quality=2, pool="open-7b", can=TEXT, auto=False),
    model("mistral/open-7b", None, quality=2, pool="open-7b", can=TEXT),
    model("xai/wide", (5, 5), quality=1, context=None),
    model("local/echo", (0, 0), quality=1, speed=5),
)
CATALOG = Catalog(successors={"old": "mid"}, own={each.id.lower(): each for each in MODELS})
ALL_PROVIDERS = frozenset({"openai", "gemini", "groq", "together", "mistral", "xai", "local"})


def make_decision(
    model: str | None = None,
    records: Sequence[Mapping[str, Any]] = (),
    *,
    available: frozenset[str] = ALL_PROVIDERS,
    live: Mapping[str, Any] | None = None,
    **facts: Any,
) -> Decision:
    """Return the decision for a request with these facts and records."""
    ruleset = RuleSet.read(records)
    catalog = CATALOG.with_records(
        ruleset.enabled("model"),  # type: ignore[arg-type]
        {record.id: "openai" for record in ruleset.enabled("provider")},
    )
    world = LiveState(available=available, **(live or {}))
    return decide(Facts(model=model, **facts), ruleset, catalog, world)


def candidate_ids(decision: Decision) -> list[str]:
    return [candidate.id for candidate in decision.candidates]


def rejection_reasons(decision: Decision) -> dict[str, str]:
    return {rejection.model: rejection.why for rejection in decision.rejections}


def route(id: str = "r", **fields: Any) -> Item:
    return {"kind": "route", "id": id, **fields}


def access(id: str = "a", **fields: Any) -> Item:
    return {"kind": "access", "id": id, **fields}


def alias(id: str, *models: str) -> Item:
    return {"kind": "alias", "id": id, "models": list(models)}

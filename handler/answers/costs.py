"""Costs: whole nano-dollars of each part of a usage. Each part is rounded, and the whole is their sum."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from handler.answers.usage import Usage, WastedUsage
from rules import NANO, Price

MILLION = 1_000_000
STATED = "stated"  # the part that is a cost which the provider states itself: it is the whole then


def costs(usage: Usage, price: Price | None) -> dict[str, int] | None:
    """Return the cost of each part that was used (`Price`, or STATED); None if the price is unknown.

    The price is that of the service tier, and of the length of the prompt.
    """
    if usage.stated_cost is not None:
        return {STATED: usage.stated_cost}
    if price is None:
        return None
    return price.of_request(usage.service_tier, usage.largest_request).costs(usage.parts)


def costs_of(used: Iterable[WastedUsage]) -> dict[str, int] | None:
    """Return the costs of several attempts together; None if a price is unknown."""
    total: dict[str, int] = {}
    for candidate, usage in used:
        parts = costs(usage, candidate.price)
        if parts is None:
            return None
        for part, nano in parts.items():
            total[part] = total.get(part, 0) + nano
    return total


def cost_of(used: Iterable[WastedUsage]) -> int | None:
    """Return the cost of several attempts in nano-dollars; None if a price is unknown."""
    parts = costs_of(used)
    return None if parts is None else sum(parts.values())


def dollars(nano: int) -> float:
    return nano / NANO


def details(parts: Mapping[str, int]) -> dict[str, float]:
    """Return costs in dollars."""
    return {part: dollars(nano) for part, nano in parts.items()}


MEMBERS = frozenset({"cost", "cost_details", "cost_estimated"})  # of `shown`


def shown(used: Iterable[WastedUsage]) -> dict[str, Any]:
    """Return the members of `usage` for a client that asked for the cost; none if a price is unknown."""
    used = list(used)
    parts = costs_of(used)
    if parts is None:
        return {}
    estimated = {"cost_estimated": True} if any(usage.estimated for _, usage in used) else {}
    return {"cost": dollars(sum(parts.values())), "cost_details": details(parts), **estimated}

"""Response headers that describe a decision and its attempts, on answers and errors (docs/api.md)."""

from __future__ import annotations

from collections.abc import Mapping

from handler.endpoints.exchange.limit_headers import limit_headers
from handler.log import RequestLog, reason_of


def decision_headers(entry: RequestLog) -> dict[str, str]:
    """Return the headers of the decision; none if there is no decision yet."""
    decision, result = entry.decision, entry.result
    if decision is None:
        return {}
    age = entry.answer.age if entry.answer else None
    headers: Mapping[str, str | None] = {
        "x-sluice-model": entry.model,
        "x-sluice-reason": reason_of(decision, entry.answer),
        "x-sluice-rule": decision.rule,
        "x-sluice-attempts": str(len(entry.attempts)),
        "x-sluice-cache": entry.cache,
        "x-sluice-cache-age": None if age is None else str(age),
        "x-sluice-cost": None if age is None else "0",  # known before a stream has ended, too
        "x-sluice-schema": result.schema if result else None,
        "x-sluice-dropped": ", ".join(result.dropped) or None if result else None,
    }
    shown = {name: value for name, value in headers.items() if value is not None}
    return {**shown, **limit_headers(entry.reservation, decision.facts.dialect)}

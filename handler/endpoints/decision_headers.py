"""Makes the headers that tell a decision and its attempts, on answers and errors (contract, section 8)."""

from __future__ import annotations

from collections.abc import Mapping

from handler.log import RequestLog, reason_of


def decision_headers(entry: RequestLog) -> dict[str, str]:
    """The headers of a decision, if there is one. Without an answer the model is the last one asked."""
    decision, answer, served = entry.decision, entry.answer, entry.served
    if decision is None:
        return {}
    found: Mapping[str, str | None] = {
        "x-sluice-model": entry.model,
        "x-sluice-reason": reason_of(decision, answer),
        "x-sluice-rule": decision.rule,
        "x-sluice-attempts": str(len(entry.attempts)),
        "x-sluice-schema": served.schema if served else None,
        "x-sluice-dropped": ", ".join(served.dropped) or None if served else None,
    }
    return {name: value for name, value in found.items() if value is not None}

"""What a finished request adds to the usage totals."""

from __future__ import annotations

from handler.answers.usage import Usage
from handler.log import RequestLog
from handler.store.usage_totals import TOKENS, UsageRow, clean_name


def usage_of_request(entry: RequestLog) -> tuple[UsageRow, dict[str, int]] | None:
    """Return the row of a request and its counts; None if no candidate was asked."""
    decision, key, usage, cost = entry.decision, entry.key, entry.usage, entry.cost
    if decision is None or key is None or not (entry.answer or entry.attempts or usage):
        return None
    facts, model = decision.facts, entry.model or decision.candidates[0].id
    tags = {clean_name(name): clean_name(value) for name, value in entry.tags.items()}
    row = UsageRow(
        project=key.project,
        key=key.id,
        model=model,
        tags={name: value for name, value in tags.items() if name},
        session=facts.session,
        agent=facts.agent,
        listed=all(candidate.model.listed for candidate in decision.candidates if candidate.id == model),
    )
    failed = entry.failure or (entry.answer and entry.answer.failure)
    return row, {
        "requests": 1,
        "errors": int(failed is not None),
        "hits": int(entry.cache == "hit"),
        "unpriced": int(usage is not None and cost is None),
        "cost": cost or 0,
        **(_tokens(usage) if usage else {}),
    }


def _tokens(usage: Usage) -> dict[str, int]:
    counts = {name: getattr(usage, name) for name in TOKENS}
    written = usage.cache_write + usage.cache_write_1h
    return {**counts, "cache_write": written, "estimated": int(usage.estimated)}

"""Response headers about limits, in OpenAI's form or Anthropic's, and budgets of which half is spent.

https://platform.openai.com/docs/guides/rate-limits#rate-limits-in-headers
https://platform.claude.com/docs/en/api/rate-limits#response-headers
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from handler.access.counters import Counter
    from handler.access.reservation import Reservation

LEAST_SHOWN = 50  # percent of a budget


def limit_headers(reservation: Reservation | None, dialect: str = "openai") -> dict[str, str]:
    """Return the headers of what a request was counted by. dialect: of the client.

    Of several limits in one unit, they show the one of which the smallest part is left.
    """
    headers: dict[str, str] = {}
    if reservation is None:
        return headers
    remaining, now = reservation.known.remaining, reservation.known.now()
    known = [
        (counter, left) for counter, _ in reservation.counters if (left := remaining(counter)) is not None
    ]
    for unit in ("requests", "tokens"):
        limits = [
            (left / counter.limit, counter, left) for counter, left in known if counter.record.unit == unit
        ]
        if limits:
            _, counter, left = min(limits, key=lambda limit: limit[0])
            form = _anthropic if dialect == "anthropic" else _openai
            headers |= form(unit, counter, left, now)
    if alerts := ", ".join(_alerts(reservation)):
        headers["x-sluice-alert"] = alerts
    return headers


def _openai(unit: str, counter: Counter, left: int, now: float) -> dict[str, str]:
    return {
        f"x-ratelimit-limit-{unit}": str(counter.limit),
        f"x-ratelimit-remaining-{unit}": str(left),
        f"x-ratelimit-reset-{unit}": duration(counter.ends - now),
    }


def _anthropic(unit: str, counter: Counter, left: int, now: float) -> dict[str, str]:
    ends = datetime.fromtimestamp(counter.ends, UTC)
    return {
        f"anthropic-ratelimit-{unit}-limit": str(counter.limit),
        f"anthropic-ratelimit-{unit}-remaining": str(left),
        f"anthropic-ratelimit-{unit}-reset": f"{ends:%Y-%m-%dT%H:%M:%SZ}",
    }


def _alerts(reservation: Reservation) -> Iterator[str]:
    for counter, _ in reservation.counters:
        percent = reservation.known.of(counter).used * 100 // counter.limit
        if counter.record.unit == "usd" and percent >= LEAST_SHOWN:
            yield f"budget {counter.record.id} {percent}%"


def duration(seconds: float) -> str:
    """Return a time as OpenAI writes it: 17ms, 59.7s, 6m0s, 23h59m59s."""
    ms = max(0, round(seconds * 1000))
    if ms < 1000:
        return f"{ms}ms"
    minutes, rest = divmod(ms, 60_000)
    hours, minutes = divmod(minutes, 60)
    text = f"{rest / 1000:.3f}".rstrip("0").rstrip(".") + "s"
    return f"{hours}h{minutes}m{text}" if hours else f"{minutes}m{text}" if minutes else text

"""Asks a gateway for a stream, and tells from its arrival if something on the way holds it back."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from typing import Any

from handler.cli.doctor.finding import Finding, fault, ok, skipped, warning
from handler.cli.doctor.probe import Answer, Arrivals, Probe, Unreachable
from handler.errors import Json

DEMO = "local/echo"
NUMBERS = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
PROMPT = f"Repeat these words and say nothing else: {NUMBERS}"
FEWEST = 4  # lines that say anything
TOGETHER = 0.002  # seconds: lines that come closer to each other were sent as one
SPREAD = 0.05  # seconds over which a stream of a model comes at least
HELD = 0.1  # seconds by which an answer that is held back is late
UNBUFFER = (
    "deploy with Buffered=false (InvokeMode RESPONSE_STREAM); turn the buffering of responses off in a proxy "
    "or CDN in front (nginx: proxy_buffering off)"
)
_DURATION = re.compile(r"dur=([0-9.]+)")


def check_streaming(probe: Probe, model: str, rtt: float) -> Iterator[Finding]:
    """Ask `model` for a short stream. rtt: seconds of a request that needs no work."""
    body = {"model": model, "stream": True, "messages": [{"role": "user", "content": PROMPT}]}
    try:
        found = probe.stream("/v1/chat/completions", body)
    except Unreachable as error:
        yield fault("streaming", f"{model}: {error}", error.mend)
        return
    if isinstance(found, Answer):
        mend = "see `attempts` in the log line of the request, or name another model with --model"
        yield fault("streaming", f"{model}: {found.error}", mend)
    else:
        yield judge(found, model, rtt)


def judge(found: Arrivals, model: str, rtt: float) -> Finding:
    """Return what the arrivals of a stream say.

    The gateway sends the head with the first content, and says in it how long it had waited for that. Where
    nothing comes until long after, and then all at once, something has held it back.
    """
    lines = found.lines
    if len(lines) < FEWEST:
        return skipped("streaming", f"{model} sent {len(lines)} lines, too few to tell", "try --model NAME")
    spread, waves = lines[-1] - lines[0], _waves(lines)
    if spread >= SPREAD and waves >= min(FEWEST, len(lines)):
        gap = max(after - before for before, after in pairwise(lines))
        text = f"{model}: {len(lines)} lines in {_ms(spread)}, at most {_ms(gap)} apart"
        return ok("streaming", text)
    if spread >= SPREAD:
        text = f"{model}: {len(lines)} lines came in {waves} pieces: something on the way collects them"
        return warning("streaming", text, UNBUFFER)
    late = max(found.head - _server(found.headers) - rtt, lines[0] - found.head)
    if late >= HELD:
        text = f"{model}: all {len(lines)} lines came at once, {_ms(late)} late: something buffers the answer"
        return fault("streaming", text, UNBUFFER)
    text = f"{model} answered within {_ms(spread)}, too fast to tell if it streams"
    return skipped("streaming", text, "name a slower model with --model")


def _waves(lines: Sequence[float]) -> int:
    """Return how many groups of lines came apart from each other."""
    return 1 + sum(after - before > TOGETHER for before, after in pairwise(lines))


def _server(headers: Mapping[str, str]) -> float:
    """Return the seconds that the gateway took until it sent the head, by its own clock."""
    return sum(map(float, _DURATION.findall(headers.get("server-timing", "")))) / 1000


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"


def choose_model(listed: Sequence[Json]) -> str | None:
    """Return the model to ask: the demo model, or else the cheapest one for chats; None if there is none."""
    chats = [item for item in listed if "operations" not in item and isinstance(item.get("id"), str)]
    if any(item["id"] == DEMO for item in chats):
        return DEMO
    priced = [(price, item["id"]) for item in chats if (price := _price(item)) is not None]
    if priced:
        return str(min(priced)[1])
    return str(chats[0]["id"]) if chats else None


def _price(item: Mapping[str, Any]) -> Decimal | None:
    """Return the dollars of a token that is read and one that is written; None if they are unknown."""
    try:
        return Decimal(item["pricing"]["prompt"]) + Decimal(item["pricing"]["completion"])
    except (KeyError, TypeError, InvalidOperation):
        return None

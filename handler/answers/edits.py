"""The declared edits to an answer: the id of the model, the usage of all attempts of the call, and its cost.

Contract, sections 3 and 8. No I/O.
"""

from __future__ import annotations

from collections.abc import Sequence

from handler.answers.usage import WastedUsage, cost, cost_of, dollars, summed, usage_of
from handler.errors import Json
from handler.wire.splice import splice_bytes
from rules import Price


def whole(
    text: str,
    body: Json,
    completion: Json,
    *,
    model: str,
    price: Price | None,
    wasted: Sequence[WastedUsage] = (),
) -> bytes:
    """Edit a whole answer for the client. text: parses to `body`.

    price: given if the client asked for the cost.
    """
    return splice_bytes(text, body, served(completion, model, price, wasted))


def served(answer: Json, model: str, price: Price | None, wasted: Sequence[WastedUsage] = ()) -> Json:
    """The answer under the id of the model that served it, with its cost if the client asked for that.

    Its usage counts every attempt of the call, as the log does. wasted: the usage of the other attempts.
    """
    usage = answer.get("usage")
    used = usage_of(answer) if (price or wasted) and isinstance(usage, dict) else None
    if not used:
        return {**answer, "model": model}
    usage = summed(answer["usage"], wasted) if wasted else answer["usage"]
    if price and (before := cost_of(wasted)) is not None:
        usage = {**usage, "cost": dollars(before + cost(used, price))}
    return {**answer, "model": model, "usage": usage}

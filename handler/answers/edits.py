"""The declared edits to an answer: the id that served it, what all attempts of the call used, what that cost.

Contract, sections 3 and 8. No I/O.
"""

from __future__ import annotations

from collections.abc import Sequence

from handler.answers.usage import Spent, cost, cost_of, dollars, summed, usage_of
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
    spent: Sequence[Spent] = (),
) -> bytes:
    """Edits a whole answer for the client. `text` parses to `body`; `price` is given to tell the cost."""
    return splice_bytes(text, body, served(completion, model, price, spent))


def served(answer: Json, model: str, price: Price | None, spent: Sequence[Spent] = ()) -> Json:
    """The answer under the id that served it, with what it cost where that was asked for.

    Its usage counts every attempt of the call, as the log does: `spent` is what the others used.
    """
    usage = answer.get("usage")
    told = usage_of(answer) if (price or spent) and isinstance(usage, dict) else None
    if not told:
        return {**answer, "model": model}
    usage = summed(answer["usage"], spent) if spent else answer["usage"]
    if price and (before := cost_of(spent)) is not None:
        usage = {**usage, "cost": dollars(before + cost(told, price))}
    return {**answer, "model": model, "usage": usage}

"""The price of a model for each part of a usage, and the most that a request may cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

MILLION = 1_000_000  # tokens: prices are per million

# A part without a price of its own costs what this other part costs.
INPUT_PARTS: Mapping[str, str] = {
    "cached_input": "input",
    "cache_write": "input",
    "cache_write_1h": "cache_write",
    "audio_input": "input",
    "image_input": "input",
}
OUTPUT_PARTS: Mapping[str, str] = {
    "reasoning": "output",
    "audio_output": "output",
    "image_output": "output",
}
PARTS = {**INPUT_PARTS, **OUTPUT_PARTS}


@dataclass(frozen=True, slots=True)
class Price:
    """Nano-dollars per million tokens: $0.15 per million is 150_000_000. See PARTS for what is None."""

    input: int
    output: int
    cached_input: int | None = None
    cache_write: int | None = None  # kept for five minutes
    cache_write_1h: int | None = None  # kept for an hour
    audio_input: int | None = None
    image_input: int | None = None
    reasoning: int | None = None
    audio_output: int | None = None
    image_output: int | None = None

    def rate(self, part: str) -> int:
        """Return the price of a part: "input", "output" or one of PARTS."""
        rate: int | None = getattr(self, part)
        return self.rate(PARTS[part]) if rate is None else rate


def highest_price(prices: Iterable[Price]) -> Price | None:
    """Return the highest price of each part, for a model whose price is unknown; None without prices."""
    known = list(prices)
    if not known:
        return None
    return Price(**{part: max(price.rate(part) for price in known) for part in ("input", "output", *PARTS)})


def reserve_cost(price: Price, input_tokens: int, output_tokens: int) -> int:
    """Return the most nano-dollars that so many tokens can cost, whatever parts they turn out to be."""
    dearest_input = max(price.rate(part) for part in ("input", *INPUT_PARTS))
    dearest_output = max(price.rate(part) for part in ("output", *OUTPUT_PARTS))
    return -(-(input_tokens * dearest_input + output_tokens * dearest_output) // MILLION)

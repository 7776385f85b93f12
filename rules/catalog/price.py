"""The price of a model for each part of a usage, and the most that a request may cost.

Tokens have parts (PARTS); a rerank, speech, a transcription or an image may have other units (UNITS).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple

from rules.frozen import Frozen

MILLION = 1_000_000  # tokens: prices are per million
NANO = 10**9  # nano-dollars in a dollar

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
# Units besides tokens. Without a price of its own a unit costs nothing.
UNITS = ("searches", "characters", "seconds", "images")
NO_UNITS: Mapping[str, int] = MappingProxyType({})


class Price(Frozen, kw_only=False):
    """Nano-dollars per million tokens or other units: $0.15 is 150_000_000. See PARTS and UNITS for None."""

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
    searches: int | None = None  # of a rerank
    characters: int | None = None  # of a text that is spoken
    seconds: int | None = None  # of audio that is transcribed
    images: int | None = None  # that are generated
    tiers: tuple[Tier, ...] = ()

    def __hash__(self) -> int:
        return hash((self.input, self.output, self.cached_input))  # quickly, for each candidate

    def of_request(self, service: str, input_tokens: int) -> Price:
        """Return the price of a request: that of its service tier, else of so much input, else this."""
        tiers = [each for each in self.tiers if each.service in ("", service) and input_tokens > each.above]
        return max(tiers, key=lambda each: (each.service, each.above)).price if tiers else self

    def rate(self, part: str) -> int:
        """Return the price of a part: "input", "output", one of PARTS or of UNITS."""
        rate: int | None = getattr(self, part)
        if rate is None:
            return self.rate(PARTS[part]) if part in PARTS else 0
        return rate

    def costs(self, units: Mapping[str, int]) -> dict[str, int]:
        """Return the nano-dollars of each part that was used. `units`: tokens and other units by part."""
        return {
            part: (count * self.rate(part) + MILLION // 2) // MILLION
            for part, count in units.items()
            if count
        }

    def highest_rate(self, part: str, service: str = "") -> int:
        """Return the highest price of a part for any length of input, in this service tier."""
        tiers = (tier.price for tier in self.tiers if tier.service in ("", service))
        return max(price.rate(part) for price in (self, *tiers))


class Tier(NamedTuple):
    """The price of requests of a service tier ("": of any) with more than `above` tokens of input."""

    service: str
    above: int
    price: Price


def price_of(prices: Mapping[str, Any]) -> Price:
    """Return the price in nano-dollars by part; `tiers` lists more of them, with `service` and `above`.

    A part that a tier leaves out costs what it costs without the tier.
    """
    parts: dict[str, Any] = {name: value for name, value in prices.items() if name != "tiers"}
    tiers = [
        Tier(
            tier.get("service", ""),
            tier.get("above", -1),
            Price(**{**parts, **{name: value for name, value in tier.items() if name not in Tier._fields}}),
        )
        for tier in prices.get("tiers", ())
    ]
    return Price(**parts, tiers=tuple(tiers))


def highest_price(prices: Iterable[Price]) -> Price | None:
    """Return the highest price of each part, for a model whose price is unknown; None without prices."""
    known = list(prices)
    if not known:
        return None
    parts = ("input", "output", *PARTS, *UNITS)
    highest: dict[str, Any] = {part: max(price.highest_rate(part) for price in known) for part in parts}
    highest |= {unit: highest[unit] or None for unit in UNITS}
    return Price(**highest)


def reserve_cost(
    price: Price,
    input_tokens: int,
    output_tokens: int,
    service: str = "",
    units: Mapping[str, int] = NO_UNITS,
) -> int:
    """Return the most nano-dollars that so many tokens and units cost, whatever parts they turn out to be.

    A long prompt costs more, and counts as one always. `service`: the service tier that the request asks for.
    """
    known = any(tier.service == service for tier in price.tiers)
    dearest_input, dearest_output = _dearest(price, service if known else "")
    others = sum(count * price.rate(unit) for unit, count in units.items())
    return -(-(input_tokens * dearest_input + output_tokens * dearest_output + others) // MILLION)


@lru_cache(maxsize=4096)
def _dearest(price: Price, service: str) -> tuple[int, int]:
    """Return the highest price of any part of the input, and of the output."""
    parts = ("input", *INPUT_PARTS), ("output", *OUTPUT_PARTS)
    highest_input, highest_output = (
        max(price.highest_rate(part, service) for part in each) for each in parts
    )
    return highest_input, highest_output

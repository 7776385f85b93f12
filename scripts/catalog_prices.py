"""Reads the rarer prices of both lists: cache writes, audio, images, reasoning, long prompts, service tiers.

Prices are dollars per million tokens, by group: (service tier or "", more input tokens than this). The group
`BASE` has the prices without a tier. rules/catalog/price.py says what a price is that is not there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

Row = dict[str, Any]
Group = tuple[str, int]
Groups = dict[Group, dict[str, Decimal]]

BASE: Group = ("", 0)
COLUMNS = ("input", "output", "cached_input")  # of the catalogue, which has columns for them
# The part whose price a part without one has, as in rules/catalog/price.py.
SAME_AS = {
    "cached_input": "input", "cache_write": "input", "cache_write_1h": "cache_write", "audio_input": "input",
    "image_input": "input", "reasoning": "output", "audio_output": "output", "image_output": "output",
}  # fmt: skip

LITELLM = {
    "input_cost_per_token": "input",
    "output_cost_per_token": "output",
    "cache_read_input_token_cost": "cached_input",
    "cache_creation_input_token_cost": "cache_write",
    "cache_creation_input_token_cost_above_1hr": "cache_write_1h",
    "output_cost_per_reasoning_token": "reasoning",
    "input_cost_per_audio_token": "audio_input",
    "output_cost_per_audio_token": "audio_output",
    "input_cost_per_image_token": "image_input",
    "output_cost_per_image_token": "image_output",
}
GENAI = {
    "input_mtok": "input",
    "output_mtok": "output",
    "cache_read_mtok": "cached_input",
    "cache_write_mtok": "cache_write",
    "cache_write_1h_mtok": "cache_write_1h",
    "output_reasoning_mtok": "reasoning",
    "input_audio_mtok": "audio_input",
    "output_audio_mtok": "audio_output",
    "input_image_mtok": "image_input",
    "output_image_mtok": "image_output",
}
# Units besides tokens.
LITELLM_UNITS = {
    "input_cost_per_query": "searches",
    "input_cost_per_character": "characters",
    "input_cost_per_second": "seconds",
    "input_cost_per_image": "images",
}
_FIELD = re.compile(
    rf"({'|'.join(sorted(LITELLM, key=len, reverse=True))})"
    r"(?:_above_(\d+)k_tokens)?(?:_(priority|flex|batches|ultrafast))?"
)


def litellm_groups(entry: Row) -> Groups:
    """Return the prices of a row of litellm."""
    groups: Groups = {BASE: {}}
    for name, cost in entry.items():
        if (field := _FIELD.fullmatch(name)) and cost is not None:
            part, above, service = field.groups()
            group = ((service or "").replace("batches", "batch"), int(above or 0) * 1000)
            groups.setdefault(group, {})[LITELLM[part]] = per_million(cost)
    for tier in entry.get("tiered_pricing") or ():
        priced = {LITELLM[name]: per_million(cost) for name, cost in tier.items() if name in LITELLM}
        groups.setdefault(("", int((tier.get("range") or [0])[0])), {}).update(priced)
    return groups


def litellm_units(entry: Row) -> dict[str, Decimal]:
    """Return the prices of units besides tokens; none of a model that is charged by token."""
    if entry.get("input_cost_per_token"):
        return {}
    return {unit: per_million(entry[name]) for name, unit in LITELLM_UNITS.items() if entry.get(name)}


def per_million(cost: float | str) -> Decimal:
    return (Decimal(str(cost)) * 10**6).normalize()


def genai_groups(prices: Row, variants: list[Row]) -> Groups:
    """Return the prices of a model of genai-prices: its `prices`, and those of its service tiers."""
    groups: Groups = {BASE: {}}
    for service, listed in (("", prices), *_services(variants)):
        for name, part in GENAI.items():
            price = listed.get(name)
            tiers = price["tiers"] if isinstance(price, dict) else ()
            base = price["base"] if isinstance(price, dict) else price
            for above, cost in ((0, base), *((tier["start"], tier["price"]) for tier in tiers)):
                if cost is not None:
                    groups.setdefault((service, above), {})[part] = cost
    return groups


def _services(variants: list[Row]) -> Iterator[tuple[str, Row]]:
    for variant in variants:
        match variant["when"]:
            case {"service_tier": str(service), **rest} if not rest:
                yield service, variant["prices"]
            case {"processing": "batch", **rest} if not rest:
                yield "batch", variant["prices"]


def merge_groups(ours: Groups, theirs: Groups) -> Groups:
    """Return the prices of litellm and, where these have none, those of genai-prices.

    The two differ about a model when their prices of input or output do: then `theirs` alone.
    """
    base = ours[BASE]
    if any(base.get(part) != theirs[BASE].get(part) for part in ("input", "output")):
        return theirs
    tiers = {group: prices for group, prices in ours.items() if group != BASE}
    return {**(tiers or theirs), BASE: {**theirs[BASE], **base}}


def more_prices(model: str, row: Row, groups: Groups) -> str | None:
    """Return the last column of a row: its prices beyond the columns, then those of each tier.

    Claude's cache writes cost 1.25 times the input, and twice the input for an hour, where the lists have no
    price: https://platform.claude.com/docs/en/build-with-claude/prompt-caching#pricing
    """
    columns = {part: row[part] for part in COLUMNS if row.get(part) is not None}
    if "input" not in columns or "output" not in columns:
        return None
    base = {**groups[BASE], **columns}
    if not base.get("cache_write") and columns["input"]:
        base.pop("cache_write", None)
        if "claude" in model:
            base["cache_write"] = columns["input"] * Decimal("1.25")
    if "claude" in model and "cache_write_1h" not in base and "cache_write" in base:
        base["cache_write_1h"] = columns["input"] * 2
    base = {part: price for part, price in base.items() if price != base.get(SAME_AS.get(part, ""))}
    written = [_text({part: price for part, price in base.items() if part not in COLUMNS})]
    for (service, above), prices in sorted(groups.items()):
        implied = base | {
            part: prices[same] for part, same in SAME_AS.items() if same in prices and part not in base
        }
        other = {part: price for part, price in prices.items() if price != implied.get(part)}
        if (service, above) != BASE and other:
            tier = {"service": service} if service else {}
            written.append(_text({**tier, **({"above": above} if above else {}), **other}))
    return ";".join(written) if any(written) else None


def _text(prices: Mapping[str, Any]) -> str:
    return " ".join(f"{name}={plain(value)}" for name, value in prices.items())


def plain(value: Any) -> str:
    """Return a number without an exponent and without zeros at its end."""
    return f"{value.normalize():f}" if isinstance(value, Decimal) else str(value)

"""Prices of parts, of models without a price, and the most that a request may cost."""

from __future__ import annotations

import pytest

from rules.catalog.catalog import Catalog
from rules.catalog.price import PARTS, Price, highest_price, reserve_cost
from tests.support.small_catalog import MODELS, make_decision, model

PLAIN = Price(input=2, output=8)


@pytest.mark.parametrize(
    ("price", "rates"),
    [
        pytest.param(
            PLAIN, {"cached_input": 2, "cache_write_1h": 2, "reasoning": 8}, id="parts cost the whole"
        ),
        pytest.param(Price(2, 8, cache_write=3), {"cache_write_1h": 3}, id="an hour costs five minutes"),
        pytest.param(Price(2, 8, cached_input=0), {"cached_input": 0}, id="free is a price"),
    ],
)
def test_a_part_without_a_price(price: Price, rates: dict[str, int]) -> None:
    assert {part: price.rate(part) for part in rates} == rates


def test_the_highest_price_is_that_of_each_part() -> None:
    highest = highest_price([Price(2, 8, cached_input=1), Price(3, 4, reasoning=9)])
    assert highest == Price(3, 8, 3, 3, 3, 3, 3, 9, 8, 8)


@pytest.mark.parametrize(
    ("price", "tokens", "expected"),
    [
        pytest.param(PLAIN, (1_000_000, 1_000_000), 10, id="input and output"),
        pytest.param(PLAIN, (1, 0), 1, id="a part of a nano-dollar is rounded up"),
        pytest.param(Price(2, 8, cached_input=1), (1_000_000, 0), 2, id="nothing is expected of the cache"),
        pytest.param(Price(2, 8, cache_write_1h=4), (1_000_000, 0), 4, id="all input may be written to it"),
        pytest.param(Price(2, 8, reasoning=9), (0, 1_000_000), 9, id="all output may be reasoning"),
    ],
)
def test_the_most_that_tokens_can_cost(price: Price, tokens: tuple[int, int], expected: int) -> None:
    assert reserve_cost(price, *tokens) == expected


@pytest.mark.parametrize("part", PARTS)
def test_no_part_costs_more_than_what_is_reserved(part: str) -> None:
    price = Price(2, 8, **{part: 99})
    assert reserve_cost(price, 1_000_000, 1_000_000) >= price.rate(part)


def test_a_model_without_a_price_counts_at_the_highest_of_its_provider() -> None:
    listed, unlisted = make_decision("openai/mid").candidates[0], make_decision("openai/new").candidates[0]
    assert (listed.price_assumed, listed.price) == (False, listed.model.price)
    assert unlisted.price_assumed
    assert unlisted.price
    assert (unlisted.price.input, unlisted.price.output) == (10 * 10**9, 50 * 10**9)
    assert unlisted.model.price is None, "for a preference it is unknown"


def test_no_price_is_assumed_at_a_provider_without_prices() -> None:
    candidate = make_decision("mistral/open-7b").candidates[0]
    assert (candidate.price, candidate.price_assumed, candidate.cost_max) == (None, False, None)


def test_records_count_for_the_highest_price() -> None:
    models = (*MODELS, model("openai/own", (99, 1)))
    catalog = Catalog({}, own={each.id.lower(): each for each in models})
    highest = catalog.highest_price("openai")
    assert highest
    assert (highest.input, highest.output) == (99 * 10**9, 50 * 10**9)
    assert catalog.highest_price("nobody") is None

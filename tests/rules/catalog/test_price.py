"""Prices of parts, of models without a price, and the most that a request may cost."""

from __future__ import annotations

import pytest

from rules.catalog.catalog import Catalog
from rules.catalog.price import PARTS, Price, highest_price, price_of, reserve_cost
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
    price = price_of({"input": 2, "output": 8, part: 99})
    assert reserve_cost(price, 1_000_000, 1_000_000) >= price.rate(part)


TIERS = price_of(
    {
        "input": 2,
        "output": 8,
        "cached_input": 1,
        "tiers": [
            {"above": 100, "input": 4, "output": 9},
            {"above": 200, "input": 6},
            {"service": "flex", "input": 1},
            {"service": "priority", "above": 100, "input": 20},
        ],
    }
)


@pytest.mark.parametrize(
    ("service", "tokens", "rates"),
    [
        pytest.param("", 100, (2, 8, 1), id="a short prompt"),
        pytest.param("", 101, (4, 9, 1), id="a long prompt, with the cached input of a short one"),
        pytest.param("default", 201, (6, 8, 1), id="a longer prompt in an unknown tier"),
        pytest.param("flex", 0, (1, 8, 1), id="a service tier"),
        pytest.param("flex", 201, (1, 8, 1), id="a service tier goes before the length of the prompt"),
        pytest.param("priority", 100, (2, 8, 1), id="a service tier that has a price for long prompts only"),
        pytest.param("priority", 101, (20, 8, 1), id="a long prompt in a service tier"),
    ],
)
def test_the_price_of_a_request(service: str, tokens: int, rates: tuple[int, int, int]) -> None:
    price = TIERS.of_request(service, tokens)
    assert (price.rate("input"), price.rate("output"), price.rate("cached_input")) == rates


def test_a_reservation_counts_long_prompts_always_and_a_service_tier_where_it_is_requested() -> None:
    assert reserve_cost(TIERS, 1_000_000, 1_000_000) == 6 + 9
    assert reserve_cost(TIERS, 1_000_000, 0, "priority") == 20
    assert highest_price([TIERS]) == Price(6, 9, *(1, 6, 6, 6, 6), *(9, 9, 9)), "without service tiers"


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
    catalog = Catalog(own={each.id.lower(): each for each in models})
    highest = catalog.highest_price("openai")
    assert highest
    assert (highest.input, highest.output) == (99 * 10**9, 50 * 10**9)
    assert catalog.highest_price("nobody") is None

"""Tests of handler/answers/costs.py: the cost of a usage, part by part, in nano-dollars."""

from __future__ import annotations

import pytest

from handler.answers.costs import STATED, cost_of, costs, costs_of, dollars, shown
from handler.answers.usage import Usage
from rules import Candidate, Model, Price
from rules.catalog.price import Tier

# $2, $8 and $0.50 per million tokens.
PRICE = Price(input=2_000_000_000, output=8_000_000_000, cached_input=500_000_000)


@pytest.mark.parametrize(
    ("usage", "price", "nano"),
    [
        pytest.param(Usage(input=1000, output=500), PRICE, 6_000_000, id="input and output"),
        pytest.param(
            Usage(input=1000, output=500, cached=600), PRICE, 5_100_000, id="cached input is cheaper"
        ),
        pytest.param(
            Usage(input=1000, output=500, reasoning=400), PRICE, 6_000_000, id="reasoning is paid as output"
        ),
        pytest.param(
            Usage(input=1000, cached=1000),
            Price(input=1_000_000_000, output=0),
            1_000_000,
            id="cached input without its own price costs what input costs",
        ),
        pytest.param(
            Usage(input=1000, cached=1000),
            Price(input=5, output=0, cached_input=0),
            0,
            id="cached input that is free",
        ),
        pytest.param(Usage(), PRICE, 0, id="no tokens"),
        pytest.param(Usage(input=7), Price(input=75_000, output=0), 1, id="half a nano-dollar is rounded"),
        pytest.param(
            Usage(input=10**12, output=10**12),
            PRICE,
            10_000_000_000_000_000,
            id="large counts lose no precision",
        ),
    ],
)
def test_the_cost_of_usage(usage: Usage, price: Price, nano: int) -> None:
    parts = costs(usage, price)
    assert parts is not None
    assert sum(parts.values()) == nano


def test_nano_dollars_become_dollars() -> None:
    assert dollars(6_000_000) == 0.006


TIERED = Price(
    input=10**9,
    output=10**9,
    tiers=(Tier("", 100, Price(2 * 10**9, 10**9)), Tier("flex", -1, Price(5 * 10**8, 10**9))),
)


@pytest.mark.parametrize(
    ("usage", "parts"),
    [
        pytest.param(
            Usage(input=3, output=1), {"input": 3000, "output": 1000}, id="only the parts that were used"
        ),
        pytest.param(
            Usage(input=9, cached=1, cache_write=2, cache_write_1h=3, audio_input=1, image_input=1),
            {
                "input": 1000,
                "cached_input": 1000,
                "cache_write": 2000,
                "cache_write_1h": 3000,
                "audio_input": 1000,
                "image_input": 1000,
            },
            id="every part of the input",
        ),
        pytest.param(
            Usage(output=9, reasoning=3, audio_output=2, image_output=1),
            {"output": 3000, "reasoning": 3000, "audio_output": 2000, "image_output": 1000},
            id="every part of the output",
        ),
        pytest.param(Usage(input=101), {"input": 202_000}, id="a long prompt"),
        pytest.param(Usage(input=101, service_tier="flex"), {"input": 50_500}, id="a service tier"),
        pytest.param(
            Usage(input=60) + Usage(input=60), {"input": 120_000}, id="two short prompts are not a long one"
        ),
        pytest.param(
            Usage(input=60, service_tier="flex") + Usage(input=60, service_tier="flex"),
            {"input": 60_000},
            id="two requests of the same service tier",
        ),
        pytest.param(Usage(input=9, stated_cost=7), {STATED: 7}, id="a stated cost is the cost"),
        pytest.param(
            Usage(input=9, stated_cost=7) + Usage(input=9, stated_cost=1), {STATED: 8}, id="two stated costs"
        ),
        pytest.param(
            Usage(input=1, stated_cost=7) + Usage(input=1), {"input": 2000}, id="one that states none of two"
        ),
    ],
)
def test_the_cost_of_each_part(usage: Usage, parts: dict[str, int]) -> None:
    assert costs(usage, TIERED) == parts


def test_each_part_is_rounded_so_that_the_parts_add_up() -> None:
    price = Price(input=400_000, output=400_000)  # 0.4 nano-dollars a token
    assert costs(Usage(input=1, output=1), price) == {"input": 0, "output": 0}
    assert costs(Usage(input=2, output=2), price) == {"input": 1, "output": 1}


PRICED = Candidate(Model(provider="p", name="m", price=Price(10**9, 2 * 10**9)))
UNPRICED = Candidate(Model(provider="p", name="n"))
ASSUMED = Candidate(Model(provider="p", name="n"), assumed_price=Price(3 * 10**9, 10**9))


def test_the_costs_of_several_attempts_are_added_by_part() -> None:
    used = [(PRICED, Usage(input=1, output=1)), (ASSUMED, Usage(input=1))]
    assert costs_of(used) == {"input": 4000, "output": 2000}
    assert cost_of(used) == 6000
    assert cost_of([]) == 0


def test_one_unknown_price_makes_the_whole_unknown_unless_the_provider_states_its_cost() -> None:
    assert costs_of([(PRICED, Usage(input=1)), (UNPRICED, Usage(input=1))]) is None
    assert cost_of([(UNPRICED, Usage(input=1))]) is None
    assert shown([(UNPRICED, Usage(input=1))]) == {}
    assert cost_of([(UNPRICED, Usage(input=1, stated_cost=5))]) == 5


def test_an_estimate_is_marked_for_the_client() -> None:
    used = [(PRICED, Usage(input=1000)), (PRICED, Usage(output=1000, estimated=True))]
    assert shown(used) == {
        "cost": 0.003,
        "cost_details": {"input": 0.001, "output": 0.002},
        "cost_estimated": True,
    }
    assert "cost_estimated" not in shown(used[:1])

"""Ranking of models by preference, and their expected cost."""

from __future__ import annotations

import pytest

from rules import NANO
from rules.catalog.catalog import Model
from rules.catalog.price import price_of
from rules.facts.facts import PREFERENCES
from rules.preference import SCORES, Size, cost_range, expected_cost, rank
from tests.support.small_catalog import model

SMALL, MIDDLE = model("a/small", (1, 2), quality=2, speed=5), model("a/middle", (2, 4), quality=3, speed=4)
LARGE, HUGE = model("a/large", (3, 12), quality=4), model("a/huge", (10, 50), quality=5, speed=1)
UNPRICED, UNKNOWN = model("a/unpriced", None, quality=5, speed=5), Model(provider="a", name="unknown")
ALL = (HUGE, LARGE, MIDDLE, SMALL)


def order(models: list[Model]) -> list[str]:
    return [each.name for each in models]


@pytest.mark.parametrize(
    ("prefer", "models", "size", "expected"),
    [
        pytest.param("cheap", ALL, Size(1000), ["small", "middle", "large", "huge"], id="cheap"),
        pytest.param(
            "cheap",
            (UNPRICED, SMALL),
            Size(1000),
            ["small", "unpriced"],
            id="cheap with a model of unknown price",
        ),
        pytest.param("fast", ALL, Size(1000), ["small", "middle", "large", "huge"], id="fast by the prior"),
        pytest.param(
            "fast",
            ALL,
            Size(1000, first_token={"a/huge": 0.1, "a/small": 9}),
            ["huge", "middle", "large", "small"],
            id="fast as measured",
        ),
        pytest.param("quality", ALL, Size(1000), ["huge", "large", "middle", "small"], id="quality"),
        pytest.param(
            "quality",
            (model("a/x", (2, 2)), model("a/y", (1, 1))),
            Size(1000),
            ["y", "x"],
            id="quality with equals by cost",
        ),
        pytest.param(
            "balanced",
            ALL,
            Size(1000),
            ["large", "huge", "middle", "small"],
            id="balanced within one tier of the best",
        ),
        pytest.param(
            "balanced",
            ALL[2:],
            Size(1000),
            ["small", "middle"],
            id="balanced relative to the best of the models",
        ),
        pytest.param(
            "cheap", (model("b/x", (1, 1)), model("a/x", (1, 1))), Size(9), ["x", "x"], id="a tie goes by id"
        ),
        pytest.param(
            "balanced", (UNKNOWN, SMALL), Size(9), ["small", "unknown"], id="unknown quality counts as 3"
        ),
        pytest.param("balanced", (), Size(9), [], id="no models"),
    ],
)
def test_models_are_ranked_by_preference(
    prefer: str, models: tuple[Model, ...], size: Size, expected: list[str]
) -> None:
    assert order(rank(models, prefer, size)) == expected


@pytest.mark.parametrize("prefer", PREFERENCES)
def test_the_order_of_the_models_does_not_matter(prefer: str) -> None:
    models = (*ALL, UNPRICED, model("b/small", (1, 2), quality=2, speed=5))
    assert rank(models, prefer, Size(500)) == rank(reversed(models), prefer, Size(500))


def test_a_tie_goes_by_id() -> None:
    tied = [model("b/x", (1, 1)), model("a/x", (1, 1))]
    assert [each.id for each in rank(tied, "cheap", Size(9))] == ["a/x", "b/x"]


def test_every_preference_has_a_score() -> None:
    assert tuple(SCORES) == PREFERENCES


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        pytest.param(Size(1000), 1000 * 3_000 + 1024 * 12_000, id="without a maximum"),
        pytest.param(Size(1000, 100), 1000 * 3_000 + 100 * 12_000, id="with a maximum"),
        pytest.param(Size(0, 50_000), 8_000 * 12_000, id="a maximum above the model's"),
    ],
)
def test_the_expected_cost_is_in_nano_dollars(size: Size, expected: int) -> None:
    assert expected_cost(LARGE, size) == expected


def test_the_cost_range() -> None:
    assert cost_range(LARGE, LARGE.price, Size(1000)) == (3_000_000, 3_000_000 + 4096 * 12_000)
    assert cost_range(LARGE, LARGE.price, Size(1000, 10, n=3)) == (3_000_000, 3_000_000 + 30 * 12_000)
    alone = Size(1000, 10, n=3, unsupported={LARGE.provider: frozenset({"n"})})
    assert cost_range(LARGE, LARGE.price, alone) == (9_000_000, 9_000_000 + 30 * 12_000), (
        "the prompt is sent three times"
    )
    assert cost_range(UNPRICED, None, Size(1000)) == (None, None)


@pytest.mark.parametrize(
    ("size", "most"),
    [
        pytest.param(
            Size(1000, 100), 1000 * 6_000 + 100 * 64_000, id="the input may be cached, the output heard"
        ),
        pytest.param(
            Size(1000, 100, service="priority"), 1000 * 6_000 + 100 * 90_000, id="in a service tier"
        ),
    ],
)
def test_the_most_that_a_request_costs_is_at_the_highest_price_of_any_part(size: Size, most: int) -> None:
    parts = {"cache_write": 6 * NANO, "audio_output": 64 * NANO}
    tier = {"service": "priority", "audio_output": 90 * NANO}
    price = price_of({"input": 3 * NANO, "output": 12 * NANO, **parts, "tiers": [tier]})
    assert cost_range(LARGE, price, size) == (3_000_000, most)


def test_a_fraction_of_a_nano_dollar_is_rounded_up() -> None:
    assert expected_cost(model("a/x", (0.0001, 0)), Size(1)) == 1

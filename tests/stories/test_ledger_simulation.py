"""Limits and budgets are exact in a simulated fleet (bench/simulation.py), while the store is busy too."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bench.ledger import NEVER
from bench.simulation import MANY, Scenario, simulate
from bench.strategies import MixedLedger, ParallelLedger
from handler.access import leases

FLEET = Scenario(30, 60, "2 limits, 1 budget", answers=0.3, seconds=6, measured=6)


@pytest.mark.parametrize(
    ("change", "admitted"),
    [
        pytest.param({"records": "1 limit", "admits": 100}, 100, id="a limit of requests admits all of them"),
        pytest.param({"records": "1 budget", "admits": 50}, None, id="a budget that is used up"),
        pytest.param({"admits": 50}, 50, id="several counters at once, near the limit"),
        pytest.param({"admits": MANY}, None, id="several counters, far from every limit"),
        pytest.param({"rate": 100, "takes": NEVER}, None, id="transactions that meet each other"),
        pytest.param({"admits": 50, "ledger": ParallelLedger}, 50, id="parallel writes"),
        pytest.param({"admits": 50, "ledger": MixedLedger}, 50, id="parallel writes far from the limit"),
    ],
)
def test_a_fleet_counts_exactly(change: dict[str, Any], admitted: int | None) -> None:
    before = leases.TAKES, leases.SHARE
    simulation = simulate(replace(FLEET, **change))
    figures = simulation.figures()
    assert before == (leases.TAKES, leases.SHARE)  # the constants are as they were
    assert figures["wrong"] <= figures["refused"] / 50  # in the second after a refusal, others are unasked
    if admitted is not None:
        assert simulation.outcomes["admitted"] == admitted
        assert figures["refused"] > 0

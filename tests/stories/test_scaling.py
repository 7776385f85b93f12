"""No work of ours grows faster than n log n with what a caller or a provider sends (bench/scaling.py)."""

from __future__ import annotations

import pytest

from bench.scaling import GROWTH, N, grown


@pytest.mark.parametrize(
    "n", [pytest.param(25, id="little"), pytest.param(N, id="much", marks=pytest.mark.slow)]
)
def test_four_times_as_much_is_little_more_than_four_times_the_work(n: int) -> None:
    faster = {name: work for name, work in grown(n).items() if work[1] > GROWTH * work[0] + 4000}
    assert not faster

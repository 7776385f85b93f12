"""Work grows no faster than n log n with the size of requests and answers (bench/scaling.py)."""

from __future__ import annotations

import pytest

from bench.scaling import MAX_GROWTH, N, measure


@pytest.mark.parametrize(
    "n", [pytest.param(25, id="small"), pytest.param(N, id="large", marks=pytest.mark.slow)]
)
def test_work_is_about_linear(n: int) -> None:
    faster = {name: work for name, work in measure(n).items() if work[1] > MAX_GROWTH * work[0] + 4000}
    assert not faster

"""Tests of handler/structured/schema_work.py under a limit of processor time."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("count", "seconds"),
    [
        pytest.param(20, 20, id="a few"),
        pytest.param(1000, 400, id="many", marks=pytest.mark.slow),
    ],
)
def test_every_validation_ends_in_bounded_time(count: int, seconds: int) -> None:
    """Each case takes less than a second; one whose work is not counted takes minutes or never ends."""
    result = subprocess.run(
        [sys.executable, "-m", "tests.support.schema_bombs", "1", str(count)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds)),
    )
    assert result.returncode == 0, f"stopped by signal {-result.returncode}: {result.stderr[-500:]}"
    assert sum(json.loads(result.stdout).values()) == count

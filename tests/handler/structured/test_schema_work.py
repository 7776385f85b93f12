"""No schema and no answer costs more than was counted: run where processor time has an end."""

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
def test_every_schema_and_answer_is_held_refused_or_too_much_in_bounded_time(
    count: int, seconds: int
) -> None:
    """A case that is not counted takes minutes or never ends; each of these takes a part of a second."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.schema_bombs", "1", str(count)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds)),
    )
    assert done.returncode == 0, f"stopped by signal {-done.returncode}: {done.stderr[-500:]}"
    assert sum(json.loads(done.stdout).values()) == count

"""Input of a provider or a caller makes the process grow by no more than docs/api.md says.

Each case runs in a process of its own, whose peak is measured. That takes seconds; two cases are fast.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.memory import CALLERS, PROVIDERS

ROOT = Path(__file__).parents[2]
FAST = ("chains", "an event of short lines")


@pytest.mark.parametrize(
    "case",
    [pytest.param(case, marks=() if case in FAST else pytest.mark.slow) for case in (*CALLERS, *PROVIDERS)],
)
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux reports a peak")
def test_the_growth_of_the_process_is_bounded(case: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.memory", case],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    grown, most = json.loads(done.stdout)
    assert grown <= most

"""The fakes refuse what the real services refuse (`make sdks`)."""

from __future__ import annotations

import subprocess

import pytest

from tests.provider_fakes.serving import PYTHON
from tests.support.serving import ROOT


@pytest.mark.slow
def test_the_fakes_refuse_what_the_real_services_refuse() -> None:
    assert PYTHON.exists(), f"{PYTHON.relative_to(ROOT)} does not exist: run make sdks"
    command = [str(PYTHON), "-m", "tests.provider_fakes.rejections"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert result.returncode == 0, f"{result.stdout}{result.stderr}"

"""The captures, read by the providers' own libraries (`make sdks`): so they are not our own opinion."""

from __future__ import annotations

import subprocess

import pytest

from tests.support.serving import ROOT


@pytest.mark.slow
@pytest.mark.parametrize("script", ["sdk_anthropic", "sdk_google"])
def test_the_providers_own_library_agrees(script: str) -> None:
    python = ROOT / ".venvs" / "sdks" / "bin" / "python"
    assert python.exists(), f"there is no {python.relative_to(ROOT)}: make sdks"
    command = [str(python), "-m", f"tests.providers.{script}"]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert told.returncode == 0, f"{told.stdout}{told.stderr}"

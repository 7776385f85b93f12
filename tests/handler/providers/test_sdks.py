"""Reads the cases in wire/ with the providers' own libraries (`make sdks`), which know their formats best."""

from __future__ import annotations

import subprocess

import pytest

from tests.support.serving import ROOT


@pytest.mark.slow
@pytest.mark.parametrize("script", ["sdk_anthropic", "sdk_google", "sdk_responses"])
def test_the_providers_library_can_read_the_cases(script: str) -> None:
    python = ROOT / ".venvs" / "sdks" / "bin" / "python"
    assert python.exists(), f"{python.relative_to(ROOT)} does not exist: run make sdks"
    command = [str(python), "-m", f"tests.handler.providers.{script}"]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert process.returncode == 0, f"{process.stdout}{process.stderr}"

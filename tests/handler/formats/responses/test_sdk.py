"""Reads our answers and events with OpenAI's own library, 2.x and 3.x (`make clients`)."""

from __future__ import annotations

import subprocess

import pytest

from tests.support.serving import ROOT


@pytest.mark.slow
@pytest.mark.parametrize("environment", ["openai2", "openai3"])
def test_the_official_library_can_read_every_answer(environment: str) -> None:
    python = ROOT / ".venvs" / environment / "bin" / "python"
    assert python.exists(), f"{python.relative_to(ROOT)} does not exist: run make clients"
    command = [str(python), "-m", "tests.handler.formats.responses.sdk_responses"]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert process.returncode == 0, f"{process.stdout}{process.stderr}"

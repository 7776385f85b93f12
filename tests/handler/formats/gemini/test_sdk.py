"""Talks to the format with Google's own library (`make sdks`)."""

from __future__ import annotations

import subprocess

import pytest

from tests.support.serving import ROOT


@pytest.mark.slow
def test_googles_library_talks_to_the_format() -> None:
    python = ROOT / ".venvs" / "sdks" / "bin" / "python"
    assert python.exists(), f"{python.relative_to(ROOT)} does not exist: run make sdks"
    command = [str(python), "-m", "tests.handler.formats.gemini.sdk_google"]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert process.returncode == 0, f"{process.stdout}{process.stderr}"

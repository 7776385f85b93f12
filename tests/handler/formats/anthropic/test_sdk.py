"""Reads our messages, streams and errors with Anthropic's own client (`make sdks`)."""

from __future__ import annotations

import subprocess

import pytest

from tests.support.serving import ROOT


@pytest.mark.slow
def test_anthropics_client_can_read_what_we_send() -> None:
    python = ROOT / ".venvs" / "sdks" / "bin" / "python"
    assert python.exists(), f"{python.relative_to(ROOT)} does not exist: run make sdks"
    command = [str(python), "-m", "tests.handler.formats.anthropic.sdk_anthropic"]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert process.returncode == 0, f"{process.stdout}{process.stderr}"

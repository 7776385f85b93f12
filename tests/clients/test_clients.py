"""Runs tests/clients/story.py with the newest 2.x and 3.x of the official client (`make story-clients`)."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from handler.access.keys import generate_key
from tests.support.serving import ROOT, LocalRun, serve_locally

KEY, RESTRICTED = generate_key(), generate_key()
KEYS = [
    {"key": KEY, "name": "everything", "scopes": ["manage"]},
    {"key": RESTRICTED, "name": "no demo model", "models": ["openai/*"]},
]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalRun]:
    folder = tmp_path_factory.mktemp("serve")
    (folder / "keys.json").write_text(json.dumps(KEYS), encoding="utf-8")
    environment = {"SLUICE_RULES_TTL": "1"}
    with serve_locally(folder, "--keys", str(folder / "keys.json"), environment=environment) as run:
        yield run


@pytest.mark.slow
@pytest.mark.parametrize("client", ["openai2", "openai3"])
def test_the_story_of_an_openai_client(client: str, gateway: LocalRun) -> None:
    python = ROOT / ".venvs" / client / "bin" / "python"
    assert python.exists(), f"{python.relative_to(ROOT)} does not exist: run make story-clients"
    story = [python, "-m", "tests.clients.story", gateway.base_url, KEY, "--restricted-key", RESTRICTED]
    process = _run([*map(str, story), "--dynamodb", gateway.dynamodb, "--within", "10"])
    assert process.returncode == 0, f"{process.stdout}{process.stderr}\n{gateway.output}"
    assert "skip" not in process.stdout, process.stdout


@pytest.mark.slow
def test_the_snippet_of_the_readme(gateway: LocalRun) -> None:
    """Runs it with another address and another key."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.search(r"^```python\n(.*?)^```", text, re.M | re.S)
    assert found is not None
    snippet = found[1].replace("http://127.0.0.1:8080/v1", gateway.base_url).replace("sk-sluice-...", KEY)
    assert gateway.base_url in snippet
    process = _run([str(ROOT / ".venvs" / "openai3" / "bin" / "python"), "-c", snippet])
    assert process.returncode == 0, process.stderr
    assert process.stdout.startswith("local/echo ")


@pytest.mark.slow
def test_the_python_that_a_local_run_prints(tmp_path: Path) -> None:
    with serve_locally(tmp_path) as run:
        snippet = run.output[run.output.index("# Python") :]
        result = _run([str(ROOT / ".venvs" / "openai3" / "bin" / "python"), "-c", snippet])
    assert (result.returncode, result.stdout) == (0, "local/echo local/echo heard: hello\n"), result.stderr


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)


def test_the_locks_hold_the_two_major_versions() -> None:
    for major in ("2", "3"):
        lock = Path(ROOT / "requirements" / f"openai{major}.txt").read_text(encoding="utf-8")
        assert f"\nopenai=={major}." in lock

"""Runs tests/clients/operations.py with the official clients against a local run (`make clients sdks`)."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator

import pytest

from handler.access.keys import generate_key
from tests.clients.operation_fakes import serve_operations
from tests.support.serving import ROOT, LocalRun, serve_locally

KEY = generate_key()


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalRun]:
    folder = tmp_path_factory.mktemp("serve")
    keys, rules = folder / "keys.json", folder / "rules.json"
    keys.write_text(json.dumps([{"key": KEY, "name": "operations"}]), encoding="utf-8")
    with serve_operations() as records:
        rules.write_text(json.dumps(records), encoding="utf-8")
        arguments = ("--keys", str(keys), "--rules", str(rules))
        with serve_locally(folder, *arguments, environment={"UP_API_KEY": "secret"}) as run:
            yield run


@pytest.mark.slow
@pytest.mark.parametrize(
    ("environment", "more"),
    [("openai2", []), ("openai3", []), ("sdks", ["--cohere"])],
    ids=["openai 2", "openai 3", "cohere"],
)
def test_a_client_can_use_every_operation(environment: str, more: list[str], gateway: LocalRun) -> None:
    python = ROOT / ".venvs" / environment / "bin" / "python"
    assert python.exists(), f"{python.relative_to(ROOT)} does not exist: run make clients sdks"
    command = [str(python), "-m", "tests.clients.operations", gateway.base_url, KEY, *more]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert process.returncode == 0, f"{process.stdout}{process.stderr}\n{gateway.output}"

"""A push, what it changes for the next answer, the history of it, and the way back, on a real gateway."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from tests.support.serving import ROOT, LocalRun, serve_locally

PATIENCE = 30  # seconds until an instance must have adopted a set


def rules(run: LocalRun, *arguments: str, file: str = "") -> str:
    """Run `rules ...` on the tables of the run, with `file` as standard input, and return its output."""
    command = [sys.executable, "-W", "error", "-m", "handler", "rules", *arguments]
    environment = {"AWS_ENDPOINT_URL_DYNAMODB": run.dynamodb, "PATH": "", "SLUICE_RULES_TTL": "0"}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, input=file, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def ask(run: LocalRun) -> str | None:
    """Return the rule that decided a chat."""
    body = json.dumps({"messages": [{"role": "user", "content": "hello"}]}).encode()
    headers = {"authorization": f"Bearer {run.key}", "content-type": "application/json"}
    request = urllib.request.Request(f"{run.base_url}/chat/completions", body, headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return str(answer.headers["x-sluice-rule"])


def wait_for(run: LocalRun, number: int) -> list[str]:
    """Send requests until the history has that many entries, and return the messages, the newest first."""
    until = time.monotonic() + PATIENCE
    while True:
        ask(run)
        entries = json.loads(rules(run, "history", "--json"))
        if len(entries) >= number:
            assert [each["number"] for each in entries] == [*range(number, 0, -1)]
            return [each["message"] for each in entries]
        assert time.monotonic() < until, f"{len(entries)} entries after {PATIENCE} s: {run.output}"


@pytest.mark.slow
def test_a_push_is_in_the_history_and_can_be_taken_back(tmp_path: Path) -> None:
    with serve_locally(tmp_path, environment={"SLUICE_RULES_TTL": "0"}) as run:
        wait_for(run, 1)
        pulled = json.loads(rules(run, "pull"))
        new = {"kind": "route", "id": "new", "model": "local/echo", "override": True, "priority": 9}
        new["scope"] = {"key": "local"}
        edited = {**pulled, "records": [*pulled["records"], new]}
        rules(run, "push", "--yes", "--message", "for a day", file=json.dumps(edited))
        assert wait_for(run, 2) == ["for a day", ""]
        assert ask(run) == "new"

        assert rules(run, "diff", "1").startswith("+ route/new\n1 added")
        assert rules(run, "rollback", "1", "--yes").startswith("- route/new\n0 added, 0 changed, 1 removed")
        messages = wait_for(run, 3)
        assert messages[0].startswith("back to 1 of ")
        assert ask(run) != "new"
        assert json.loads(rules(run, "pull")) == pulled

"""The local run as a process: its start, its answers and its end."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.serving import ROOT, LocalRun, serve_locally, start_run

Json = dict[str, Any]
ROUTE = {"kind": "route", "id": "a", "model": "local/echo"}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalRun]:
    with serve_locally(tmp_path_factory.mktemp("serve")) as run:
        yield run


def ask(run: LocalRun, path: str, body: Json | None = None, key: str | None = None) -> Any:
    """Send a request, and return the response with its body unread."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"authorization": f"Bearer {key or run.key}"}
    return urllib.request.urlopen(urllib.request.Request(run.base_url + path, data, headers), timeout=30)


HELLO = {"messages": [{"role": "user", "content": "hello"}]}


@pytest.mark.slow
def test_the_printed_curl_command_works(running: LocalRun) -> None:
    (curl,) = [line for line in running.output.splitlines() if line.startswith("curl ")]
    result = subprocess.run(curl, shell=True, capture_output=True, text=True, timeout=30, check=True)
    assert json.loads(result.stdout)["choices"][0]["message"]["content"] == "local/echo heard: hello"


@pytest.mark.slow
def test_health_is_ok_and_the_log_shows_decisions(running: LocalRun) -> None:
    with ask(running, "/health") as answer:
        assert json.load(answer)["status"] == "ok"
    with ask(running, "/chat/completions", {**HELLO, "tags": {"team": "support"}}) as answer:
        assert answer.headers["x-sluice-rule"] == "support"
    assert any("200  local/echo  rule support" in line for line in log_lines(running))


@pytest.mark.slow
def test_logged_content_is_exported_by_the_printed_command(tmp_path: Path) -> None:
    rules = tmp_path / "rules.json"
    log = {"kind": "log", "id": "all", "sample": 1, "days": 7}
    rules.write_text(json.dumps([ROUTE, log]))
    with serve_locally(tmp_path, "--rules", str(rules)) as run:
        ask(run, "/chat/completions", HELLO).close()
        time.sleep(1)  # the entry is written after the answer
        (command,) = [line for line in run.output.splitlines() if line.endswith("logs export")]
        result = subprocess.run(
            command, shell=True, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
        )
    assert json.loads(result.stdout) == {
        "messages": [*HELLO["messages"], {"role": "assistant", "content": "local/echo heard: hello"}]
    }


def log_lines(run: LocalRun) -> list[str]:
    """Return the output, after the time that it takes to write the log."""
    time.sleep(0.2)
    return run.output.splitlines()


@pytest.mark.slow
def test_an_example_fails_over(running: LocalRun) -> None:
    with ask(running, "/chat/completions", {**HELLO, "model": "sturdy"}) as answer:
        assert (answer.headers["x-sluice-model"], answer.headers["x-sluice-reason"]) == (
            "local/echo",
            "fallback",
        )


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_a_running_request_finish(number: signal.Signals, tmp_path: Path) -> None:
    body = {"model": "local/echo-slow", "messages": [{"role": "user", "content": "a b c"}], "stream": True}
    with serve_locally(tmp_path) as run, ask(run, "/chat/completions", body) as answer:
        first = answer.readline()
        run.process.send_signal(number)
        rest = answer.read()
        assert run.process.wait(15) == 0
    assert first.startswith(b"data: ")
    assert rest.endswith(b"data: [DONE]\n\n")
    assert "Traceback" not in run.output


@pytest.mark.slow
def test_a_port_in_use_is_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        run = start_run(tmp_path, "--port", str(taken.getsockname()[1]))
        assert run.process.wait(30) == 2
    assert (run.output.count("\n"), "is in use" in run.output) == (1, True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "environment", "words"),
    [
        pytest.param(["--rules", "missing.json"], {}, "missing.json", id="a missing file"),
        pytest.param([], {"SLUICE_RULES_TTL": "soon"}, "SLUICE_RULES_TTL", id="an invalid setting"),
        pytest.param(
            [],
            {"AWS_ENDPOINT_URL_DYNAMODB": "http://127.0.0.1:1"},
            "list tables",
            id="no DynamoDB at the endpoint",
        ),
        pytest.param(["--port", "70000"], {}, "70000", id="not a port"),
    ],
)
def test_a_run_that_cannot_start_prints_the_reason(
    arguments: list[str], environment: dict[str, str], words: str, tmp_path: Path
) -> None:
    run = start_run(tmp_path, "--port", "0", *arguments, environment=environment)
    assert run.process.wait(30) == 2
    assert words in run.output
    assert "Traceback" not in run.output


@pytest.mark.slow
def test_a_given_dynamodb_is_used_and_kept(tmp_path: Path, running: LocalRun) -> None:
    """The embedded one of another run serves as the given one."""
    rules = tmp_path / "rules.json"
    rules.write_text(
        json.dumps([{**ROUTE, "id": "mine"}, {**ROUTE, "id": "half", "prefers": "fast"}]), encoding="utf-8"
    )
    environment = {"AWS_ENDPOINT_URL_DYNAMODB": running.dynamodb, "SLUICE_RULES_TABLE": "mine"}
    with serve_locally(tmp_path, "--rules", str(rules), environment=environment) as run:
        assert "route half" in run.output
        assert "nothing deleted" in run.output
        with ask(run, "/chat/completions", HELLO, key=running.key) as answer:
            assert answer.headers["x-sluice-rule"] == "mine"
        with ask(run, "/health", key=running.key) as answer:
            assert json.load(answer)["status"] == "degraded"

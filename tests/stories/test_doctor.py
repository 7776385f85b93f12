"""`sluice doctor --url` against a local run, directly and behind a proxy that buffers answers."""

from __future__ import annotations

import json
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.handler.cli.command_line import CommandLine
from tests.support.serving import LocalRun, serve_locally

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("doctor")]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalRun]:
    with serve_locally(tmp_path_factory.mktemp("run")) as running:
        yield running


@contextmanager
def buffering(target: str) -> Iterator[str]:
    """The address of a proxy that collects each answer before it sends it on."""

    class Proxy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            names = ("authorization", "content-type")
            headers = {name: value for name in names if (value := self.headers.get(name))}
            request = urllib.request.Request(f"{target}{self.path}", body or None, headers)
            with urllib.request.urlopen(request) as response:
                collected = response.read()
                self.send_response(response.status)
                for name in ("content-type", "server-timing", "date"):
                    self.send_header(name, response.headers[name])
                self.end_headers()
                self.wfile.write(collected)

        do_POST = do_GET

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def diagnose(url: str, key: str, *arguments: str) -> tuple[int, list[dict[str, str]]]:
    cli = CommandLine(None)
    code = cli.run("doctor", "--url", url, "--key", key, "--json", *arguments)
    return code, json.loads("\n".join(cli.printed))["findings"]


def test_nothing_is_wrong_with_a_local_run(run: LocalRun) -> None:
    code, found = diagnose(run.base_url, run.key)
    assert code == 0, found
    assert {one["state"] for one in found} == {"ok"}
    assert found[-1]["check"] == "streaming"


def test_a_proxy_that_buffers_is_found(run: LocalRun) -> None:
    with buffering(run.base_url.removesuffix("/v1")) as url:
        code, found = diagnose(url, run.key)
    last = found[-1]
    assert (code, last["check"], last["state"]) == (2, "streaming", "fault"), found
    assert "came at once" in last["text"]
    assert "proxy_buffering off" in last["mend"]


def test_a_model_that_fails_is_named(run: LocalRun) -> None:
    code, found = diagnose(run.base_url, run.key, "--model", "local/echo-401")
    assert (code, found[-1]["state"]) == (2, "fault")
    assert found[-1]["text"].startswith("local/echo-401: ")


def test_an_unknown_key_is_named(run: LocalRun) -> None:
    code, found = diagnose(run.base_url, "sk-sluice-" + "x" * 43)
    assert code == 2
    (refused,) = (one for one in found if one["check"] == "key")
    assert refused["state"] == "fault"


def test_unreadable_rules_and_missing_credentials_are_found(tmp_path: Path) -> None:
    rules = tmp_path / "rules.json"
    rules.write_text(json.dumps([{"kind": "provider", "id": "groq"}]))
    with serve_locally(tmp_path, "--rules", str(rules)) as run:
        code, found = diagnose(run.base_url, run.key)
    assert code == 1, found
    (missing,) = (one for one in found if one["state"] == "warning")
    assert "groq cannot be used" in missing["text"]

"""OpenAI's official clients and the AI SDK read the answers of odd hosts through a gateway.

tests/handler/providers/openai/host_answers.py has the answers. `make story-clients` makes the environments.
"""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from handler.access.keys import generate_key
from tests.handler.providers.openai.host_answers import HOST_ANSWERS, TOOLS
from tests.support.serving import ROOT, LocalRun, serve_locally

KEY = generate_key()
NODE = Path(__file__).with_name("node")
CLIENTS = {
    "openai 2": [str(ROOT / ".venvs/openai2/bin/python"), "-m", "tests.clients.shapes"],
    "openai 3": [str(ROOT / ".venvs/openai3/bin/python"), "-m", "tests.clients.shapes"],
    "openai-node and the AI SDK": ["node", str(NODE / "shapes.mjs")],
}
CASES = [
    {"name": shape.name, "model": f"odd/{number}", "tools": TOOLS, "stream": stream, **shape.expected}
    for number, shape in enumerate(HOST_ANSWERS)
    for stream in (False, True)
    if (shape.events if stream else shape.whole) is not None
]


class Host(BaseHTTPRequestHandler):
    """Answers with the shape whose number is the model's name."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        shape = HOST_ANSWERS[int(body["model"])]
        if body.get("stream"):
            events = [json.dumps(event) for event in shape.events or ()] + ["[DONE]"]
            self._answer("text/event-stream", "".join(f"data: {event}\n\n" for event in events))
        else:
            self._answer("application/json", json.dumps(shape.whole))

    def _answer(self, kind: str, text: str) -> None:
        data = text.encode()
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalRun]:
    folder = tmp_path_factory.mktemp("serve")
    keys, rules = folder / "keys.json", folder / "rules.json"
    keys.write_text(json.dumps([{"key": KEY, "name": "shapes"}]), encoding="utf-8")
    with ThreadingHTTPServer(("127.0.0.1", 0), Host) as host:
        threading.Thread(target=host.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{host.server_port}/v1"
        record = {"kind": "provider", "id": "odd", "base_url": address, "credential": "ODD_API_KEY"}
        rules.write_text(json.dumps([record]), encoding="utf-8")
        with serve_locally(
            folder, "--keys", str(keys), "--rules", str(rules), environment={"ODD_API_KEY": "x"}
        ) as run:
            yield run
        host.shutdown()


@pytest.mark.slow
@pytest.mark.parametrize("client", CLIENTS)
def test_every_client_reads_every_shape(client: str, gateway: LocalRun) -> None:
    command = [*CLIENTS[client], gateway.base_url, KEY]
    run = subprocess.run(
        command, cwd=ROOT, input=json.dumps(CASES), capture_output=True, text=True, timeout=300, check=False
    )
    assert run.returncode == 0, f"{run.stdout}{run.stderr}"
    assert f"{len(CASES)} of {len(CASES)}" in run.stdout or "held by openai-node" in run.stdout

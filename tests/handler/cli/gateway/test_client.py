"""The HTTP client of commands that work through a gateway, on real sockets."""

from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import ClassVar

import pytest

from handler.aws.errors import StoreError
from handler.cli.gateway.client import GatewayClient
from rules.review.command_line import InvalidInput

KEY = "sk-sluice-" + "a" * 43
# By path, the status, the headers and the body of the answer.
ANSWERS: dict[str, tuple[int, dict[str, str], bytes]] = {
    "/console/api/session": (200, {}, b'{"a": 1.5}'),
    "/console/api/redirect": (302, {"location": "/elsewhere"}, b""),
    "/console/api/missing": (404, {}, b'{"error": {"message": "nothing here"}}'),
    "/console/api/cut": (200, {"content-length": "99"}, b"{"),
}


class Handler(BaseHTTPRequestHandler):
    requests: ClassVar[list[tuple[str, str | None, bytes]]] = []

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        self.requests.append((f"{self.command} {self.path}", self.headers.get("authorization"), body))
        status, headers, answer = ANSWERS[self.path]
        self.send_response(status)
        for name, value in {"content-length": str(len(answer)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer)
        self.close_connection = True

    do_PUT = do_GET

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def client() -> Iterator[GatewayClient]:
    Handler.requests.clear()
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield GatewayClient(f"http://127.0.0.1:{server.server_port}", KEY)
        server.shutdown()
        thread.join()


def test_a_call_has_the_key_in_a_header_and_json_in_its_body(client: GatewayClient) -> None:
    assert str(client.call("PUT", "session", {"a": "é"})["a"]) == "1.5"
    assert Handler.requests == [("PUT /console/api/session", f"Bearer {KEY}", '{"a": "é"}'.encode())]


def test_a_redirect_is_not_followed(client: GatewayClient) -> None:
    with pytest.raises(InvalidInput, match="HTTP 302"):
        client.call("GET", "redirect")
    assert [request for request, *_ in Handler.requests] == ["GET /console/api/redirect"]


def test_an_error_has_the_gateways_own_words(client: GatewayClient) -> None:
    with pytest.raises(InvalidInput, match="nothing here"):
        client.call("GET", "missing")


def test_an_answer_that_is_cut_is_an_error(client: GatewayClient) -> None:
    with pytest.raises((StoreError, InvalidInput)):
        client.call("GET", "cut")


def test_a_gateway_that_is_not_there_is_named() -> None:
    with pytest.raises(StoreError, match=r"^127\.0\.0\.1:1: no answer \("):
        GatewayClient("http://127.0.0.1:1", KEY).call("GET", "session")

"""The HTTP client of the command `doctor`: real sockets, and a clock that counts."""

from __future__ import annotations

import itertools
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from handler.cli.doctor.probe import Answer, Arrivals, Probe, Unreachable
from handler.cli.doctor.signing import signer_of
from rules.review.command_line import InvalidInput
from tests.fault_injection.provider import self_signed
from tests.support.signatures import signature_of

KEY = "sk-sluice-" + "c" * 43


@contextmanager
def serving(reply: Callable[[BaseHTTPRequestHandler], object], tls: Any = None) -> Iterator[str]:
    """The address of a server that answers each request with `reply`."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.close_connection = True
            reply(self)

        do_POST = do_GET

        def log_message(self, format: str, *args: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            pass  # a handshake that fails

    server = Server(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"{'http' if tls is None else 'https'}://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def send(server: BaseHTTPRequestHandler, status: int, body: bytes, **headers: str) -> None:
    server.send_response(status)
    for name, value in {**headers, "content-length": str(len(body))}.items():
        server.send_header(name, value)
    server.end_headers()
    server.wfile.write(body)


def test_an_answer_and_the_key_that_was_sent() -> None:
    seen: dict[str, str] = {}

    def reply(server: BaseHTTPRequestHandler) -> None:
        seen.update({name.lower(): value for name, value in server.headers.items()}, path=server.path)
        send(server, 200, b'{"a": 1}', **{"X-Own": "b"})

    with serving(reply) as url:
        answer = Probe(f"{url}/v1/", KEY, clock=itertools.count().__next__).get("/health")
    assert (answer.status, answer.json, answer.headers["x-own"], answer.seconds) == (200, {"a": 1}, "b", 1)
    assert (seen["path"], seen["authorization"]) == ("/health", f"Bearer {KEY}")


def test_a_signed_request_has_the_key_beside_the_signature(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary-secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token")
    seen: dict[str, str] = {}
    body: list[bytes] = []

    def reply(server: BaseHTTPRequestHandler) -> None:
        seen.update({name.lower(): value for name, value in server.headers.items()})
        body.append(server.rfile.read(int(seen["content-length"])))
        send(server, 400, b"{}")

    with serving(reply) as url:
        probe = Probe(url, KEY, signer=lambda _: signer_of("abc.lambda-url.eu-west-1.on.aws"))
        assert probe.sign_requests()
        probe.stream("/v1/chat/completions", {"stream": True})
    assert "/eu-west-1/lambda/aws4_request" in seen["authorization"]
    assert "x-amz-security-token" in seen["authorization"]
    expected = signature_of(f"{url}/v1/chat/completions", seen, body[0], "canary-secret")
    assert seen["authorization"].endswith(f"Signature={expected}")
    assert (seen["x-api-key"], seen["x-amz-content-sha256"]) == (KEY, sha256(body[0]).hexdigest())


@pytest.mark.parametrize(
    "host",
    [
        pytest.param("gateway.example", id="another host"),
        pytest.param("abc.lambda-url.eu-west-1.on.aws.evil.example", id="a longer name"),
        pytest.param("abc.lambda-url.eu-west-1.on.aws", id="no AWS credentials"),
    ],
)
def test_a_request_is_not_signed(host: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    assert not Probe(f"https://{host}", KEY).sign_requests()


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        pytest.param(401, b'{"error": {"message": "No."}}', "No.", id="an error"),
        pytest.param(502, b"<html>", "status 502", id="another server's error"),
        pytest.param(500, b'{"error": "x"}', "status 500", id="an error of another form"),
        pytest.param(404, b"[]", "status 404", id="no object"),
    ],
)
def test_an_error_is_an_answer_too(status: int, body: bytes, error: str) -> None:
    with serving(lambda server: send(server, status, body)) as url:
        answer = Probe(url, None).get("/")
        streamed = Probe(url, None).stream("/", {})
    assert (answer.status, answer.error) == (status, error)
    assert isinstance(streamed, Answer)
    assert streamed.error == error


def test_the_key_does_not_follow_a_redirect() -> None:
    asked = []

    def reply(server: BaseHTTPRequestHandler) -> None:
        asked.append(server.path)
        send(server, 302, b"", location="/elsewhere")

    with serving(reply) as url:
        assert Probe(url, KEY).get("/").status == 302
    assert asked == ["/"]


def test_the_lines_of_a_stream_have_the_time_of_their_arrival() -> None:
    def reply(server: BaseHTTPRequestHandler) -> None:
        server.send_response(200)
        server.send_header("Transfer-Encoding", "chunked")
        server.end_headers()
        for line in (b"data: a\n\n", b": keep-alive\n\n", b"data: [DONE]\n\n"):
            server.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
        server.wfile.write(b"0\r\n\r\n")

    with serving(reply) as url:
        found = Probe(url, KEY, clock=itertools.count().__next__).stream("/", {"stream": True})
    assert isinstance(found, Arrivals)
    assert (found.head, found.lines) == (1, (2, 4, 6))


def unreachable(probe: Probe) -> Unreachable:
    with pytest.raises(Unreachable) as raised:
        probe.get("/")
    assert raised.value.mend
    assert KEY not in str(raised.value)
    return raised.value


def test_a_port_where_nothing_listens() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # but not listening
        error = unreachable(Probe(f"http://127.0.0.1:{bound.getsockname()[1]}", KEY))
    assert "nothing listens" in str(error)


def test_a_name_that_is_not_found() -> None:
    error = unreachable(Probe("https://no-such-host.invalid", KEY))
    assert "no-such-host.invalid" in str(error)
    assert "network" in error.mend


def test_tls_with_a_server_that_has_none() -> None:
    with serving(lambda server: send(server, 200, b"{}")) as url:
        error = unreachable(Probe(url.replace("http:", "https:"), KEY))
    assert "TLS" in str(error) or "broke off" in str(error)


def test_a_certificate_that_nobody_signed(tmp_path: Path) -> None:
    with serving(lambda server: send(server, 200, b"{}"), self_signed(tmp_path / "ca.pem")) as url:
        error = unreachable(Probe(url, KEY))
    assert "certificate" in str(error)
    assert "self-signed" in str(error)


def test_a_connection_that_breaks_off() -> None:
    with serving(lambda server: server.connection.close()) as url:
        error = unreachable(Probe(url, KEY))
    assert "broke off" in str(error)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        pytest.param("gateway.example", "not an address", id="no scheme"),
        pytest.param("ftp://gateway.example", "not an address", id="another scheme"),
        pytest.param("https://", "not an address", id="no host"),
        pytest.param("http://gateway.example", "could read the key", id="a key without TLS"),
    ],
)
def test_an_address_that_no_key_is_sent_to(url: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        Probe(url, KEY)

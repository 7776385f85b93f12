"""Serves the fakes on one port of loopback, in the environment of `make sdks`, and prints their address.

.venvs/sdks/bin/python -m tests.provider_fakes
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.provider_fakes import anthropic as claude
from tests.provider_fakes import bedrock, gemini
from tests.provider_fakes import openai as openai_chat
from tests.provider_fakes.call import Call, Json, Reply

SERVICES: dict[str, Callable[[Call], Reply]] = {
    "openai": openai_chat.serve,
    "anthropic": claude.serve,
    "gemini": gemini.serve,
    "bedrock": bedrock.serve,
}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        length = int(self.headers.get("content-length", 0))
        body: Json = json.loads(self.rfile.read(length) or b"{}")
        headers = {name.lower(): value for name, value in self.headers.items()}
        _, service, *rest = self.path.split("/")
        reply = SERVICES[service](Call("/".join(rest), headers, body))
        if reply.status >= 400:
            self.log_error("%s", f"{self.path} {reply.status} {b''.join(reply.pieces).decode()}")
            self.log_error("%s", json.dumps(body))
        self._send(reply)

    def _send(self, reply: Reply) -> None:
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for piece in (*reply.pieces, b""):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.flush()

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


def main() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    sys.stdout.write(f"http://127.0.0.1:{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()

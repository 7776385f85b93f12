"""A provider on loopback whose model names are faults. It records the requests that it receives."""

from __future__ import annotations

import asyncio
import datetime
import socket
import ssl
import tempfile
from collections import Counter
from contextlib import AsyncExitStack, suppress
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from types import TracebackType
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.fault_injection.faults import FALLBACKS, FAULTS
from tests.fault_injection.replies import FULL, Profile, ProviderRequest
from tests.fault_injection.wires import WIRES
from tests.support.canned_answers import Reply, whole
from tests.support.upstream import Request, Upstream
from tests.support.virtual_clock import clock

_NAMES = [x509.IPAddress(ip_address("127.0.0.1")), x509.DNSName("llm.corp.test")]


class FaultyProvider(Upstream):
    """The server. Its providers, by name in `urls`, share it or fail to connect in other ways."""

    def __init__(self, *, port: int = 0, times: Profile = FULL) -> None:
        super().__init__(port=port)
        self._times = times
        self._began = clock()
        self._attempts: Counter[tuple[str, str]] = Counter()
        self._resources = AsyncExitStack()
        self.urls: dict[str, str] = {}  # by provider
        self.pending_handshakes = 0

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        closed = self._resources.enter_context(socket.socket())
        closed.bind(("127.0.0.1", 0))  # without listening
        tls = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=_unknown())
        self._resources.callback(tls.close)
        mute = await asyncio.start_server(self._stay_silent, "127.0.0.1", 0)
        self._resources.callback(mute.close)
        self.urls = {
            "faulty": self.url,
            "spare": self.url,
            "refused": f"http://127.0.0.1:{closed.getsockname()[1]}/v1",
            "tls": f"https://127.0.0.1:{tls.sockets[0].getsockname()[1]}/v1",
            "mute": f"https://127.0.0.1:{mute.sockets[0].getsockname()[1]}/v1",
            "dns": "http://faulty.invalid/v1",
        }
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._resources.aclose()
        await super().__aexit__(kind, error, trace)

    async def _stay_silent(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Accepts the connection and stays silent until the other side closes."""
        self.pending_handshakes += 1
        await self._note()
        try:
            with suppress(ConnectionError):
                while await reader.read(4096):
                    pass
        finally:
            self.pending_handshakes -= 1
            writer.close()
            await self._note()

    def attempts(self, name: str, user: str | None = None) -> list[Request]:
        """The requests for a fault, of one `user` or of all."""
        return [one for one in self.requests_for(name) if user is None or one.json.get("user") == user]

    def _reply(self, request: Request) -> Reply:
        body = request.json
        name, user = str(body.get("model")), str(body.get("user"))
        make_reply = FAULTS[name].reply if name in FAULTS else FALLBACKS.get(name)
        if make_reply is None:
            return whole({"error": {"message": f"no such fault: {name}"}}, status=404)
        self._attempts[name, user] += 1
        return make_reply(
            ProviderRequest(
                body,
                attempt=self._attempts[name, user],
                since=clock() - self._began,
                credential=request.header("authorization") or "",
                times=self._times,
                wire=WIRES["responses" if request.path.endswith("/responses") else "openai"],
            )
        )


@cache
def _unknown() -> ssl.SSLContext:
    """The TLS context of a server whose certificate nobody trusts."""
    with tempfile.TemporaryDirectory() as folder:
        return self_signed(Path(folder, "faulty.pem"))


def self_signed(path: Path) -> ssl.SSLContext:
    """The TLS context of a server on loopback, whose self-signed certificate is written to `path`."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "faulty.invalid")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(_NAMES), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context.load_cert_chain(path)
    return context

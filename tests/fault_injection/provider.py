"""The wall itself: a real upstream on loopback, whose model names are faults. It logs what it saw."""

from __future__ import annotations

import asyncio
import datetime
import socket
import ssl
import tempfile
from collections import Counter
from contextlib import AsyncExitStack, suppress
from ipaddress import ip_address
from pathlib import Path
from types import TracebackType
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.fault_injection.faults import FALLBACKS, FAULTS
from tests.fault_injection.replies import FULL, Ask, Profile
from tests.support.canned_answers import Reply, whole
from tests.support.upstream import Request, Upstream
from tests.support.virtual_clock import clock

_NAMES = [x509.IPAddress(ip_address("127.0.0.1")), x509.DNSName("llm.corp.test")]


class Wall(Upstream):
    """`port`: 0 takes any."""

    def __init__(self, *, port: int = 0, times: Profile = FULL) -> None:
        super().__init__(port=port)
        self._times = times
        self._began = clock()
        self._attempts: Counter[tuple[str, str]] = Counter()
        self._beside = AsyncExitStack()
        self.urls: dict[str, str] = {}  # by provider
        self.muted = 0  # handshakes that are waited for now

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        closed = self._beside.enter_context(socket.socket())
        closed.bind(("127.0.0.1", 0))  # and nobody listens
        pem = Path(self._beside.enter_context(tempfile.TemporaryDirectory()), "wall.pem")
        tls = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=self_signed(pem))
        self._beside.callback(tls.close)
        mute = await asyncio.start_server(self._muted, "127.0.0.1", 0)
        self._beside.callback(mute.close)
        self.urls = {
            "wall": self.url,
            "spare": self.url,
            "refused": f"http://127.0.0.1:{closed.getsockname()[1]}/v1",
            "tls": f"https://127.0.0.1:{tls.sockets[0].getsockname()[1]}/v1",
            "mute": f"https://127.0.0.1:{mute.sockets[0].getsockname()[1]}/v1",
            "dns": "http://wall.invalid/v1",
        }
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._beside.aclose()
        await super().__aexit__(kind, error, trace)

    async def _muted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Takes the connection, says nothing and waits until the other side goes."""
        self.muted += 1
        await self._note()
        try:
            with suppress(ConnectionError):
                while await reader.read(4096):
                    pass
        finally:
            self.muted -= 1
            writer.close()
            await self._note()

    def seen(self, name: str, user: str | None = None) -> list[Request]:
        """The attempts on a fault, of one `user` or of all."""
        return [one for one in self.requests_for(name) if user is None or one.json.get("user") == user]

    def _reply(self, request: Request) -> Reply:
        body = request.json
        name, user = str(body.get("model")), str(body.get("user"))
        answers = FAULTS[name].answers if name in FAULTS else FALLBACKS.get(name)
        if answers is None:
            return whole({"error": {"message": f"no such fault: {name}"}}, status=404)
        self._attempts[name, user] += 1
        return answers(
            Ask(
                body,
                attempt=self._attempts[name, user],
                since=clock() - self._began,
                credential=request.header("authorization") or "",
                times=self._times,
            )
        )


def self_signed(path: Path) -> ssl.SSLContext:
    """A server's side of TLS on loopback; only a client trusts it that trusts the certificate in `path`."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "wall.invalid")])
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
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context.load_cert_chain(path)
    return context

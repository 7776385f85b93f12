"""Calls a gateway over HTTP as a client does, and measures when the parts of an answer come."""

from __future__ import annotations

import errno
import json
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from http.client import HTTPException
from typing import Any, NamedTuple
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener

from handler import __version__
from handler.cli.doctor.signing import Sign, signer_of
from handler.errors import Json
from handler.wire.address import is_loopback_host
from rules.review.command_line import InvalidInput

TIMEOUT = 20.0  # seconds of silence
STREAM_TIMEOUT = 120.0  # seconds for a stream
MAX_BODY = 20_000_000  # bytes
MAX_LINES = 10_000  # of a stream


class Unreachable(Exception):
    """There was no answer. The message says why; `mend`: what to do."""

    def __init__(self, text: str, mend: str) -> None:
        super().__init__(text)
        self.mend = mend


class Answer(NamedTuple):
    """A response, and how long it took in seconds."""

    status: int
    headers: Mapping[str, str]  # names in lower case
    body: bytes
    seconds: float

    @property
    def json(self) -> Json:
        """The body; an empty object if it is none."""
        try:
            value = json.loads(self.body)
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}

    @property
    def error(self) -> str:
        """The message of an error, or else its status."""
        error = self.json.get("error")
        message = error.get("message") if isinstance(error, dict) else None
        return str(message) if message else f"status {self.status}"


class Arrivals(NamedTuple):
    """When a stream came, in seconds since its request was sent."""

    head: float
    lines: tuple[float, ...]  # those that are not empty
    headers: Mapping[str, str]


class _NoRedirects(HTTPRedirectHandler):
    """The key must not go to another address."""

    def redirect_request(self, *_: Any) -> None:
        return None


class Probe:
    """A client of one gateway. `clock`: monotonic seconds; `now`: epoch seconds."""

    def __init__(
        self,
        url: str,
        key: str | None,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
        signer: Callable[[str], Sign | None] = signer_of,
    ) -> None:
        """Raises InvalidInput for an address that no key should be sent to."""
        self.base = url.rstrip("/").removesuffix("/v1")
        parts = urlsplit(self.base)
        self.host = parts.hostname or ""
        if parts.scheme not in ("http", "https") or not self.host:
            raise InvalidInput(f"--url: {url!r} is not an address such as https://host")
        if key and parts.scheme == "http" and not is_loopback_host(self.host):
            raise InvalidInput("--url: anyone on the way could read the key: use https")
        self.key = key
        self.now = now
        self.fastest = float("inf")  # seconds of the fastest answer: a first one may wait for a cold start
        self._clock = clock
        self._signer = signer
        self._sign: Sign | None = None
        direct = [ProxyHandler({})] if is_loopback_host(self.host) else []
        self._opener = build_opener(_NoRedirects(), *direct)

    def get(self, path: str, *, timeout: float = TIMEOUT) -> Answer:
        """Return the answer, whatever its status. Raises Unreachable."""
        began = self._clock()
        with self._open(self._request(path), timeout) as response:
            body = response.read(MAX_BODY)
            seconds = self._clock() - began
            self.fastest = min(self.fastest, seconds)
            return Answer(response.status, _headers(response), body, seconds)

    def stream(self, path: str, body: Json) -> Answer | Arrivals:
        """Return when the lines of a stream came, or the answer if it is an error. Raises Unreachable."""
        request = self._request(path, json.dumps(body).encode())
        began = self._clock()
        with self._open(request, STREAM_TIMEOUT) as response:
            head = self._clock() - began
            if response.status != 200:
                return Answer(response.status, _headers(response), response.read(MAX_BODY), head)
            lines = []
            for _ in range(MAX_LINES):
                line = response.readline(MAX_BODY)
                at = self._clock() - began
                if not line or at > STREAM_TIMEOUT:
                    break
                if line.strip():
                    lines.append(at)
            return Arrivals(head, tuple(lines), _headers(response))

    def sign_requests(self) -> bool:
        """Sign all further requests with the AWS credentials of this machine. False: it cannot."""
        self._sign = self._sign or self._signer(self.host)
        return self._sign is not None

    def _request(self, path: str, body: bytes | None = None) -> Request:
        url, sent = f"{self.base}{path}", body or b""
        # A signature, this one or that of a distribution, takes the place of `authorization`.
        key = {"x-api-key" if self._sign else "authorization": f"{'' if self._sign else 'Bearer '}{self.key}"}
        headers: Mapping[str, str] = {
            "content-type": "application/json",
            **({"x-amz-content-sha256": sha256(sent).hexdigest()} if sent else {}),
            **(key if self.key else {}),
        }
        if self._sign:
            headers = self._sign("GET" if body is None else "POST", url, sent, headers)
        agent = {"user-agent": f"sluice-doctor/{__version__}"}
        return Request(url, data=body, headers={**headers, **agent})

    @contextmanager
    def _open(self, request: Request, timeout: float) -> Iterator[Any]:
        try:
            try:
                response = self._opener.open(request, timeout=timeout)
            except HTTPError as error:  # a status of 300 or more, which is an answer too
                response = error
            with response:
                yield response
        except URLError as error:
            reason = error.reason
            raise _unreachable(reason if isinstance(reason, OSError) else error, self.host) from error
        except (OSError, HTTPException) as error:
            raise _unreachable(error, self.host) from error


def _headers(response: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in response.headers.items()}


def _unreachable(error: Exception, host: str) -> Unreachable:
    if isinstance(error, socket.gaierror):
        return Unreachable(
            f"the name {host} is not found",
            "check the address; if other names are not found either, this machine has no network or no DNS",
        )
    if isinstance(error, ssl.SSLCertVerificationError):
        return Unreachable(
            f"TLS: the certificate of {host} is not accepted: {error.verify_message}",
            "check the domain's certificate and this machine's clock; "
            "behind a proxy that opens TLS, set SSL_CERT_FILE to its root",
        )
    if isinstance(error, ssl.SSLError):
        return Unreachable(
            f"TLS with {host} failed: {error.reason or type(error).__name__}",
            "check that the address is one of https, and what is in front of the gateway",
        )
    if isinstance(error, TimeoutError):
        return Unreachable(
            f"{host} did not answer in time", "check the network, firewalls, and the function's log"
        )
    if isinstance(error, ConnectionRefusedError):
        return Unreachable(f"nothing listens at {host} on this port", "check the address, and start it")
    if isinstance(error, OSError) and error.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN):
        return Unreachable(f"there is no way to {host}", "this machine has no network: connect it")
    return Unreachable(
        f"the connection to {host} broke off ({type(error).__name__})",
        "try again; if it stays so, see what is in front of the gateway",
    )

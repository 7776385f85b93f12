"""Requests and responses of HTTP as the gateway sends and gets them, and the interface of what carries them.

They hold what has to be known and nothing more. An httpx transport can stand in for the pool of connections
(handler/upstream/httpx_transport.py); httpx's own types take a tenth of a cold start to import.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple, Protocol
from urllib.parse import quote, urlsplit

PORTS: Mapping[str, int] = {"http": 80, "https": 443}  # if an address has none

_UNQUOTED = "/?:@!$&'()*+,;=%~[]|^"  # characters of a target that are sent as they are

Field = tuple[bytes, bytes]  # name and value of a header


class Url(NamedTuple):
    """An address: `host` in ASCII and lower case, `authority` as in the header `host`, `target` encoded."""

    tls: bool
    host: str
    port: int
    authority: bytes
    target: bytes

    def __str__(self) -> str:
        scheme = "https" if self.tls else "http"
        return f"{scheme}://{self.authority.decode()}{self.target.decode()}"


@lru_cache(maxsize=256)
def parse_url(text: str) -> Url:
    """Return the parts of an http or https URL. Raises ValueError for any other."""
    parts = urlsplit(text)
    if parts.scheme not in PORTS or not parts.hostname:
        raise ValueError("not an http or https URL")
    host = parts.hostname if parts.hostname.isascii() else parts.hostname.encode("idna").decode()
    port = parts.port or PORTS[parts.scheme]
    shown = f"[{host}]" if ":" in host else host
    authority = shown if port == PORTS[parts.scheme] else f"{shown}:{port}"
    target = quote(parts.path or "/", safe=_UNQUOTED) + (
        f"?{quote(parts.query, safe=_UNQUOTED)}" if parts.query else ""
    )
    return Url(parts.scheme == "https", host, port, authority.encode(), target.encode())


def _nothing() -> None:
    """Do nothing."""


class Request(NamedTuple):
    """A request with all its headers.

    connect_timeout: seconds. public_only: it must not go to an address that is not public. on_sent: called
    when there is a connection, right before the request is written. min_idle: seconds that a connection must
    have been idle before it is used again; None: the pool's own.
    """

    method: str
    url: Url
    headers: list[Field]
    body: bytes
    connect_timeout: float
    public_only: bool = True
    on_sent: Callable[[], None] = _nothing
    min_idle: float | None = None


class Body(Protocol):
    """The bytes of a response as they come. `aclose` ends it at any time."""

    def __aiter__(self) -> AsyncIterator[bytes]: ...

    async def aclose(self) -> None: ...


class Response(NamedTuple):
    """The head of a response, and its body. `headers`: names in lower case, values of one name joined."""

    status: int
    headers: Mapping[str, str]
    body: Body


class Transport(Protocol):
    """Sends requests."""

    async def send(self, request: Request) -> Response:
        """Send a request and return its response, before the body has come. Raises UpstreamError."""

    async def aclose(self) -> None:
        """Close the connections that were kept."""


def joined(fields: Iterable[Field]) -> dict[str, str]:
    """Return the headers of a response by name: in lower case, values of one name joined by commas."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in fields:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers

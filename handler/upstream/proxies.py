"""Reads HTTPS_PROXY, HTTP_PROXY and NO_PROXY, and finds a provider's proxy as curl and botocore do.

https://everything.curl.dev/usingcurl/proxies/env.html; networks in NO_PROXY (10.0.0.0/8) as curl has them.
What stands on loopback is never asked through a proxy.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from urllib.parse import unquote, urlsplit

from handler.settings import InvalidSetting
from handler.upstream.connection import Origin
from handler.wire.address import is_address, is_loopback_host

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy; `headers` are for the proxy alone, and hold its password."""

    origin: Origin
    headers: tuple[tuple[bytes, bytes], ...] = field(repr=False)

    def __str__(self) -> str:
        return f"{self.origin.host}:{self.origin.port}"


@dataclass(frozen=True, slots=True)
class Proxies:
    """The proxies of a process: of providers with TLS, of those without, and who is asked directly."""

    https: Proxy | None = None
    http: Proxy | None = None
    direct: tuple[str, ...] = ()  # NO_PROXY

    def __str__(self) -> str:
        """The line for the banner of a local run; empty without a proxy."""
        named = [f"{name} through {one}" for name, one in (("https", self.https), ("http", self.http)) if one]
        direct = ", ".join(("loopback", *self.direct))
        return f"providers by {' and '.join(named)}, except {direct}" if named else ""

    def before(self, origin: Origin) -> Proxy | None:
        """The proxy through which the origin is asked; None: it is asked directly."""
        proxy = self.https if origin.tls else self.http
        if (
            proxy is None
            or is_loopback_host(origin.host)
            or any(_matches(one, origin) for one in self.direct)
        ):
            return None
        return proxy


def proxies_from(environment: Mapping[str, str]) -> Proxies:
    """Reads the proxies; lower-case names come first. Raises InvalidSetting."""

    def given(name: str) -> str:
        return (environment.get(name.lower()) or environment.get(name) or "").strip()

    return Proxies(
        https=_proxy("HTTPS_PROXY", given("HTTPS_PROXY")),
        http=_proxy("HTTP_PROXY", given("HTTP_PROXY")),
        direct=tuple(one.lower() for one in given("NO_PROXY").replace(",", " ").split()),
    )


def _proxy(name: str, text: str) -> Proxy | None:
    if not text:
        return None
    try:
        url = urlsplit(text if "://" in text else f"http://{text}")
        usual, port = _PORTS[url.scheme], url.port
    except (KeyError, ValueError):  # whose words may quote a part of the password
        raise InvalidSetting(f"{name}: has to be the http:// or https:// address of a proxy") from None
    if not url.hostname:
        raise InvalidSetting(f"{name}: names no host")
    headers = []
    if url.username is not None:
        pair = f"{unquote(url.username)}:{unquote(url.password or '')}".encode()
        headers.append((b"proxy-authorization", b"Basic " + base64.b64encode(pair)))
    return Proxy(Origin(url.scheme == "https", url.hostname, port or usual), tuple(headers))


def _matches(entry: str, origin: Origin) -> bool:
    """True when an entry of NO_PROXY matches: `*`, a domain, an address, a network; also with a port."""
    host = origin.host.rstrip(".").lower()
    if entry == "*":
        return True
    if is_address(host):
        if entry.startswith("[") or entry.count(":") == 1:  # else its colons are those of IPv6
            address, _, port = entry.rpartition(":")
            if port == str(origin.port) and _is_in(host, address):
                return True
        return _is_in(host, entry)
    domain, _, port = entry.partition(":")
    domain = domain.removeprefix("*").strip(".")
    named = bool(domain) and (host == domain or host.endswith(f".{domain}"))
    return named and port in ("", str(origin.port))


def _is_in(host: str, network: str) -> bool:
    try:
        return ip_address(host) in ip_network(network.strip("[]"), strict=False)
    except ValueError:
        return False

"""Reads HTTPS_PROXY, HTTP_PROXY and NO_PROXY, and chooses a provider's proxy as curl and botocore do.

https://everything.curl.dev/usingcurl/proxies/env.html, with networks in NO_PROXY (10.0.0.0/8) as in curl.
Hosts on loopback never have a proxy.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from urllib.parse import unquote, urlsplit

from handler.settings import InvalidSetting
from handler.upstream.connection import Origin
from handler.wire.address import is_address, is_loopback_host
from handler.wire.http import PORTS
from rules import Frozen


class Proxy(Frozen):
    """A proxy. `headers` go to the proxy only; they hold its password."""

    hidden = frozenset({"headers"})

    origin: Origin
    headers: tuple[tuple[bytes, bytes], ...]

    def __str__(self) -> str:
        return f"{self.origin.host}:{self.origin.port}"


class Proxies(Frozen):
    """The proxies of a process: for https, for http, and the hosts that have none."""

    https: Proxy | None = None
    http: Proxy | None = None
    direct: tuple[str, ...] = ()  # NO_PROXY

    def __str__(self) -> str:
        """Return the line for the banner of a local run; empty without a proxy."""
        named = [f"{name} through {one}" for name, one in (("https", self.https), ("http", self.http)) if one]
        direct = ", ".join(("loopback", *self.direct))
        return f"providers by {' and '.join(named)}, except {direct}" if named else ""

    def for_origin(self, origin: Origin) -> Proxy | None:
        """Return the proxy for an origin; None if it is reached directly."""
        proxy = self.https if origin.tls else self.http
        if (
            proxy is None
            or is_loopback_host(origin.host)
            or any(_matches(one, origin) for one in self.direct)
        ):
            return None
        return proxy


def read_proxies(environment: Mapping[str, str]) -> Proxies:
    """Read the proxies. Lower-case names take precedence. Raises InvalidSetting."""

    def value(name: str) -> str:
        return (environment.get(name.lower()) or environment.get(name) or "").strip()

    return Proxies(
        https=_read_proxy("HTTPS_PROXY", value("HTTPS_PROXY")),
        http=_read_proxy("HTTP_PROXY", value("HTTP_PROXY")),
        direct=tuple(one.lower() for one in value("NO_PROXY").replace(",", " ").split()),
    )


def _read_proxy(name: str, text: str) -> Proxy | None:
    if not text:
        return None
    try:
        url = urlsplit(text if "://" in text else f"http://{text}")
        default, port = PORTS[url.scheme], url.port
    except (KeyError, ValueError):  # its message may quote a part of the password
        raise InvalidSetting(f"{name}: expected the http:// or https:// address of a proxy") from None
    if not url.hostname:
        raise InvalidSetting(f"{name}: the host is missing")
    headers = []
    if url.username is not None:
        pair = f"{unquote(url.username)}:{unquote(url.password or '')}".encode()
        headers.append((b"proxy-authorization", b"Basic " + base64.b64encode(pair)))
    return Proxy(origin=Origin(url.scheme == "https", url.hostname, port or default), headers=tuple(headers))


def _matches(entry: str, origin: Origin) -> bool:
    """True if an entry of NO_PROXY matches: `*`, or a domain, address or network, with or without a port."""
    host = origin.host.rstrip(".").lower()
    if entry == "*":
        return True
    if is_address(host):
        if entry.startswith("[") or entry.count(":") == 1:  # otherwise the colons are those of IPv6
            address, _, port = entry.rpartition(":")
            if port == str(origin.port) and _is_in(host, address):
                return True
        return _is_in(host, entry)
    domain, _, port = entry.partition(":")
    domain = domain.removeprefix("*").strip(".")
    matches = bool(domain) and (host == domain or host.endswith(f".{domain}"))
    return matches and port in ("", str(origin.port))


def _is_in(host: str, network: str) -> bool:
    try:
        return ip_address(host) in ip_network(network.strip("[]"), strict=False)
    except ValueError:
        return False

"""The hosts that a credential may be sent to.

A `provider` record can name any credential and any address. Therefore a credential that a built-in row uses
is sent to the hosts of that row only, and only over https.
"""

from __future__ import annotations

from collections.abc import Mapping

from handler.providers.addressing import origin
from handler.providers.provider import REGION, Provider
from handler.providers.rows.bedrock import BEDROCK
from handler.providers.rows.builtin import PROVIDERS


def credential_allowed(row: Provider) -> bool:
    """True if the row's credential, or its signature, may be sent to its base_url."""
    return _is_allowed(allowed_hosts(row), row.base_url or "")


def may_be_sent(credential: str, url: str) -> bool:
    """True if a credential may be sent to an address, which is no provider's."""
    return _is_allowed(_HOSTS.get(credential), url)


def _is_allowed(hosts: tuple[str, ...] | None, url: str) -> bool:
    if hosts is None:
        return True
    scheme, host, port = origin(url)
    return scheme == "https" and port in (None, 443) and any(_matches(host, pattern) for pattern in hosts)


def allowed_hosts(row: Provider) -> tuple[str, ...] | None:
    """Patterns of the hosts that the row's credential may be sent to; None if it may be sent anywhere."""
    # A signature may be sent where the credential of Bedrock may.
    credential = BEDROCK.credential if row.auth == "sigv4" else row.credential
    return _HOSTS.get(credential or "")


def _matches(host: str, pattern: str) -> bool:
    """Compare label by label: a leading `*.` stands for one or more labels, a later `*` for exactly one."""
    any_depth = pattern.startswith("*.")
    labels, expected = host.split("."), pattern.removeprefix("*.").split(".")
    if len(labels) <= len(expected) if any_depth else len(labels) != len(expected):
        return False
    tail = labels[-len(expected) :]
    return all(want in ("*", label) for want, label in zip(expected, tail, strict=True))


def _own_host(row: Provider) -> tuple[str, ...]:
    if row.base_url is None or REGION in row.base_url:
        return ()
    return (origin(row.base_url)[1],)


# The credential of each built-in row -> the hosts it may be sent to.
_HOSTS: Mapping[str, tuple[str, ...]] = {
    row.credential: (*_own_host(row), *row.hosts) for row in PROVIDERS.values() if row.credential
}

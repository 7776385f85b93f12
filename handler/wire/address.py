"""Tells public addresses from private ones: a provider's must be public (contract, section 6).

https://www.iana.org/assignments/iana-ipv6-special-registry
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

# Azure serves its metadata at a public address; Oracle in a network that older Pythons hold to be public.
_METADATA = (IPv4Network("168.63.129.16/32"), IPv4Network("192.0.0.0/24"))
_GLOBAL_UNICAST = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")
# Names that by definition are private or mean this machine (RFC 6761, 6762, 8375, 9476).
_PRIVATE_NAMES = (".localhost", ".local", ".internal", ".home.arpa")


def is_public(text: str) -> bool:
    """False for loopback, private, link-local, metadata, multicast, unspecified addresses and for names."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, IPv6Address):
        inner = _embedded_ipv4(address)
        if inner is None:
            return address in _GLOBAL_UNICAST and address.is_global
        address = inner
    return address.is_global and not address.is_multicast and not any(address in one for one in _METADATA)


def _embedded_ipv4(address: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address to which packets for this one are sent."""
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour


def is_public_host(host: str) -> bool:
    """False for a private address or name. A proxy looks names up itself, so only the name can be checked."""
    if is_address(host):
        return is_public(host)
    name = host.rstrip(".").lower()
    # Resolvers read `127.1` and `0x7f.1` as addresses. No top-level domain begins with a digit.
    return "." in name and not name.rpartition(".")[2][:1].isdigit() and not name.endswith(_PRIVATE_NAMES)


def is_loopback_host(host: str) -> bool:
    """True for a loopback address or a name that always means one (RFC 6761)."""
    if is_address(host):
        return ip_address(host.partition("%")[0]).is_loopback
    return f".{host.rstrip('.').lower()}".endswith(".localhost")


def is_address(host: str) -> bool:
    try:
        ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True

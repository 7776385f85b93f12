"""Which addresses an upstream may have: those of the public internet (contract, section 6).

https://www.iana.org/assignments/iana-ipv6-special-registry
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any

from handler.errors import UpstreamError

# Azure's metadata lies in public space; Oracle's in a network that older Pythons take for public.
_METADATA = (IPv4Network("168.63.129.16/32"), IPv4Network("192.0.0.0/24"))
_GLOBAL_UNICAST = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")


def public(text: str) -> bool:
    """False for loopback, private, link-local, metadata, multicast, unspecified, and no address at all."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, IPv6Address):
        inner = _carried(address)
        if inner is None:
            return address in _GLOBAL_UNICAST and address.is_global
        address = inner
    return address.is_global and not address.is_multicast and not any(address in one for one in _METADATA)


def _carried(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that packets to this one end up at."""
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour


async def refuse_private(event: str, info: Mapping[str, Any]) -> None:
    """Closes a fresh connection that has led to an address no upstream may have. Raises UpstreamError.

    It is the peer itself that is looked at, before TLS and before a byte of ours: a name that resolves to
    something else the second time gains nothing. https://www.encode.io/httpcore/extensions/#trace
    """
    if event == "connection.connect_tcp.complete":
        stream = info["return_value"]
        if not public(stream.get_extra_info("server_addr")[0]):
            await stream.aclose()
            raise UpstreamError("The provider's address is not a public one.", klass="permission")

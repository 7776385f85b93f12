"""Tests of handler/wire/address.py."""

from __future__ import annotations

import pytest

from handler.wire.address import is_public, is_public_host

PUBLIC = [
    "1.1.1.1",
    "104.18.7.192",
    "162.159.140.245",
    "2606:4700::6812:7c0",
    "64:ff9b::101:101",
    "2002:101:101::1",
]
NOT_PUBLIC = {
    "loopback": ["127.0.0.1", "127.8.8.8", "::1"],
    "unspecified": ["0.0.0.0", "::"],
    "private": ["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "fc00::1", "fd12:3456::1"],
    "link-local": ["169.254.1.1", "fe80::1", "fe80::1%eth0"],
    "metadata": ["169.254.169.254", "fd00:ec2::254", "168.63.129.16", "100.100.100.200", "192.0.0.192"],
    "carrier-grade NAT": ["100.64.0.1"],
    "multicast": ["224.0.0.1", "239.1.1.1", "ff02::1", "ff0e::1"],
    "broadcast and reserved": ["255.255.255.255", "240.0.0.1", "192.0.2.1", "198.18.0.1", "2001:db8::1"],
    "IPv4 inside IPv6": [
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "::ffff:10.0.0.1",
        "64:ff9b::a00:1",
        "64:ff9b::7f00:1",
        "64:ff9b:1::a00:1",
        "2002:a00:1::1",
        "2002:7f00:1::",
        "2001::7f00:1",
        "::10.0.0.1",
        "::7f00:1",
    ],
    "not an address": ["", "localhost", "1.2.3", "0x7f000001", "2130706433", "1.2.3.4.5", "[::1]"],
}


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    ("kind", "address"), [(kind, address) for kind, of_kind in NOT_PUBLIC.items() for address in of_kind]
)
def test_an_address_that_is_not_public(kind: str, address: str) -> None:
    assert not is_public(address), kind


@pytest.mark.parametrize("host", [*PUBLIC, "api.example.com", "api.example.com.", "3com.com", "a.xn--p1ai"])
def test_a_host_that_a_proxy_may_be_asked_for(host: str) -> None:
    assert is_public_host(host)


@pytest.mark.parametrize(
    "host",
    [
        pytest.param("127.0.0.1", id="loopback"),
        pytest.param("127.1", id="loopback in two numbers"),
        pytest.param("2130706433", id="loopback in one number"),
        pytest.param("0x7f.1", id="loopback, partly hexadecimal"),
        pytest.param("127.0.0.0x1", id="loopback that ends hexadecimal"),
        pytest.param("0177.0.0.01", id="loopback in octal"),
        pytest.param("127.1.", id="loopback with a dot at the end"),
        pytest.param("localhost", id="a name without a dot"),
        pytest.param("a.localhost", id="a name of loopback"),
        pytest.param("metadata.google.internal", id="metadata"),
    ],
)
def test_a_host_that_no_proxy_is_asked_for(host: str) -> None:
    assert not is_public_host(host)

"""Where an IP address leads."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given, strategies as st

from actors.network.address import is_loopback, is_public

PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "93.184.216.34",
    "2001:4860:4860::8888",
    "2606:2800:220:1::1",
    "2620:4f:8000::1",
    "::ffff:93.184.216.34",
    "64:ff9b::5db8:d822",
]
CLOUDS = [
    "169.254.169.254",
    "169.254.170.2",
    "169.254.170.23",
    "169.254.42.42",
    "168.63.129.16",
    "100.100.100.200",
    "192.0.0.192",
    "fd00:ec2::254",
    "fd00:ec2::23",
    "fd20:ce::254",
    "fd00:42::42",
    "fd00:c1::a9fe:a9fe",
    "fe80::a9fe:a9fe%eth0",
]
PRIVATE = ["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "127.0.0.1", "127.9.9.9", "100.64.0.1", "0.1.2.3"]
NOBODYS = [
    "2002:808:808::1",
    "0.0.0.0",  # noqa: S104 - nothing is bound
    "192.0.2.1",
    "198.51.100.1",
    "203.0.113.1",
    "198.18.0.1",
    "192.88.99.1",
    "192.0.0.8",
    "192.0.0.170",
    "240.0.0.1",
    "255.255.255.255",
    "224.0.0.1",
    "239.255.255.250",
    "::",
    "::1",
    "::2",
    "::8.8.8.8",
    "::ffff:0:8.8.8.8",
    "100::1",
    "100:0:0:1::1",
    "2001::1",
    "2001:2::1",
    "2001:10::1",
    "2001:20::1",
    "2001:db8::1",
    "3fff::1",
    "4000::1",
    "5f00::1",
    "8000::1",
    "e000::1",
    "fc00::1",
    "fe80::1",
    "fec0::1",
    "feff::1",
    "ff02::1",
    "ff0e::1",
]
WORDS = ["", "localhost", "127.1", "2130706433", "0x7f.0.0.1", "1.1.1.1x", "1.1.1", "::g", "1.1.1.1/8"]


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses(address: str) -> None:
    """Those of the internet, also in the clothes of another kind."""
    assert is_public(address)


@pytest.mark.parametrize("address", CLOUDS + PRIVATE + NOBODYS + WORDS)
def test_all_others(address: str) -> None:
    """Local, of a cloud that a machine stands in, for many, of nobody; what is no address."""
    assert not is_public(address)


def clothes(inner: ipaddress.IPv4Address) -> list[str]:
    """The IPv6 addresses that carry *inner*."""
    low = int(inner)
    high, word = low >> 16, low & 0xFFFF
    teredo = low ^ 0xFFFFFFFF
    return [
        f"::ffff:{inner}",
        f"::ffff:{high:x}:{word:x}",
        f"::ffff:0:{inner}",
        f"::{inner}",
        f"64:ff9b::{inner}",
        f"64:ff9b:1::{inner}",
        f"64:ff9b:1:ffff::{high:x}:{word:x}",
        f"2002:{high:x}:{word:x}::1",
        f"2001:0:{high:x}:{word:x}::1",
        f"2001:0:4136:e378:8000:63bf:{teredo >> 16:x}:{teredo & 0xFFFF:x}",
        f"2600::5efe:{inner}",
        f"2600::200:5efe:{high:x}:{word:x}",
        f"fe80::5efe:{inner}",
    ]


@pytest.mark.parametrize("inner", [one for one in CLOUDS + PRIVATE + NOBODYS if ":" not in one])
def test_no_clothes_help(inner: str) -> None:
    """An address is no more public than the one that it carries."""
    for address in clothes(ipaddress.IPv4Address(inner)):
        assert not is_public(address), address


@given(st.ip_addresses(v=4))
def test_clothes_change_nothing(inner: ipaddress.IPv4Address) -> None:
    """Mapped, or behind a translator that everybody may use, it is judged as itself."""
    public = is_public(str(inner))
    assert not public or (inner.is_global and not inner.is_multicast)
    assert is_public(f"::ffff:{inner}") is public
    assert is_public(f"64:ff9b::{inner}") is public


@given(st.ip_addresses(v=6))
def test_only_what_was_given_out_is_public(address: ipaddress.IPv6Address) -> None:
    """Of IPv6 that is 2000::/3, and two ways to carry an IPv4 address."""
    known = [ipaddress.IPv6Network(network) for network in ("2000::/3", "64:ff9b::/96", "::ffff:0:0/96")]
    assert not is_public(str(address)) or any(address in network for network in known)


@given(st.text(max_size=50))
def test_any_text_is_judged(text: str) -> None:
    """Without an error; what is public is no loopback."""
    assert not (is_public(text) and is_loopback(text))

"""What an IP address says about where it leads, and whether anybody may connect there."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable
from typing import TypeAlias

from ..errors import CapabilityDenied

Refuse: TypeAlias = Callable[[str, int, str], str | None]
"""Called as ``refuse(host, port, address)``: why nobody may connect to *address*, which *host* resolved to, or None."""
CONNECT_TIMEOUT = 10.0
"""Seconds for a name, and for each connection; a server that is there takes milliseconds."""

# The last four bytes are an IPv4 address: RFC 6052, RFC 2765, and as RFC 4291 once had it.
_CARRIERS = tuple(ipaddress.IPv6Network(network) for network in ("64:ff9b::/96", "::ffff:0:0:0/96", "::/96"))
_ISATAP = 0x5EFE  # RFC 5214: so is what follows this word, with the third bit of the byte before set or not
# Not of the internet, whatever the Python at hand says. Source: the special-purpose registries of IANA; RFC 3879.
_NOT_PUBLIC = tuple(
    ipaddress.ip_network(network)
    for network in (
        "0.0.0.0/8",  # this network
        "100.64.0.0/10",  # behind a provider's NAT: a cloud's own services among it, as 100.100.100.200 of Alibaba
        "192.0.0.0/24",  # protocol assignments; 192.0.0.192 are the services of Oracle's cloud
        "192.88.99.0/24",  # relays of 6to4
        "198.18.0.0/15",  # benchmarks
        "240.0.0.0/4",  # reserved, and broadcast
        "2001::/23",  # protocol assignments, Teredo and ORCHID among them
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: newer Pythons say so, too
        "3fff::/20",  # documentation
    )
)
# Public by their number, but they lead to the services of the cloud that a machine stands in: keys, settings, agents.
# Those that others use (169.254.169.254, 169.254.170.2, 169.254.42.42, fd00:ec2::254, fd20:ce::254) are local by their
# number.
_OF_THE_CLOUD = frozenset(
    {
        # Microsoft Azure: https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16
        ipaddress.ip_address("168.63.129.16"),
    }
)
# Of IPv6 these alone may be public: what was given out, and an IPv4 address, mapped or behind a translator that is
# everybody's.
_MAY_BE_PUBLIC = tuple(ipaddress.IPv6Network(network) for network in ("2000::/3", "::ffff:0:0/96", "64:ff9b::/96"))

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def parse(text: str) -> Address | None:
    """The address that *text* is, a scope (``%eth0``) left out; None when it is none."""
    try:
        return ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None


def is_loopback(text: str) -> bool:
    """Is *text*, an IP address, one of this machine's own?"""
    address = parse(text)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return address is not None and (mapped or address).is_loopback


def allow(refuse: Refuse, host: str, port: int, addresses: Iterable[str]) -> None:
    """Look at all *addresses* of *host* before a connection to one of them.

    Raises:
        CapabilityDenied: One of them is refused.
    """
    for address in addresses:
        if (refusal := refuse(host, port, address)) is not None:
            raise CapabilityDenied(refusal)


def is_public(text: str) -> bool:
    """Is *text* an IP address of the public internet, also when it is an IPv4 address in the clothes of an IPv6 one?"""
    address = parse(text)
    if address is None:
        return False
    return all(_is_global(one) for one in [address, *_inside(address)])


def _is_global(address: Address) -> bool:
    if not address.is_global or address.is_multicast or address in _OF_THE_CLOUD:
        return False
    if isinstance(address, ipaddress.IPv6Address) and not any(address in network for network in _MAY_BE_PUBLIC):
        return False
    return not any(address in network for network in _NOT_PUBLIC)


def _inside(address: Address) -> list[Address]:
    """The IPv4 addresses that an IPv6 address carries: what it is sent to may be sent on to them."""
    if isinstance(address, ipaddress.IPv4Address):
        return []
    found: list[Address | None] = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if any(address in carrier for carrier in _CARRIERS) or (int(address) >> 32) & 0xFFFF == _ISATAP:
        found.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return [one for one in found if one is not None]

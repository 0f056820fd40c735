"""What an IP address says about where it leads."""

from __future__ import annotations

import ipaddress

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052: the last four bytes are an IPv4 address
_COMPATIBLE = ipaddress.IPv6Network("::/96")  # the same, as RFC 4291 once had it

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


def is_public(text: str) -> bool:
    """Is *text* an IP address of the public internet, also when it is an IPv4 address in the clothes of an IPv6 one?"""
    address = parse(text)
    if address is None:
        return False
    return all(one.is_global and not one.is_multicast for one in [address, *_inside(address)])


def _inside(address: Address) -> list[Address]:
    """The IPv4 addresses that an IPv6 address carries: what it is sent to may be sent on to them."""
    if isinstance(address, ipaddress.IPv4Address):
        return []
    found: list[Address | None] = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if address in _NAT64 or address in _COMPATIBLE:
        found.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return [one for one in found if one is not None]

"""What an IP address says about where it leads."""

from __future__ import annotations

import ipaddress

# The last four bytes are an IPv4 address: RFC 6052, RFC 2765, and as RFC 4291 once had it.
_CARRIERS = tuple(ipaddress.IPv6Network(network) for network in ("64:ff9b::/96", "::ffff:0:0:0/96", "::/96"))
_ISATAP = 0x5EFE  # RFC 5214: so is what follows this word, with the third bit of the byte before set or not
# Not of the internet, whatever the Python at hand says: site-local, local NAT64, documentation, segment routing,
# relays of 6to4, protocol assignments.
_NOT_PUBLIC = tuple(
    ipaddress.ip_network(network)
    for network in ("fec0::/10", "64:ff9b:1::/48", "3fff::/20", "5f00::/16", "192.88.99.0/24", "192.0.0.0/24")
)

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
    return all(_is_global(one) for one in [address, *_inside(address)])


def _is_global(address: Address) -> bool:
    return address.is_global and not address.is_multicast and not any(address in network for network in _NOT_PUBLIC)


def _inside(address: Address) -> list[Address]:
    """The IPv4 addresses that an IPv6 address carries: what it is sent to may be sent on to them."""
    if isinstance(address, ipaddress.IPv4Address):
        return []
    found: list[Address | None] = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if any(address in carrier for carrier in _CARRIERS) or (int(address) >> 32) & 0xFFFF == _ISATAP:
        found.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return [one for one in found if one is not None]

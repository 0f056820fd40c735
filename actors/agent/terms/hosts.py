"""Which servers a ``network`` grant allows."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ...core.shown import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

SUBDOMAINS = "*."


@dataclass(frozen=True, slots=True)
class AllowedHost:
    """One item of ``allowed_hosts``, taken apart: ``example.com``, ``*.example.com`` (what is below it),
    ``example.com:8443``, ``127.0.0.1``, ``[::1]:80``.

    Args:
        name: In lower case, without the last dot; what begins with ``*.`` allows what is below.
        port: None allows every port.
    """

    name: str
    port: int | None = None

    @classmethod
    def parse(cls, item: str) -> AllowedHost:
        """Take *item* apart.

        Raises:
            ValueError: It is no host, perhaps a URL.
        """
        if "://" in item:
            inside = _host_in(item)
            hint = f"write {inside!r}" if inside else "give a name like 'example.com', without http:// and a path"
            raise ValueError(f"{item!r} is no host but a URL: {hint}")
        name, colon, port = item.rpartition(":")
        if (item.startswith("[") and item.endswith("]")) or not colon or _is_address(item):
            name, colon, port = item, "", ""
        name = plain(name.removeprefix("[").removesuffix("]"))
        rest = name.removeprefix(SUBDOMAINS)
        # What follows a slash is a path.
        is_odd = any(sign in rest for sign in "@*?# \t\n") or "/" in rest[1:]
        if not rest or is_odd or (":" in rest and not _is_address(rest)):
            raise ValueError(f"{item!r} is no host: give a name like 'example.com' or '*.example.com:8443'")
        if name.startswith(SUBDOMAINS) and rest.rpartition(".")[2].isdigit():
            raise ValueError(f"{item!r} is no host: there is nothing below an address")
        if colon and not (port.isascii() and port.isdigit() and int(port) < 65_536):
            raise ValueError(f"{item!r} has no port after its colon: give a number below 65,536, or no colon")
        return cls(name, int(port) if colon else None)

    def allows(self, host: str, port: int) -> bool:
        """Is *host*, in the form of :func:`plain`, allowed at *port*?"""
        if self.port not in (None, port):
            return False
        if self.name.startswith(SUBDOMAINS):
            return host.endswith(self.name[1:]) and not _is_address(host)
        return host == self.name

    def covers(self, other: AllowedHost) -> bool:
        """Does it allow all that *other* allows?"""
        if self.port not in (None, other.port):
            return False
        if self.name.startswith(SUBDOMAINS):
            return other.name == self.name or (other.name.endswith(self.name[1:]) and not _is_address(other.name))
        return other.name == self.name


def plain(host: str) -> str:
    """*host* in the form in which hosts are compared."""
    host = host.lower().removesuffix(".")
    address = host.removeprefix("[").removesuffix("]")
    return str(ipaddress.ip_address(address)) if _is_address(address) else host


def refusal(items: Sequence[str], host: str, port: int) -> str | None:
    """Why none of *items* allows *host* at *port*; None when one does."""
    if any(AllowedHost.parse(item).allows(plain(host), port) for item in items):
        return None
    return f"{shown(f'{host}:{port}', 300)} is not in allowed_hosts ({', '.join(items) or 'none'})"


def _host_in(url: str) -> str:
    """The host of *url*, with its port if it names one, as an item; empty when there is none."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        host = f"[{host}]" if ":" in host else host
        item = host if parts.port is None else f"{host}:{parts.port}"
        AllowedHost.parse(item)
    except ValueError:
        return ""
    return item


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True

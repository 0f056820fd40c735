"""Where a model is asked, and how far that is from here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ..agent.ports import PrivacyTier
from ..errors import CapabilityDenied
from .address import is_loopback

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..agent.ports import PrivacyWord


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The address of a server, and how far the data of a request may travel to it.

    Args:
        url: Its base URL.
        tier: ``sovereign``: this machine only; ``private``: also ``hosts``; ``standard``: any.
        hosts: The names and addresses that are under the user's own control, in lower case.
        socket: Path of a local socket that is used in place of the network; None uses the network.

    Guarantees: a driver that was built for a tier connects to nothing beyond it, whatever a name resolves to and
    wherever a redirect would lead (none is followed).
    """

    url: str
    tier: PrivacyTier
    hosts: frozenset[str] = frozenset()
    socket: str | None = None

    @classmethod
    def of(
        cls,
        url: str,
        *,
        privacy: PrivacyTier | PrivacyWord | None = None,
        private_hosts: Iterable[str] = (),
        socket: str | None = None,
    ) -> Endpoint:
        """Judge *url*.

        Args:
            privacy: How private it must be; None takes what it is.
        Raises:
            ValueError: No http or https URL with a host.
            CapabilityDenied: It is farther away than *privacy* allows.
        """
        host = _host_of(url)
        hosts = frozenset(name.lower().rstrip(".") for name in private_hosts)
        if socket is not None or _is_here(host):
            tier = PrivacyTier.SOVEREIGN
        else:
            tier = PrivacyTier.PRIVATE if host in hosts else PrivacyTier.STANDARD
        if privacy is not None and tier.rank > PrivacyTier(privacy).rank:
            raise CapabilityDenied(
                f"privacy {PrivacyTier(privacy)!s} does not allow {url}: {_allowed(PrivacyTier(privacy))}; "
                "choose another base_url, or a more permissive privacy"
            )
        return cls(url, tier, hosts, socket)

    @property
    def server(self) -> str:
        """Scheme, host and port: what tells one server from another."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{(parts.hostname or '').rstrip('.')}:{parts.port or ''}{self.socket or ''}"

    def refuse(self, host: str, port: int, address: str) -> str | None:  # noqa: ARG002 - a tier knows no ports
        """Why nothing may connect to *host* at *address*; None when it may.

        Args:
            host: The name or the address that was asked for, of the server or of what it redirects to.
            address: The IP address that it resolved to.
        """
        if self.tier is PrivacyTier.STANDARD or is_loopback(address):
            return None
        if self.tier is PrivacyTier.PRIVATE and host.lower().rstrip(".") in self.hosts:
            return None
        return f"privacy {self.tier!s} does not allow a connection to {host} ({address}): {_allowed(self.tier)}"


def _is_here(host: str) -> bool:
    return host == "localhost" or host.endswith(".localhost") or is_loopback(host)


def _host_of(url: str) -> str:
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").rstrip(".")
        parts.port  # noqa: B018 - raises for one that is no number
    except ValueError as error:
        raise ValueError(f"base_url {url!r} is no URL: {error}") from None
    if parts.scheme not in ("http", "https") or not host:
        raise ValueError(f"base_url must be like https://host/v1, got {url!r}")
    return host


def _allowed(tier: PrivacyTier) -> str:
    if tier is PrivacyTier.SOVEREIGN:
        return "it allows this machine only (127.0.0.1, ::1, localhost, a local socket)"
    return "it allows this machine and the hosts in private_hosts"

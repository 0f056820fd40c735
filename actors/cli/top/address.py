"""Where a live view is, and the token that it asks for."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

from ...core.shown import shown
from ..refusal import RefusedError

HOSTS = ("127.0.0.1", "localhost")
"""This machine, as a live view is named."""


@dataclass(frozen=True, slots=True)
class Address:
    """One live view of this machine.

    Args:
        host: As it stands in the URL: the view answers to no other name.
    """

    host: str
    port: int
    token: str = field(repr=False)

    @property
    def origin(self) -> str:
        """What a page of that view would send as its ``Origin``."""
        return f"http://{self.host}:{self.port}"


def address_of(url: str) -> Address:
    """Read the URL that a live view has printed.

    Raises:
        RefusedError: It is none, it has no token, or it names another machine: the token would go over the network.
    """
    try:
        parts = urlsplit(url.strip())
        host, port = parts.hostname or "", parts.port
        asked = parse_qs(parts.query, max_num_fields=20)
    except ValueError as error:
        raise RefusedError(f"{_masked(url)}: is no URL: {shown(str(error), 200)}") from None
    if parts.scheme == "https" or (parts.scheme == "http" and host not in HOSTS):
        raise RefusedError(
            f"{_masked(url)}: a live view is watched on its own machine alone, as http://127.0.0.1:PORT/?token=...: "
            f"its token would go over the network. From here: ssh -N -L {port or 'PORT'}:127.0.0.1:{port or 'PORT'} "
            f"{shown(host, 60) or 'HOST'}, then the URL with 127.0.0.1 (the same port on both sides)"
        )
    tokens = asked.get("token", [])
    is_plain = parts.path in ("", "/") and parts.username is None and parts.password is None
    if parts.scheme != "http" or port is None or not is_plain or len(tokens) != 1:
        raise RefusedError(
            f"{_masked(url)}: is not the URL of a live view: copy all of it, as it was printed: "
            "http://127.0.0.1:PORT/?token=..."
        )
    if not (tokens[0].isascii() and tokens[0].isprintable() and " " not in tokens[0]):
        raise RefusedError(f"{_masked(url)}: its token has a character that no token has: copy the URL again")
    return Address(host, port, tokens[0])


def _masked(url: str) -> str:
    """*url* without what follows its question mark: a message must not tell the token."""
    before, mark, _ = url.partition("?")
    return shown(before + (mark and "?..."), 120)

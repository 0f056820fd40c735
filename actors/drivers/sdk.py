"""What the official packages have in common: how their clients are found, set up, made and closed."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..agent.ports import PrivacyTier
from ..extras import need
from .edge.error_text import MOST_BYTES as ERROR_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..network.endpoint import Endpoint
    from .limiter import RateLimiter

NO_KEY = "none"
"""What a server on this machine is sent where there is no key: the packages insist on one."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a package would use: it knows the variables of its environment, and its defaults.

    Args:
        key: None when there is none.
        signs_in: It has another way to sign in.
    """

    url: str
    key: str | None
    signs_in: bool

    def key_for(self, tier: PrivacyTier, variable: str) -> str | None:
        """What a server of *tier* is sent: one on this machine needs no key. None: the package signs in otherwise.

        Args:
            variable: Of the environment, for the error.
        Raises:
            ValueError: There is none, and one is needed.
        """
        if self.key is None and tier is PrivacyTier.SOVEREIGN:
            return NO_KEY
        if self.key is None and not self.signs_in:
            raise ValueError(f"no API key for {self.url}: pass api_key, or set it in the environment ({variable})")
        return self.key


def client_class(package: str, name: str, what: str) -> Any:
    """The class of a package's async client.

    Raises:
        ImportError: The package is not installed, or too old; the message names the command.
    """
    found = getattr(need(package, package, what), name)
    need("httpx2", package, what)  # an old version of the package brings another client
    return found


def settings(client: Any, base_url: str | None, api_key: str | None) -> Settings:
    """The URL and the key that the package would use."""
    from ..network.tls import ssl_context
    from ..network.transport import no_client  # with the first driver: it needs the packages of the extra

    http = no_client()
    try:
        probe = client(base_url=base_url, api_key=api_key, http_client=http)
        key = probe.api_key
    except ValueError:
        raise
    except Exception:  # noqa: BLE001 - it has no key, and says so by an error of its own
        probe, key = client(base_url=base_url, api_key=NO_KEY, http_client=http), None
    other = getattr(probe, "auth_token", None) or getattr(probe, "credentials", None)
    url = base_url or str(probe.base_url).rstrip("/")
    if url.lower().startswith("https:"):
        ssl_context()  # read here, in the thread of who makes the driver: on the loop it would hold up everybody
    return Settings(url, key or None, key is None and other is not None)


def make_client(
    client: Any,
    endpoint: Endpoint,
    limiter: RateLimiter,
    *,
    key: str | None,
    timeout: float,
    max_answer_bytes: int,
    proxy: str | None,
    headers: Mapping[str, str],
) -> Any:
    """The package's client, on the private loop. Its own retries are off: no call is hidden."""
    from ..network.transport import make_client as make_http

    async def hear(response: Any) -> None:
        limiter.feed(response.headers, refused=response.is_error)

    http = make_http(
        endpoint.refuse,
        timeout=timeout,
        max_answer_bytes=max_answer_bytes,
        max_error_bytes=ERROR_BYTES,
        keeps_cookies=False,  # else a server could mark its callers, and let the heads of their requests grow
        proxy=proxy,
        socket=endpoint.socket,
    )
    http.event_hooks = {"response": [hear]}
    return client(
        base_url=endpoint.url, api_key=key, default_headers=headers, max_retries=0, timeout=timeout, http_client=http
    )


async def post(client: Any, path: str, body: bytes) -> Any:
    """Send *body*, as it is, to *path*; the response, whose body is still to be read and which is to be closed.

    Raises:
        Exception: What the package raises: the server answered with an error, or could not be reached.
    """
    from ..network.transport import Response

    head = {"Content-Type": "application/json"}
    return await client.post(path, cast_to=Response, content=body, options={"headers": head}, stream=True)


async def hand_over(response: Any, put: Callable[[bytes], None], *, at_once: bool) -> None:
    """Hand over the body, piece by piece as it arrives, or *at_once* when all is there."""
    whole: list[bytes] = []
    take = whole.append if at_once else put
    pieces = response.aiter_raw()
    try:
        async for piece in pieces:
            take(piece)
    finally:
        await pieces.aclose()  # before the stream below it
        if whole:
            put(b"".join(whole))


async def close(client: Any) -> None:
    """Close its connections. The loop closes a socket a turn or two after it was told to."""
    await client.close()
    for _ in range(3):
        await asyncio.sleep(0)

"""An HTTP client that connects only where it may, and reads only so much."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any

import httpcore2
import httpx2

from ..errors import CapabilityDenied, MalformedAnswer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping

    Refuse = Callable[[str, int, str], str | None]
    Server = tuple[str, int]

Response = httpx2.Response
"""What a client answers with."""
CONNECT_TIMEOUT = 10.0
"""Seconds for a connection; a server that is there takes milliseconds."""


def make_client(
    refuse: Refuse,
    *,
    timeout: float,
    max_answer_bytes: int | None,
    proxy: str | None = None,
    socket: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> httpx2.AsyncClient:
    """A client to be used on the private loop.

    Its bounds are the caller's: as many connections as there are calls, and *timeout* seconds for each wait.

    Args:
        refuse: Called as ``refuse(host, port, address)`` before a connection to *address*, which *host* resolved to:
            why it may not be, or None. The connection goes to that very address.
        max_answer_bytes: A longer body is a ``MalformedAnswer``; None has no bound.
        socket: Path of a local socket in place of the network.
        headers: Sent with each request.
    """
    transport = _Transport(refuse, max_answer_bytes, proxy, socket)
    # With a transport of its own the client reads no proxy from the environment: data goes where the endpoint says.
    return httpx2.AsyncClient(
        transport=transport,
        timeout=httpx2.Timeout(timeout, connect=min(timeout, CONNECT_TIMEOUT)),
        follow_redirects=False,  # a key is for the server that it was given to
        headers={**(headers or {}), "Accept-Encoding": "identity"},  # a packed answer could unpack to any size
    )


def no_client() -> httpx2.AsyncClient:
    """A client that reaches nobody: for looking at the settings of a package."""
    return httpx2.AsyncClient(transport=httpx2.MockTransport(lambda _: httpx2.Response(500)), trust_env=False)


class _Transport(httpx2.AsyncHTTPTransport):
    """httpx's transport on a pool of connections that asks *refuse* first."""

    def __init__(self, refuse: Refuse, max_answer_bytes: int | None, proxy: str | None, socket: str | None) -> None:
        super().__init__(limits=httpx2.Limits(max_connections=None), proxy=proxy, uds=socket)
        # httpx offers no way to give the pool its network; the pool itself does.
        pool: Any = self._pool
        pool._network_backend = _Network(refuse)  # noqa: SLF001
        self._max_answer_bytes = max_answer_bytes

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        response = await super().handle_async_request(request)
        packed = response.headers.get("content-encoding", "identity").strip().lower()
        if packed not in ("", "identity"):
            await response.aclose()
            raise MalformedAnswer(f"the server packed its answer ({packed}), which it was asked not to do")
        assert isinstance(response.stream, httpx2.AsyncByteStream)
        if self._max_answer_bytes is not None:
            response.stream = _Bounded(response.stream, self._max_answer_bytes)
        return response


class _Bounded(httpx2.AsyncByteStream):
    """A body that is read up to a limit."""

    def __init__(self, body: httpx2.AsyncByteStream, limit: int) -> None:
        self._body = body
        self._limit = limit

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for chunk in self._body:
            size += len(chunk)
            if size > self._limit:
                raise MalformedAnswer(f"the answer is larger than {self._limit:,} bytes (max_answer_bytes)")
            yield chunk

    async def aclose(self) -> None:
        await self._body.aclose()


class _Network(httpcore2.AsyncNetworkBackend):
    """Connects to what is allowed: the very address that was looked at, not the name once more."""

    def __init__(self, refuse: Refuse) -> None:
        self._refuse = refuse
        self._backend = httpcore2.AnyIOBackend()
        self._lookups: dict[Server, asyncio.Future[list[str]]] = {}

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        addresses = await self._addresses(host, port, timeout)
        refusals = [self._refuse(host, port, address) for address in addresses]
        for refusal in refusals:
            if refusal is not None:
                raise CapabilityDenied(refusal)
        failure: Exception | None = None
        for address in addresses:
            try:
                return await self._backend.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
        raise failure or httpcore2.ConnectError(f"{host} has no address")

    async def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore2.AsyncNetworkStream:
        return await self._backend.connect_unix_socket(path, timeout, socket_options)

    async def sleep(self, seconds: float) -> None:
        await self._backend.sleep(seconds)

    async def _addresses(self, host: str, port: int, timeout: float | None) -> list[str]:
        """What *host* resolves to. Many calls that begin together look it up once."""
        key = host, port
        lookup = self._lookups.get(key)
        if lookup is None:
            lookup = self._lookups[key] = asyncio.ensure_future(_look_up(host, port))
            lookup.add_done_callback(lambda done: self._looked_up(key, done))
        try:
            return await asyncio.wait_for(asyncio.shield(lookup), timeout)
        except TimeoutError:
            raise httpcore2.ConnectTimeout(f"the name {host} was not resolved within {timeout} s") from None

    def _looked_up(self, key: Server, lookup: asyncio.Future[list[str]]) -> None:
        self._lookups.pop(key, None)
        if not lookup.cancelled():
            lookup.exception()  # seen, also when nobody waits for it any more


async def _look_up(host: str, port: int) -> list[str]:
    try:
        entries = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise httpcore2.ConnectError(f"the name {host} cannot be resolved: {error}") from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in entries))

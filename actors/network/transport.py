"""An HTTP client that connects only where it may, and reads only so much.

All of it runs on a loop that many share: what a server sends costs what it may cost, in bytes and in pieces, and
between two handfuls of pieces everybody else has a turn.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Self

import httpcore2
import httpx2

from ..errors import MalformedAnswer
from .address import CONNECT_TIMEOUT, allow
from .encoding import encoding_of
from .lookup import lookups
from .tls import ssl_context

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Iterable, Mapping

    from .address import Refuse

Response = httpx2.Response
"""What a client answers with."""
HEAD_BYTES = 64 * 1024
"""Of the head of an answer, with all that a server says before it (``100 Continue``, ``103 Early Hints``)."""
HEAD_PIECE = 4 * 1024
"""So much of a head is read at once: it may be hundreds of heads."""
MOST_HEADERS = 1_000
FEWEST_BYTES = 16
"""In a piece, on the average of a long answer: servers that send each token by itself send more."""
SPARE_PIECES = 100_000
HANDFUL = 32
"""Pieces between two turns of everybody else."""
COOKIES = ("set-cookie", "set-cookie2")


def make_client(
    refuse: Refuse,
    *,
    timeout: float,
    max_answer_bytes: int | None,
    max_error_bytes: int | None = None,
    keeps_cookies: bool = True,
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
        max_error_bytes: So much is read of the body of an error, and of a redirect; None reads it like an answer.
        keeps_cookies: Cookies of a server are sent back to it, while the client is open.
        socket: Path of a local socket in place of the network.
        headers: Sent with each request.
    """
    transport = _Transport(refuse, max_answer_bytes, max_error_bytes, keeps_cookies, proxy, socket)
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

    def __init__(
        self,
        refuse: Refuse,
        max_answer_bytes: int | None,
        max_error_bytes: int | None,
        keeps_cookies: bool,
        proxy: str | None,
        socket: str | None,
    ) -> None:
        context = ssl_context()
        super().__init__(
            verify=context,
            limits=httpx2.Limits(max_connections=None),
            proxy=None if proxy is None else _proxy(proxy, context),
            uds=socket,
        )
        # httpx offers no way to give the pool its network; the pool itself does.
        pool: Any = self._pool
        pool._network_backend = _Network(refuse)  # noqa: SLF001
        self._max_answer_bytes = max_answer_bytes
        self._max_error_bytes = max_error_bytes
        self._keeps_cookies = keeps_cookies

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        response = await super().handle_async_request(request)
        stream = response.extensions.get("network_stream")
        if isinstance(stream, _Stream):
            stream.head_is_read()
        try:
            self._look_at(response.headers)
        except MalformedAnswer:
            await response.aclose()
            raise
        assert isinstance(response.stream, httpx2.AsyncByteStream)
        if response.status_code >= 300 and self._max_error_bytes is not None:
            response.stream = _Body(response.stream, self._max_error_bytes, cut=True)
        else:
            response.stream = _Body(response.stream, self._max_answer_bytes)
        return response

    def _look_at(self, headers: httpx2.Headers) -> None:
        """Before anybody else does: whoever reads them later may rely on it."""
        if len(headers.raw) > MOST_HEADERS:
            raise MalformedAnswer(f"the answer has more than {MOST_HEADERS:,} headers")
        packed = headers.get("content-encoding", "identity").strip().lower()
        if packed not in ("", "identity"):
            raise MalformedAnswer(f"the server packed its answer ({packed}), which it was asked not to do")
        kind, named, _ = headers.get("content-type", "").partition(";")
        if named and encoding_of(headers["content-type"]) is None:
            headers["content-type"] = kind  # nobody is to decode it as something that no text is
        for name in COOKIES:
            if not self._keeps_cookies and name in headers:
                del headers[name]


def _proxy(url: str, context: ssl.SSLContext) -> httpx2.Proxy:
    proxy = httpx2.Proxy(url)
    return httpx2.Proxy(url, ssl_context=context) if proxy.url.scheme == "https" else proxy


class _Body(httpx2.AsyncByteStream):
    """A body that is read up to a limit, in pieces that are not all tiny, and with turns for others.

    No generator: one that is dropped half way would be closed by a task of its own, while the connection below is.

    Args:
        limit: Bytes; None has no limit.
        cut: What is longer ends there; otherwise it is a ``MalformedAnswer``.
    """

    def __init__(self, body: httpx2.AsyncByteStream, limit: int | None, *, cut: bool = False) -> None:
        self._body = body
        self._limit = limit
        self._cut = cut
        self._arriving: AsyncIterator[bytes] | None = None
        self._reading = False
        self._over = False
        self._size = self._pieces = 0

    def __aiter__(self) -> Self:
        self._arriving = self._body.__aiter__()
        return self

    async def __anext__(self) -> bytes:
        assert self._arriving is not None
        if self._over:
            raise StopAsyncIteration
        self._reading = True
        try:
            piece = await anext(self._arriving)
        finally:
            self._reading = False
        self._pieces += 1
        self._size += len(piece)
        if self._pieces > SPARE_PIECES + self._size // FEWEST_BYTES:
            raise MalformedAnswer(f"the answer came in more than {self._pieces - 1:,} pieces, of a few bytes each")
        if self._limit is not None and self._size > self._limit:
            if not self._cut:
                raise MalformedAnswer(f"the answer is larger than {self._limit:,} bytes (max_answer_bytes)")
            self._over = True
            piece = piece[: len(piece) - (self._size - self._limit)]
        if self._pieces % HANDFUL == 0:
            await asyncio.sleep(0)
        return piece

    async def aclose(self) -> None:
        # First what reads, then what is read. While it reads it cannot be closed: what it waits for goes away.
        close = getattr(self._arriving, "aclose", None)
        try:
            if close is not None and not self._reading:
                await close()
        finally:
            await self._body.aclose()


class _Network(httpcore2.AsyncNetworkBackend):
    """Connects to what is allowed: the very address that was looked at, not the name once more."""

    def __init__(self, refuse: Refuse) -> None:
        self._refuse = refuse
        self._backend = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        try:
            addresses = await lookups().addresses(host, port, timeout)
        except TimeoutError as error:
            raise httpcore2.ConnectTimeout(str(error)) from error
        except OSError as error:
            raise httpcore2.ConnectError(str(error)) from error
        allow(self._refuse, host, port, addresses)
        failure: Exception | None = None
        for address in addresses:
            try:
                return _Stream(await self._backend.connect_tcp(address, port, timeout, local_address, socket_options))
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
        raise failure or httpcore2.ConnectError(f"{host} has no address")

    async def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore2.AsyncNetworkStream:
        return _Stream(await self._backend.connect_unix_socket(path, timeout, socket_options))

    async def sleep(self, seconds: float) -> None:
        await self._backend.sleep(seconds)


class _Stream(httpcore2.AsyncNetworkStream):
    """A connection on which the head of an answer has a bound: from a request until :meth:`head_is_read`."""

    def __init__(self, stream: httpcore2.AsyncNetworkStream) -> None:
        self._stream = stream
        self._head: int | None = None

    def head_is_read(self) -> None:
        """What follows is a body, which has bounds of its own."""
        self._head = None

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if self._head is None:
            return await self._stream.read(max_bytes, timeout)
        data = await self._stream.read(min(max_bytes, HEAD_PIECE), timeout)
        self._head += len(data)
        if self._head > HEAD_BYTES:
            raise MalformedAnswer(f"the head of the answer is longer than {HEAD_BYTES:,} bytes")
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._head = 0
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.AsyncNetworkStream:
        return _Stream(await self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)

"""HTTP in the thread of the caller: connects only where it may, within its time, and ends with a cancel."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ..core.waiting.waiter import Waiter
from ..errors import MalformedAnswer
from ..extras import need
from .address import CONNECT_TIMEOUT, allow, parse
from .lookup import resolved
from .tls import ssl_context

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable, Iterator

    from ..core.waiting.cancel import CancelToken, Deadline
    from .address import Refuse


class ConnectError(OSError):
    """No connection was made; nothing was sent."""


def connections(refuse: Refuse, *, deadline: Deadline, cancel: CancelToken, most_bytes: int) -> Any:
    """Connections for one piece of work, which its own thread does: what a stranger sends costs nobody else's time.

    They are a ``ConnectionPool`` of httpcore, to be used as a context.

    Args:
        refuse: Called as ``refuse(host, port, address)`` before a connection to *address*, which *host* resolved to:
            why it may not be, or None. The connection goes to that very address.
        deadline: The end of everything, however often something arrives.
        cancel: Ends what is waited for.
        most_bytes: So much is read from all servers together, with the heads and the ends of pieces.
    Raises:
        OSError: The certificates cannot be read.
    """
    network = _Network(refuse, deadline, cancel, most_bytes)
    # None is kept open: what a server says after its answer is not listened to.
    pool = need("httpcore2", "http", "fetch_url").ConnectionPool
    return pool(ssl_context=ssl_context(), max_keepalive_connections=0, network_backend=network)


class _Network:
    """Connects to what is allowed: the very address that was looked at, not the name once more. What httpcore calls a
    network backend.
    """

    def __init__(self, refuse: Refuse, deadline: Deadline, cancel: CancelToken, most_bytes: int) -> None:
        self._refuse = refuse
        self._deadline = deadline
        self._cancel = cancel
        self._left = most_bytes

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002 - the deadline is for all of it
        local_address: str | None = None,  # noqa: ARG002 - any
        socket_options: Iterable[Any] | None = None,  # noqa: ARG002 - none are set
    ) -> _Stream:
        addresses = _addresses(host, port, min(self.remaining(), CONNECT_TIMEOUT), self._cancel)
        allow(self._refuse, host, port, addresses)
        failure: OSError | None = None
        for address in addresses:
            try:
                return self._connect(address, port)
            except OSError as error:
                failure = error
        raise ConnectError(f"{host} cannot be reached: {failure or 'it has no address'}")

    def _connect(self, address: str, port: int) -> _Stream:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        line = socket.socket(family, socket.SOCK_STREAM)
        try:
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.waiting(line, CONNECT_TIMEOUT):
                line.connect((address, port))
        except BaseException:
            line.close()
            raise
        return _Stream(line, self)

    def remaining(self) -> float:
        """Seconds until the deadline.

        Raises:
            TimeoutError: None is left.
            Cancelled: By the token.
        """
        self._cancel.check()
        left = self._deadline.remaining()
        if not left:
            raise TimeoutError("out of time")
        return left

    def charge(self, size: int) -> None:
        """*size* bytes have come.

        Raises:
            MalformedAnswer: They are more than are read.
        """
        self._left -= size
        if self._left < 0:
            raise MalformedAnswer("the server sends far more than its page: heads, or pieces without content")

    @contextmanager
    def waiting(self, line: socket.socket, most: float | None = None) -> Iterator[None]:
        """Wait for *line* inside; a cancel ends its connection, and so the wait.

        Raises:
            Cancelled: By the token.
        """
        left = self.remaining()
        line.settimeout(left if most is None else min(left, most))
        end = _End(line)
        self._cancel.remind(end)
        try:
            yield
        finally:
            self._cancel.forget(end)
            self._cancel.check()


class _End:
    """Ends a connection, so that whoever waits for it wakes; the socket stays its owner's."""

    __slots__ = ("_line",)

    def __init__(self, line: socket.socket) -> None:
        self._line = line

    def __call__(self) -> None:
        try:
            socket.socket.shutdown(self._line, socket.SHUT_RDWR)  # of the socket, whatever encryption would say first
        except OSError:  # it is not connected, or was closed
            pass


class _Stream:
    """One connection. Its time is the network's: what httpcore gives for a read begins anew with each."""

    def __init__(self, line: socket.socket, network: _Network) -> None:
        self._line = line
        self._network = network

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002
        with self._network.waiting(self._line):
            data = self._line.recv(max_bytes)
        self._network.charge(len(data))
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        with self._network.waiting(self._line):
            self._line.sendall(buffer)

    def close(self) -> None:
        self._line.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002
    ) -> _Stream:
        # The handshake is done on a socket that nobody has yet: a second descriptor of the connection can end it.
        line: ssl.SSLSocket | None = None
        with self._line, self._line.dup() as held:
            try:
                with self._network.waiting(held, CONNECT_TIMEOUT):
                    self._line.settimeout(held.gettimeout())
                    line = ssl_context.wrap_socket(self._line, server_hostname=server_hostname)
            except BaseException:
                if line is not None:
                    line.close()
                raise
        return _Stream(line, self._network)

    def get_extra_info(self, info: str) -> Any:
        """Nothing is told: there is no other protocol to be chosen."""


def _addresses(host: str, port: int, timeout: float, cancel: CancelToken) -> list[str]:
    """What *host* resolves to.

    A name is looked up on a thread of its own, which nobody waits for any longer than this: a resolver cannot be
    interrupted, and the look-ups of others are not to stand in line behind it.
    """
    if parse(host) is not None:
        return [host]
    found: list[list[str] | Exception] = []
    waiter = Waiter()

    def look_up() -> None:
        try:
            found.append(resolved(host, port))
        except Exception as error:  # noqa: BLE001 - it is told to whoever waits
            found.append(error)
        waiter.wake()

    wake = waiter.wake
    cancel.remind(wake)
    try:
        threading.Thread(target=look_up, name="actors-look-up", daemon=True).start()
        waiter.wait(timeout)
    finally:
        cancel.forget(wake)
    cancel.check()
    if not found:
        raise ConnectError(f"the name {host} was not resolved within {timeout:g} s")
    if isinstance(found[0], Exception):
        raise ConnectError(f"the name {host} cannot be resolved: {found[0]}")
    return found[0]

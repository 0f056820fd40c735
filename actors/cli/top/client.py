"""Asks a live view, over HTTP on this machine."""

from __future__ import annotations

import http.client
import io
import json
import socket
import time
from enum import Enum
from typing import TYPE_CHECKING, Any

from ...core.shown import one_line

if TYPE_CHECKING:
    from .address import Address

TIMEOUT = 5.0
"""Seconds for one answer, all of it."""
MOST_BYTES = 4_000_000
"""Of an answer: a view sends half as much."""
PIECE = 65_536
HERE = "127.0.0.1"
"""Where each view listens; a name could be looked up elsewhere."""


class Trouble(Enum):
    """Why a view gave no answer."""

    GONE = "gone"
    """Nobody listens there: it was closed, with its pool or without."""
    REFUSED = "refused"
    """It does not know the token, or cannot do what was asked."""
    BUSY = "busy"
    """It takes too long, or has too many who look: the next time may be better."""
    STRANGE = "strange"
    """What answers there is no live view, or none that is understood here."""


class NoAnswer(Exception):
    """A view gave no answer. ``trouble``: why, for programs; the text is for people."""

    def __init__(self, trouble: Trouble, text: str) -> None:
        super().__init__(text)
        self.trouble = trouble


class Client:
    """Asks one live view. Each question has a connection of its own: no proxy, no redirect, no cookie.

    Threads: one at a time.
    """

    def __init__(self, address: Address, *, timeout: float = TIMEOUT) -> None:
        self._address = address
        self._timeout = timeout

    def get(self, path: str) -> dict[str, Any]:
        """What the view answers at *path*.

        Raises:
            NoAnswer: None, or none in time.
        """
        return self._ask("GET", path, None)

    def post(self, path: str, content: dict[str, Any]) -> dict[str, Any]:
        """Ask for something to be done.

        Raises:
            NoAnswer: None, or none in time: it may be done all the same.
        """
        return self._ask("POST", path, json.dumps(content).encode())

    def _ask(self, method: str, path: str, body: bytes | None) -> dict[str, Any]:
        origin = self._address.origin
        try:
            response = http.client.HTTPResponse(_Received(self._exchange(self._request(method, path, body))))  # type: ignore[arg-type]
            response.begin()
            return _content(response, response.read())
        except ConnectionError as error:
            raise NoAnswer(Trouble.GONE, f"nobody answers at {origin}: {_why(error)}") from None
        except TimeoutError:
            raise NoAnswer(Trouble.BUSY, f"no answer within {self._timeout:g} s") from None
        except (OSError, http.client.HTTPException) as error:
            raise NoAnswer(Trouble.STRANGE, f"what answers at {origin} is no live view: {_why(error)}") from None

    def _request(self, method: str, path: str, body: bytes | None) -> bytes:
        address = self._address
        lines = [
            f"{method} {path} HTTP/1.1",
            f"Host: {address.host}:{address.port}",
            f"Authorization: Bearer {address.token}",
            "Connection: close",
        ]
        if body is not None:
            lines += [f"Origin: {address.origin}", "Content-Type: application/json", f"Content-Length: {len(body)}"]
        return "\r\n".join([*lines, "", ""]).encode("ascii") + (body or b"")

    def _exchange(self, request: bytes) -> bytes:
        """Send *request*; all that comes back: bounded, and in time also when it comes in drops."""
        deadline = time.monotonic() + self._timeout
        pieces: list[bytes] = []
        size = 0
        with socket.create_connection((HERE, self._address.port), timeout=self._timeout) as connection:
            connection.sendall(request)
            while size <= MOST_BYTES:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise TimeoutError
                connection.settimeout(left)
                piece = connection.recv(PIECE)
                if not piece:
                    if not pieces:
                        raise ConnectionResetError("it hung up")
                    return b"".join(pieces)
                pieces.append(piece)
                size += len(piece)
        raise NoAnswer(Trouble.STRANGE, f"an answer of more than {MOST_BYTES:,} bytes: that is no live view")


class _Received:
    """All that came from a connection, as the parser of the standard library takes it."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def makefile(self, mode: str) -> io.BytesIO:  # noqa: ARG002 - the signature of a socket
        """To read from."""
        return io.BytesIO(self._content)


def _content(response: http.client.HTTPResponse, body: bytes) -> dict[str, Any]:
    status = response.status
    if status == http.client.SERVICE_UNAVAILABLE:
        raise NoAnswer(Trouble.BUSY, "too many look at it at once")
    if status == http.client.GONE:
        raise NoAnswer(Trouble.GONE, "it belongs to the process that this one was forked from")
    try:
        content = json.loads(body.decode())
    except (ValueError, RecursionError):
        content = None
    if status in (http.client.UNAUTHORIZED, http.client.FORBIDDEN, http.client.MISDIRECTED_REQUEST):
        raise NoAnswer(Trouble.REFUSED, f"it does not know this token{_said(content)}: copy its URL again")
    if status != http.client.OK:
        raise NoAnswer(Trouble.REFUSED, f"it answers {status}{_said(content)}")
    if not isinstance(content, dict):
        raise NoAnswer(Trouble.STRANGE, "what answers there is no live view")
    return content


def _said(content: Any) -> str:
    said = content.get("error") if isinstance(content, dict) else None
    return f" ({one_line(said, 200)})" if isinstance(said, str) and said else ""


def _why(error: BaseException) -> str:
    return one_line(getattr(error, "strerror", None) or str(error) or type(error).__name__, 200)

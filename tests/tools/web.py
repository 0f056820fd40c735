"""A web server on loopback that answers as a test says: raw bytes, also those that no server should send."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

BOUND = 10.0


class Web:
    """Answers each path with the bytes, or with what the function writes to the connection."""

    def __init__(self) -> None:
        self.answers: dict[str, bytes | Callable[[socket.socket], object]] = {}
        self.asked: list[str] = []
        self.heads: list[str] = []
        self.closing = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.05)
        self._threads: list[threading.Thread] = []
        self.port = self._listener.getsockname()[1]
        self._accepting = threading.Thread(target=self._accept)
        self._accepting.start()

    @property
    def url(self) -> str:
        """Its root, by address."""
        return f"http://127.0.0.1:{self.port}"

    def page(self, path: str, body: str | bytes, kind: str = "text/html; charset=utf-8", **headers: str) -> None:
        """Answer *path* with a page."""
        data = body.encode() if isinstance(body, str) else body
        self.answers[path] = head(kind, **headers) + b"\r\n" + data

    def redirect(self, path: str, to: str, status: int = 302) -> None:
        """Answer *path* with a redirect."""
        self.answers[path] = f"HTTP/1.1 {status} Moved\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n".encode()

    def close(self) -> None:
        """Stop."""
        self.closing.set()
        self._listener.close()
        for thread in (self._accepting, *self._threads):
            thread.join(BOUND)
            assert not thread.is_alive()

    def _accept(self) -> None:
        while not self.closing.is_set():
            try:
                connection, _ = self._listener.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            connection.settimeout(BOUND)
            request = b""
            while b"\r\n\r\n" not in request:
                try:
                    data = connection.recv(65_536)
                except OSError:  # it has hung up
                    return
                if not data:
                    return
                request += data
            text = request.decode("latin-1")
            path = text.split(" ")[1]
            self.asked.append(path)
            self.heads.append(text)
            answer = self.answers.get(path.partition("?")[0], b"HTTP/1.1 404 Not Found\r\n\r\nnothing here")
            try:
                if callable(answer):
                    answer(connection)
                else:
                    connection.sendall(answer)
            except OSError:
                pass  # it has hung up


def head(kind: str, **headers: str) -> bytes:
    """The beginning of an answer that ends with its connection."""
    lines = ["HTTP/1.1 200 OK", f"Content-Type: {kind}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "".join(f"{line}\r\n" for line in lines).encode()


@contextmanager
def web_server() -> Iterator[Web]:
    """A server that is closed."""
    web = Web()
    try:
        yield web
    finally:
        web.close()

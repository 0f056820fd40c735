"""A client of a live view that says exactly what it is told to, byte by byte."""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from actors import LiveView
    from actors.inside.live_view.doorplate import Door

PATIENCE = 20.0


@dataclass(frozen=True)
class Answer:
    """What came back; ``status`` is 0 when nothing did."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, which is JSON."""
        assert self.headers["content-type"] == "application/json"
        assert int(self.headers["content-length"]) == len(self.body)
        return json.loads(self.body)


class Visitor:
    """Knows where a view is, and its token."""

    def __init__(self, view: LiveView | Door) -> None:
        place = urlsplit(view.url)
        assert place.port is not None
        self.port: int = place.port
        self.token = parse_qs(place.query)["token"][0]
        self.host = f"127.0.0.1:{self.port}"

    def get(self, path: str, *, token: str | None = None, method: str = "GET", **headers: str | None) -> Answer:
        """Ask for *path*; a header that is None is left out."""
        return self.raw(self.head(path, token=token, method=method, **headers))

    def order(self, path: str, said: Any, **headers: str | None) -> Answer:
        """Order something, as the page does; *said* is JSON, or its bytes."""
        body = said if isinstance(said, bytes) else json.dumps(said).encode()
        own = {"Origin": f"http://{self.host}", "Content_Type": "application/json", "Content_Length": str(len(body))}
        return self.raw(self.head(path, method="POST", **{**own, **headers}) + body)

    def head(self, path: str, *, token: str | None = None, method: str = "GET", **headers: str | None) -> bytes:
        """The bytes of a request."""
        said = {"Host": self.host, "Authorization": f"Bearer {token or self.token}", **headers}
        lines = [f"{name.replace('_', '-')}: {value}" for name, value in said.items() if value is not None]
        return "\r\n".join([f"{method} {path} HTTP/1.1", *lines, "", ""]).encode("utf-8", "surrogateescape")

    def raw(self, data: bytes, *, hang_up: bool = False) -> Answer:
        """Send *data*, and read until the other end has closed."""
        with self.connect() as sock:
            try:
                sock.sendall(data)
                if hang_up:
                    sock.shutdown(socket.SHUT_WR)
            except OSError:  # refused before all was sent
                pass
            return self.read(sock)

    def connect(self) -> socket.socket:
        """A connection on which nothing was said."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)

    def read(self, sock: socket.socket) -> Answer:
        """All that comes."""
        data = bytearray()
        try:
            while piece := sock.recv(65_536):
                data += piece
        except ConnectionError:
            pass
        head, _, body = bytes(data).partition(b"\r\n\r\n")
        if not head:
            return Answer(0, {}, b"")
        first, *lines = head.decode("ascii").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        return Answer(int(first.split(" ")[1]), headers, body)

"""What live views answer, made by hand; and a server that answers it, or anything else."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TOKEN = "a-token-of-a-view"  # noqa: S105 - of views that are made up
LIMIT = 20.0

HOSTILE = "\x1b[31m[red]x[/red]\u202e\ud800\x00\u2028" + "y" * 50


def agent(number: int, state: str = "running", **more: Any) -> dict[str, Any]:
    """One row of ``/state``."""
    return {
        "id": number, "name": f"bot-{number}", "key": None, "group": None, "parent_id": None, "depth": 0,
        "state": state, "on": None, "seconds": float(number), "age": number + 1.0, "inbox": 0, "input_tokens": 0,
        "output_tokens": 0, "cost_usd": 0.0, "restarts": 0, "waits_for": [], "tools": [], **more,
    }  # fmt: skip


def approval(agent_id: int = 1, call_id: str = "c1", **more: Any) -> dict[str, Any]:
    """One that waits."""
    return {
        "agent_id": agent_id, "agent": f"bot-{agent_id}", "call_id": call_id, "tool": "delete_file",
        "input": '{"path": "a.txt"}', "seconds": 3.0, "left": 57.0, "default": "deny", "in_doubt": False, **more,
    }  # fmt: skip


def answer_of(*agents: dict[str, Any], control: bool = False, phase: str = "open", **more: Any) -> dict[str, Any]:
    """The answer to ``/state``."""
    states: dict[str, int] = {}
    for one in agents:
        states[one["state"]] = states.get(one["state"], 0) + 1
    figures = {
        "abandoned_threads": 0, "dead_letters": 0, "ended": {"completed": 5, "failed": 1}, "input_tokens": 12_345,
        "output_tokens": 678, "cost_usd": 0.25, "tool_calls": 9,
    }  # fmt: skip
    return {
        "v": 1,
        "pool": {"name": "night", "pid": 4711, "phase": phase, "seconds": 65.0, "slots": 4, "control": control},
        "figures": figures, "states": states, "agents": list(agents), "left_off": 0, "waits": [], "abandoned": [],
        "approvals": [], **more,
    }  # fmt: skip


class Fake:
    """A server on loopback. *reply* turns a request (its first line, headers, body) into the bytes that go back."""

    def __init__(self, reply: Callable[[bytes], bytes | None]) -> None:
        self.requests: list[bytes] = []
        self._reply = reply
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/?token={TOKEN}"

    def close(self) -> None:
        """Nobody listens any more."""
        if self._listener.fileno() != -1:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
        self._thread.join(LIMIT)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(LIMIT)
                self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        request = b""
        while b"\r\n\r\n" not in request and (more := connection.recv(65_536)):
            request += more
        head, _, body = request.partition(b"\r\n\r\n")
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                while len(body) < int(line.partition(b":")[2]):
                    body += connection.recv(65_536)
        self.requests.append(head + b"\r\n\r\n" + body)
        reply = self._reply(self.requests[-1])
        if reply is None:  # silence, until the other side goes
            connection.recv(1)
        else:
            connection.sendall(reply)


def http(content: object, status: int = 200, *headers: str) -> bytes:
    """A whole answer; bytes as they are, else JSON."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    lines = [f"HTTP/1.1 {status} x", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


@contextmanager
def serving(reply: Callable[[bytes], bytes | None]) -> Iterator[Fake]:
    """A server for a while."""
    fake = Fake(reply)
    try:
        yield fake
    finally:
        fake.close()

"""The door of a live view: what is no request, and who takes his time."""

from __future__ import annotations

import errno
import select
import socket
import struct
import threading
from itertools import pairwise
from time import monotonic
from typing import TYPE_CHECKING, Any

import pytest

from actors import AgentPool, LiveView
from actors.inside.live_view import door
from actors.testing import no_thread_left

from ..waiting import BOUND, eventually
from .visitor import Visitor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from actors.inside.live_view.request import Request

END = b"\r\n\r\n"


@pytest.fixture
def pool(make_pool: Any) -> AgentPool:
    """A pool without agents."""
    made: AgentPool = make_pool()
    return made


@pytest.fixture
def watched(pool: AgentPool) -> Iterator[Visitor]:
    """A visitor who may look and act."""
    with LiveView(pool, control=True) as view:
        yield Visitor(view)


def threads_of(pool: AgentPool) -> int:
    """How many threads the views of *pool* have."""
    return sum(thread.name == f"{pool.name}-live" for thread in threading.enumerate())


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("GET /state", 400), ("GET /state HTTP/0.9", 400), ("GET /state HTTP/2.0", 400), ("GET  /state HTTP/1.1", 400),
        ("get /state HTTP/1.1", 400), ("GET\t/state HTTP/1.1", 400), ("GET state HTTP/1.1", 400),
        ("GET * HTTP/1.1", 400),
        ("GET http://{host}/state HTTP/1.1", 400), ("GET //{host}/state HTTP/1.1", 400), ("GET /state#x HTTP/1.1", 400),
        ("GET /st\x00ate HTTP/1.1", 400), ("GET /st\u00e4te HTTP/1.1", 400), ("GET /state HTTP/1.1 x", 400),
        (" GET /state HTTP/1.1", 400), ("GET /%2e%2e/state HTTP/1.1", 404),
        ("GET /" + "x" * 100_000 + " HTTP/1.1", 431),
        ("GET /state?a=1&a=2 HTTP/1.1", 400), ("GET /state?a HTTP/1.1", 400), ("GET /state?%ff=1 HTTP/1.1", 400),
        ("GET /state?" + "&".join(f"a{n}=1" for n in range(20)) + " HTTP/1.1", 400), ("\x16\x03\x01\x02 HTTP/1.1", 400),
        ("GET /state HTTP/1.0", 200),
    ],
    ids=lambda value: str(value)[:30].encode("unicode_escape").decode(),
)  # fmt: skip
def test_a_request_line_is_one_of_http(watched: Visitor, line: str, status: int) -> None:
    """All else is refused before anything is looked for."""
    head = watched.head("/state").split(b"\r\n", 1)[1]
    asked = line.format(host=watched.host) if "{" in line else line
    assert watched.raw(asked.encode("utf-8") + b"\r\n" + head).status == status


@pytest.mark.parametrize(
    ("more", "status"),
    [
        (b"no colon", 400), (b": no name", 400), (b"spaced : x", 400), (b" folded: x", 400), (b"X: a\x00b", 400),
        (b"X: a\nY: b", 400), (b"X: a\rb", 400), (b"X:" + b" " * 15_000 + b"\x01", 400), (b"X: " + b"x" * 100_000, 431),
        (b"Content-Length: 5", 400), (b"Content-Length: -1", 400), (b"Content-Length: 1e3", 400),
        (b"Content-Length: 0\r\nContent-Length: 0", 400), (b"Transfer-Encoding: chunked", 400),
        (b"Transfer-Encoding: identity", 400), (b"Expect: 100-continue", 400), (b"Upgrade: websocket", 400),
        (b"Authorization: Bearer x", 400), (b"X: \xff\xfe", 200), (b"Content-Length: 0", 200), (b"X:", 200),
    ],
    ids=lambda value: str(value)[:30],
)  # fmt: skip
def test_a_header_is_one_of_http(watched: Visitor, more: bytes, status: int) -> None:
    """What could be understood in two ways is not understood."""
    head = watched.head("/state").removesuffix(END)
    assert watched.raw(head + b"\r\n" + more + END).status == status


def test_lines_end_as_they_have_to(watched: Visitor) -> None:
    """And who ends them otherwise need not wait for the answer."""
    assert watched.raw(watched.head("/state").replace(b"\r\n", b"\n")).status == 400
    assert watched.raw(b"\r\n\r\n").status == 400
    assert watched.raw(b"GET /state HTTP/1.1\r\nHost: x\n\n").status == 400


def test_a_second_request_is_no_answer(watched: Visitor) -> None:
    """One for each connection: what follows it was not asked for."""
    assert watched.raw(watched.head("/state") + watched.head("/agent?id=1")).status == 400


def test_a_body_has_its_bound(watched: Visitor) -> None:
    """Said or sent: nothing is kept of what is too long."""
    assert watched.order("/abort", b"x" * 65_537).status == 413
    assert watched.order("/abort", b"", Content_Length="9" * 30).status == 400
    assert watched.order("/abort", b"{}x", Content_Length="2").status == 400
    assert watched.order("/abort", b" " * 65_518 + b'{"agent_id": 9}   ').status == 200


def test_who_hangs_up_in_the_middle_is_told_so(watched: Visitor) -> None:
    """Who has said nothing gets nothing."""
    assert watched.raw(b"GET /sta", hang_up=True).status == 400
    assert watched.raw(b"", hang_up=True).status == 0
    assert watched.raw(watched.head("/state"), hang_up=True).status == 200


def test_a_request_that_comes_byte_by_byte_is_one(watched: Visitor) -> None:
    """As long as it is in time."""
    with watched.connect() as sock:
        for byte in watched.head("/state"):
            sock.sendall(bytes([byte]))
        assert watched.read(sock).status == 200


def test_a_slow_request_is_ended(pool: AgentPool, monkeypatch: Any) -> None:
    """Its time counts from the connection: a byte now and then does not make it longer."""
    monkeypatch.setattr(door, "SECONDS", 0.1)
    with LiveView(pool) as view:
        visitor = Visitor(view)
        with visitor.connect() as slow:
            slow.sendall(b"GET /state HTTP/1.1\r\n")
            answer = visitor.read(slow)
            assert (answer.status, answer.json) == (408, {"error": "a request has 5 s"})


def test_a_slow_reader_is_dropped(pool: AgentPool, monkeypatch: Any) -> None:
    """It holds an answer, and no thread; others are answered meanwhile, and in its time it goes."""
    monkeypatch.setattr(door, "SECONDS", 0.2)
    with no_thread_left(), LiveView(pool) as view, socket.socket() as slow:
        visitor = Visitor(view)
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        slow.connect(("127.0.0.1", visitor.port))
        with monkeypatch.context() as patched:
            patched.setattr("actors.inside.live_view.answers.state_of", lambda *_, **__: b"x" * 10_000_000)
            slow.sendall(visitor.head("/state"))
            eventually(lambda: [guest.is_sending for guest in view._door._guests.values()] == [True])
        assert visitor.get("/state").status == 200
        eventually(lambda: not view._door._guests)


def test_too_many_answers_at_once_are_refused(watched: Visitor, monkeypatch: Any) -> None:
    """Each may be large, and who does not read keeps it."""
    monkeypatch.setattr(door, "MOST_ANSWERS", 0)
    answer = watched.get("/state")
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")


def test_two_hundred_at_once(pool: AgentPool, watched: Visitor) -> None:
    """Silent ones make way for those who ask: these are answered, and there is one thread all the time."""
    silent = [watched.connect() for _ in range(200)]
    assert [watched.get("/state").status for _ in range(5)] == [200] * 5
    asking = [watched.connect() for _ in range(100)]
    assert threads_of(pool) == 1
    for sock in asking[-50:]:
        sock.sendall(watched.head("/state"))
    assert {watched.read(sock).status for sock in asking[-50:]} == {200}
    assert watched.get("/state").status == 200
    assert threads_of(pool) == 1
    for sock in [*silent, *asking]:
        sock.close()


def test_many_clients_at_once_are_all_answered(watched: Visitor) -> None:
    """Those that say what they want: none is turned away."""
    seen: list[int] = []
    begun = threading.Barrier(50, timeout=BOUND)

    def ask() -> None:
        begun.wait()
        seen.append(watched.get("/state").status)

    threads = [threading.Thread(target=ask) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(BOUND)
    assert seen == [200] * 50


def test_connections_that_are_reset_are_forgotten(watched: Visitor) -> None:
    """Whenever it happens."""
    for data in (b"", b"GET /sta", watched.head("/state")):
        sock = watched.connect()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        sock.sendall(data)
        sock.close()
    assert watched.get("/state").status == 200


class Hall:
    """A door of its own, of which the test makes the answers."""

    def __init__(self, answer: Callable[[Request], bytes]) -> None:
        self.door = door.Door(
            0, "hall-live", answer=answer, refuse=lambda refused: refused.why.encode(), rest=lambda: None, end=bool
        )

    def knock(self, said: bytes) -> socket.socket:
        """A connection on which *said* was said."""
        sock = socket.create_connection(("127.0.0.1", self.door.port), timeout=BOUND)
        sock.sendall(said)
        return sock


def test_who_makes_way_may_have_gone_at_that_moment(monkeypatch: Any) -> None:
    """The next one is let in: a connection that is reset while it is told so takes nobody with it."""
    monkeypatch.setattr(door, "MOST_CONNECTIONS", 2)
    is_busy, go_on = threading.Event(), threading.Event()

    def answer(_: Request) -> bytes:
        is_busy.set()
        assert go_on.wait(BOUND)
        return b"well"

    hall = Hall(answer)
    gone = hall.knock(b"GET /")
    hall.door.open()
    try:
        first = hall.knock(b"GET / HTTP/1.1" + END)
        assert is_busy.wait(BOUND)
        third = hall.knock(b"GET / HTTP/1.1" + END)
        gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        gone.close()
        heard = select.poll()
        heard.register(next(iter(hall.door._guests.values())).sock, 0)
        assert heard.poll(1_000 * BOUND)  # the reset has come
        go_on.set()
        with first, third:
            assert [first.recv(10), third.recv(10)] == [b"well", b"well"]
    finally:
        go_on.set()
        assert hall.door.close(BOUND)


class Full:
    """A socket that listens in a process that has no descriptors for some time."""

    def __init__(self, sock: socket.socket, times: int) -> None:
        self._sock = sock
        self._times = times
        self.moments: list[float] = []

    def accept(self) -> tuple[socket.socket, Any]:
        """Let somebody in, at the last time."""
        self.moments.append(monotonic())
        if len(self.moments) <= self._times:
            raise OSError(errno.EMFILE, "Too many open files")
        return self._sock.accept()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


def test_without_descriptors_it_waits_and_keeps_no_processor_busy(monkeypatch: Any) -> None:
    """Who knocks is let in when there are some again; until then nobody asks the system again and again."""
    monkeypatch.setattr(door, "DEAF", 0.05)
    hall = Hall(lambda _: b"well")
    full = Full(hall.door._listener, 3)
    monkeypatch.setattr(hall.door, "_listener", full)
    hall.door.open()
    try:
        with hall.knock(b"GET / HTTP/1.1" + END) as sock:
            assert sock.recv(10) == b"well"
        assert len(full.moments) == 4
        assert all(later - earlier >= 0.05 for earlier, later in pairwise(full.moments))
    finally:
        assert hall.door.close(BOUND)


def test_a_view_that_cannot_hear_is_none(monkeypatch: Any) -> None:
    """Without a descriptor to wait with it is an error of whoever opens it, and nothing stays open."""
    listener = door.listen(0)

    def refuse() -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(door, "listen", lambda _: listener)
    monkeypatch.setattr("selectors.DefaultSelector", refuse)
    with pytest.raises(OSError, match="Too many open files"):
        Hall(lambda _: b"")
    assert listener.fileno() == -1

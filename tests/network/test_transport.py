"""The client under a server that means harm: nobody else waits for it, and nothing of it is kept."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import h11
import httpx2
import pytest

from actors import MalformedAnswer
from actors.network import transport
from actors.network.encoding import encoding_of
from actors.network.lookup import MOST_OF_ONE, MOST_THREADS, Lookups
from actors.network.transport import HANDFUL, HEAD_BYTES, SPARE_PIECES, make_client
from tests.tools.web import Web, web_server

BOUND = 60.0
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
Client = httpx2.AsyncClient


@pytest.fixture
def web() -> Iterator[Web]:
    """A server that sends bytes as they are."""
    with web_server() as running:
        yield running


def client(**options: Any) -> Client:
    return make_client(lambda *_: None, **{"timeout": BOUND, "max_answer_bytes": None, **options})


def use(work: Callable[[Client], Awaitable[Any]], **options: Any) -> Any:
    """Do *work* with a client, on a loop of its own."""

    async def main() -> Any:
        async with asyncio.timeout(BOUND), client(**options) as http:
            return await work(http)

    return asyncio.run(main())


class Turns:
    """Counts what is parsed of an answer between two turns of somebody else on the loop."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.most = self.parsed = self._since = 0
        real = h11.Connection.next_event

        def next_event(connection: Any) -> Any:
            event = real(connection)
            if event is not h11.NEED_DATA:
                self.parsed += 1
                self._since += 1
                self.most = max(self.most, self._since)
            return event

        monkeypatch.setattr(h11.Connection, "next_event", next_event)

    async def heartbeat(self) -> None:
        """The somebody else."""
        while True:
            self._since = 0
            await asyncio.sleep(0)


@pytest.fixture
def turns(monkeypatch: pytest.MonkeyPatch) -> Turns:
    """What one answer costs the others."""
    return Turns(monkeypatch)


def beside(turns: Turns, work: Callable[[Client], Awaitable[Any]], **options: Any) -> Any:
    """Do *work*, with somebody else on the loop."""

    async def both(http: Client) -> Any:
        beating = asyncio.create_task(turns.heartbeat())
        try:
            return await work(http)
        finally:
            beating.cancel()

    return use(both, **options)


# Pieces ---------------------------------------------------------------------------------------------------------------


def test_an_answer_in_pieces_of_one_byte(web: Web, turns: Turns) -> None:
    """It is read, and others have their turns: thousands of its pieces arrive at once."""
    web.answers["/"] = CHUNKED + b"1\r\nx\r\n" * 20_000 + b"0\r\n\r\n"
    response = beside(turns, lambda http: http.get(web.url))
    assert response.content == b"x" * 20_000
    assert turns.parsed >= 20_000
    assert turns.most <= 2 * HANDFUL


def test_pieces_without_end(web: Web, turns: Turns, monkeypatch: pytest.MonkeyPatch) -> None:
    """So many and no more; the error says how many."""
    monkeypatch.setattr(transport, "SPARE_PIECES", 1_000)
    web.answers["/"] = CHUNKED + b"1\r\nx\r\n" * 5_000
    with pytest.raises(MalformedAnswer, match=r"in more than 1,0\d\d pieces"):
        beside(turns, lambda http: http.get(web.url))
    assert turns.parsed < 1_200
    assert turns.most <= 2 * HANDFUL


def test_pieces_of_a_sensible_size_have_no_bound_of_their_own(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """A long stream of tokens goes on."""
    monkeypatch.setattr(transport, "SPARE_PIECES", 10)
    web.answers["/"] = CHUNKED + b"14\r\nxxxxxxxxxxxxxxxxxxxx\r\n" * 500 + b"0\r\n\r\n"
    assert len(use(lambda http: http.get(web.url)).content) == 10_000
    assert SPARE_PIECES >= 10_000


def test_a_body_has_a_limit(web: Web) -> None:
    """In bytes; the error names the setting."""
    web.page("/", b"x" * 2_000)
    assert len(use(lambda http: http.get(web.url), max_answer_bytes=2_000).content) == 2_000
    with pytest.raises(MalformedAnswer, match=r"larger than 1,999 bytes \(max_answer_bytes\)"):
        use(lambda http: http.get(web.url), max_answer_bytes=1_999)


@pytest.mark.parametrize("status", ["302 Found", "400 Bad", "500 Bad"])
def test_an_error_is_cut(web: Web, status: str) -> None:
    """Its beginning says what there is to say."""
    web.answers["/"] = f"HTTP/1.1 {status}\r\nContent-Length: 500000\r\n\r\n".encode() + b"abcde" * 100_000
    response = use(lambda http: http.get(web.url), max_answer_bytes=100, max_error_bytes=1_007)
    assert response.content == (b"abcde" * 300)[:1_007]


# Heads ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "before", [b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"]
)
def test_interim_answers_without_end(web: Web, turns: Turns, before: bytes) -> None:
    """They are a head that is too long; a few are fine."""
    web.answers["/"] = before * 5 + b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    assert use(lambda http: http.get(web.url)).content == b"ok"
    web.answers["/"] = before * 10_000
    with pytest.raises(MalformedAnswer, match=r"the head of the answer is longer than 65,536 bytes"):
        beside(turns, lambda http: http.get(web.url))
    assert turns.most <= 2 * transport.HEAD_PIECE // len(before)


@pytest.mark.parametrize("line", [b"a: b\r\n", b"a: " + b"b" * 5_000 + b"\r\n"])
def test_headers_without_end(web: Web, line: bytes) -> None:
    """Bounded in bytes."""
    web.answers["/"] = b"HTTP/1.1 200 OK\r\n" + line * (2 * HEAD_BYTES // len(line))
    with pytest.raises(MalformedAnswer, match="head of the answer"):
        use(lambda http: http.get(web.url))


def test_many_headers(web: Web) -> None:
    """Bounded in number: whoever looks for one looks at all."""
    web.answers["/"] = b"HTTP/1.1 200 OK\r\n" + b"a:b\r\n" * 990 + b"Content-Length: 2\r\n\r\nok"
    assert use(lambda http: http.get(web.url)).content == b"ok"
    web.answers["/"] = b"HTTP/1.1 200 OK\r\n" + b"a:b\r\n" * 1_000 + b"Content-Length: 2\r\n\r\nok"
    with pytest.raises(MalformedAnswer, match="more than 1,000 headers"):
        use(lambda http: http.get(web.url))


def test_trailers_without_end(web: Web) -> None:
    """The connection is given up."""
    web.answers["/"] = CHUNKED + b"1\r\nx\r\n0\r\n" + b"a: b\r\n" * 100_000
    with pytest.raises(httpx2.RemoteProtocolError):
        use(lambda http: http.get(web.url))


def test_each_answer_of_a_connection_has_its_own_head(web: Web) -> None:
    """Together they may be longer."""
    head = b"HTTP/1.1 200 OK\r\na: " + b"b" * 40_000 + b"\r\nContent-Length: 2\r\n\r\n"

    def serve(connection: socket.socket) -> None:
        connection.sendall(head + b"ok")
        for _ in range(2):
            connection.recv(65_536)
            connection.sendall(head + b"ok")

    web.answers["/"] = serve

    async def ask(http: Client) -> list[bytes]:
        return [(await http.get(web.url)).content for _ in range(3)]

    assert use(ask) == [b"ok"] * 3


@pytest.mark.parametrize("named", ["punycode", "idna", "utf-7", "hex", "zlib", "rot13", "unicode_escape", "no-such"])
def test_an_encoding_that_is_none_of_text_is_left_out(web: Web, named: str) -> None:
    """Nobody decodes by it."""
    web.page("/", b"a-b" * 10, f"text/plain; charset={named}")
    response = use(lambda http: http.get(web.url))
    assert response.headers["content-type"] == "text/plain"
    assert response.text == "a-b" * 10
    assert encoding_of(f"text/plain; charset={named}") is None


def test_an_encoding_of_text_stays(web: Web) -> None:
    """However it is written."""
    web.page("/", "é".encode("latin-1"), 'text/plain; Charset="ISO-8859-1"')
    assert use(lambda http: http.get(web.url)).text == "é"


# Cookies --------------------------------------------------------------------------------------------------------------


def test_cookies_are_neither_kept_nor_sent(web: Web) -> None:
    """Nor seen by anybody; where a caller wants them, they are."""
    web.page("/", "ok", "text/plain", Set_Cookie="mark=1; Path=/", Set_Cookie2="mark=2")

    async def ask(http: Client) -> Client:
        for _ in range(3):
            response = await http.get(web.url)
            assert response.text == "ok"
        return http

    assert len(use(ask, keeps_cookies=False).cookies.jar) == 0
    assert not any("cookie" in head.lower() for head in web.heads)
    use(ask)
    assert ["cookie: mark=1" in head.lower() for head in web.heads[3:]] == [False, True, True]


def test_a_cookie_that_a_user_sets_is_sent(web: Web) -> None:
    """It is his header."""
    web.page("/", "ok", "text/plain")
    use(lambda http: http.get(web.url), keeps_cookies=False, headers={"Cookie": "mine=1"})
    assert "cookie: mine=1" in web.heads[0].lower()


# How a body is left ---------------------------------------------------------------------------------------------------


def broken_loop(noise: list[Any]) -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda _, context: noise.append(context))
    return loop


@pytest.mark.parametrize("how", ["too long", "dropped", "closed while it reads", "cancelled"])
def test_a_body_that_is_left_makes_no_noise(web: Web, how: str) -> None:
    """What reads is closed before what is read; nothing is said on the loop, and the connection is closed."""
    gone = threading.Event()

    def serve(connection: socket.socket) -> None:
        connection.sendall(CHUNKED + b"5\r\nhello\r\n" * 3)
        while connection.recv(65_536):
            pass
        gone.set()

    web.answers["/"] = serve

    async def leave() -> None:
        async with client(max_answer_bytes=12 if how == "too long" else None) as http:
            response = await http.send(http.build_request("GET", web.url), stream=True)
            pieces = response.aiter_raw()
            assert await anext(pieces) == b"hello"
            if how == "too long":
                with pytest.raises(MalformedAnswer):
                    async for _ in pieces:
                        pass
            elif how == "dropped":
                del pieces
                await response.aclose()
            else:
                await anext(pieces)
                await anext(pieces)
                reading = asyncio.ensure_future(anext(pieces))
                await asyncio.sleep(0)
                if how == "cancelled":
                    reading.cancel()
                else:
                    await response.stream.aclose()  # type: ignore[union-attr]
                with pytest.raises(
                    (asyncio.CancelledError, httpx2.StreamError, httpx2.NetworkError, StopAsyncIteration)
                ):
                    await reading
                await response.aclose()
            assert await asyncio.to_thread(gone.wait, 10)

    noise: list[Any] = []
    with asyncio.Runner(loop_factory=lambda: broken_loop(noise)) as runner:
        runner.run(asyncio.wait_for(leave(), BOUND))
    assert noise == []


# Names ----------------------------------------------------------------------------------------------------------------


class Resolver:
    """Names that are not answered until the test says so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[str] = []
        self.answered = threading.Event()
        real = socket.getaddrinfo

        def getaddrinfo(host: Any, port: Any, *more: Any, **options: Any) -> Any:
            if not str(host).endswith(".example"):
                return real(host, port, *more, **options)
            self.asked.append(host)
            if host.startswith("slow"):
                assert self.answered.wait(BOUND)
            if host.startswith("none"):
                raise socket.gaierror(socket.EAI_NONAME, "no such name")
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.7", port))] * 2

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch, eventually: Any) -> Iterator[Resolver]:
    """Its threads are gone in the end."""
    made = Resolver(monkeypatch)
    yield made
    made.answered.set()
    eventually(lambda: not [one for one in threading.enumerate() if one.name == "actors-lookup"])


def test_slow_names_hold_up_nobody_elses(resolver: Resolver) -> None:
    """A hundred of them, while another is answered."""

    async def main() -> None:
        lookups = Lookups()
        slow = [asyncio.create_task(lookups.addresses(f"slow{n}.example", 80, BOUND)) for n in range(100)]
        while len(resolver.asked) < 100:
            await asyncio.sleep(0)
        assert await lookups.addresses("quick.example", 80, BOUND) == ["192.0.2.7"]
        assert lookups.busy == 100
        resolver.answered.set()
        assert await asyncio.gather(*slow) == [["192.0.2.7"]] * 100
        assert lookups.busy == 0

    asyncio.run(main())


def test_those_who_ask_for_one_name_share_a_look_up(resolver: Resolver) -> None:
    """One that hangs is left behind, and another is begun; three of one name at most."""

    async def main() -> None:
        lookups = Lookups()
        waiting = [asyncio.create_task(lookups.addresses("slow.example", 80, BOUND)) for _ in range(5)]
        while not resolver.asked:
            await asyncio.sleep(0)
        assert resolver.asked == ["slow.example"]
        for _ in range(MOST_OF_ONE + 3):
            with pytest.raises(TimeoutError, match="was not resolved within"):
                await lookups.addresses("slow.example", 80, 0.01)
        assert len(resolver.asked) == MOST_OF_ONE == lookups.busy
        resolver.answered.set()
        assert await asyncio.gather(*waiting) == [["192.0.2.7"]] * 5
        assert await lookups.addresses("slow.example", 80, BOUND) == ["192.0.2.7"]

    asyncio.run(main())


def test_threads_have_a_bound(resolver: Resolver, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who comes too late waits in line, in its own time, and has its turn."""
    monkeypatch.setattr("actors.network.lookup.MOST_THREADS", 3)
    assert MOST_THREADS > 100

    async def main() -> None:
        lookups = Lookups()
        waiting = [asyncio.create_task(lookups.addresses(f"slow{n}.example", 80, BOUND)) for n in range(10)]
        await asyncio.sleep(0)  # they stand in line by now
        with pytest.raises(TimeoutError):
            await lookups.addresses("quick.example", 80, 0.05)
        assert len(resolver.asked) == lookups.busy == 3
        resolver.answered.set()
        assert await asyncio.gather(*waiting) == [["192.0.2.7"]] * 10
        assert await lookups.addresses("quick.example", 80, BOUND) == ["192.0.2.7"]
        assert lookups.busy == 0

    asyncio.run(main())


def test_a_name_that_is_none(resolver: Resolver) -> None:
    """Is a connection that failed; the name stands in the error."""

    async def main() -> None:
        with pytest.raises(OSError, match=r"the name none\.example cannot be resolved"):
            await Lookups().addresses("none.example", 80, BOUND)
        with pytest.raises(OSError, match="cannot be resolved"):
            await Lookups().addresses("x" * 70 + ".example.com", 80, BOUND)

    asyncio.run(main())


def test_an_address_needs_no_thread() -> None:
    """Nobody is asked."""

    async def main() -> None:
        lookups = Lookups()
        assert await lookups.addresses("127.0.0.1", 80, 0.0) == ["127.0.0.1"]
        assert await lookups.addresses("::1", 80, 0.0) == ["::1"]

    asyncio.run(main())


def test_a_client_tells_of_a_name_that_is_none(resolver: Resolver) -> None:
    """As of a connection that failed, or took too long."""
    with pytest.raises(httpx2.ConnectError, match=r"the name none\.example cannot be resolved"):
        use(lambda http: http.get("http://none.example/"))
    with pytest.raises(httpx2.ConnectTimeout, match=r"the name slow\.example was not resolved within 0\.05 s"):
        use(lambda http: http.get("http://slow.example/"), timeout=0.05)


def test_no_thread_can_be_started(resolver: Resolver, monkeypatch: pytest.MonkeyPatch) -> None:
    """That look-up fails, and says why; the next one is tried."""

    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async def main() -> None:
        lookups = Lookups()
        with monkeypatch.context() as patched:
            patched.setattr(threading.Thread, "start", start)
            with pytest.raises(OSError, match="no thread can be started to look up quick"):
                await lookups.addresses("quick.example", 80, BOUND)
            many = [lookups.addresses(f"quick{n}.example", 80, BOUND) for n in range(3_000)]
            failed = await asyncio.gather(*many, return_exceptions=True)
            assert all(isinstance(one, OSError) for one in failed)
        assert await lookups.addresses("quick.example", 80, BOUND) == ["192.0.2.7"]
        assert lookups.busy == 0

    asyncio.run(main())

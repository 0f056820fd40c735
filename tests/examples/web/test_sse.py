"""``examples/web/sse_app.py`` under uvicorn: a real server, real clients."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx2
import pytest

from ...drivers.provider import Provider, say
from ...waiting import eventually
from .servers import BOUND, HERE, WEB, Server, client_of, events_of, place_of, serving

pytestmark = pytest.mark.process
pytest.importorskip("sse_starlette")
pytest.importorskip("uvicorn")

HOSTILE = [
    "one\ntwo\r\nthree\rdata: four\n\nevent: ended\n\n",
    "line\u2028paragraph\u2029next\u0085nul\0bell\a",
    "\ufeff<script>alert(1)</script>&amp;\N{GRINNING FACE}e\u0301",
    "id: 7\nretry: 1\n: a comment",
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """With a model that the tests lead."""
    with serving(tmp_path_factory.mktemp("sse") / "log", HERE / "gated_sse.py") as started:
        yield started


@pytest.fixture
def client(server: Server) -> Iterator[httpx2.Client]:
    """Each test leaves the server without an agent."""
    with client_of(server) as made:
        yield made
        eventually(lambda: made.get("/stats").json()["active"] == 0, BOUND)


def ended(client: httpx2.Client, how: str) -> int:
    """How many agents have ended so."""
    count: int = client.get("/stats").json()["ended"].get(how, 0)
    return count


def stream(client: httpx2.Client, text: str) -> Any:
    """The stream of an answer."""
    return client.stream("GET", "/stream", params={"q": text})


def text_of(events: Iterator[tuple[str, str, Any]]) -> tuple[str, str]:
    """What a page would show of a stream, and how it ended."""
    shown, name = "", ""
    for name, _, data in events:
        if name == "text":
            shown += data["text"]
        elif name == "restart":
            shown = shown[: data["kept"]]
    return shown, name


def test_200_at_once(server: Server, client: httpx2.Client) -> None:
    """Each gets its own answer, typed; half of them are streams."""

    async def main() -> None:
        limits = httpx2.Limits(max_connections=None)
        async with httpx2.AsyncClient(base_url=server.url, timeout=BOUND, limits=limits, trust_env=False) as http:

            async def ask(number: int) -> None:
                mark = "?" if number % 3 else "."
                answer = await http.post("/ask", json={"text": "word " * number + mark})
                kind = "question" if number % 3 else "remark"
                assert (answer.status_code, answer.json()) == (200, {"kind": kind, "words": number + 1})

            async def read(number: int) -> None:
                answer = await http.get("/stream", params={"q": f"number {number}"})
                shown, end = text_of(events_of(answer))
                assert shown.startswith(f"You wrote: number {number}\n")
                assert end == "ended"

            await asyncio.gather(*(ask(n) if n % 2 else read(n) for n in range(200)))

    before = ended(client, "completed")
    asyncio.run(main())
    assert ended(client, "completed") == before + 200


def test_pieces_come_one_by_one(client: httpx2.Client) -> None:
    """Each is there while the agent still waits for the next step."""
    with stream(client, "gated one two three") as response:
        assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
        events = events_of(response)
        ids = []
        for word in ("one", "two", "three"):
            assert client.get("/stats").json()["active"] == 1
            client.post("/step", params={"n": 1})
            name, number, data = next(events)
            assert (name, data) == ("text", {"text": f"{word} "})
            ids.append(int(number))
        name, number, data = next(events)
        assert (name, data) == ("ended", {"status": "completed"})
        assert ids == sorted({*ids})
        assert int(number) > ids[-1]
        assert list(events) == []


def test_an_answer_that_breaks_off(client: httpx2.Client) -> None:
    """The page is told what still stands, and gets the answer from its beginning."""
    with stream(client, "broken but mended") as response:
        events = events_of(response)
        assert next(events)[2] == {"text": "\N{GRINNING FACE} this is not the "}
        client.post("/step", params={"n": 3})
        assert next(events)[::2] == ("restart", {"kept": 0})
        assert text_of(events) == ("but mended ", "ended")


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts(client: httpx2.Client, text: str) -> None:
    """No text becomes an event, or a line, of its own; what was sent comes back."""
    with stream(client, text) as response:
        shown, end = text_of(events_of(response))
    assert shown.startswith(f"You wrote: {text}")
    assert end == "ended"
    assert client.post("/ask", json={"text": text}).json()["words"] == len(text.split())


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"", 422), (b"{", 422), (b'{"text": 1}', 422), (b'{"text": "\\ud800"}', 422), (b'"' * 65_537, 413)],
)
def test_a_question_that_is_none(client: httpx2.Client, body: bytes, status: int) -> None:
    """Is refused, and starts no agent."""
    started = client.get("/stats").json()["started"]
    assert client.post("/ask", content=body).status_code == status
    assert client.get("/stats").json()["started"] == started


def test_a_megabyte(server: Server, client: httpx2.Client) -> None:
    """In a body or in a URL: refused, and the server goes on."""
    assert client.post("/ask", content=b"x" * 1_000_000).status_code == 413
    assert client.get("/stream", params={"q": "x" * 20_000}).status_code == 422
    with socket.create_connection(place_of(server)) as other:
        other.sendall(b"GET /stream?q=" + b"x" * 1_000_000 + b" HTTP/1.1\r\nHost: here\r\n\r\n")
        assert other.recv(12) == b"HTTP/1.1 400"
    assert client.post("/ask", json={"text": "Still there?"}).json() == {"kind": "question", "words": 2}


@pytest.mark.parametrize("pieces", [0, 1])
def test_a_client_that_goes_takes_its_agent_along(client: httpx2.Client, pieces: int) -> None:
    """Before the first piece, or in mid-stream; the server goes on."""
    before = ended(client, "cancelled")
    with stream(client, "gated one two three") as response:
        client.post("/step", params={"n": pieces})
        events = events_of(response)
        assert [next(events)[0] for _ in range(pieces)] == ["text"] * pieces
    eventually(lambda: ended(client, "cancelled") == before + 1, BOUND)
    assert client.post("/ask", json={"text": "Still there?"}).status_code == 200


def test_a_client_that_goes_while_it_waits(server: Server, client: httpx2.Client) -> None:
    """For an answer in one piece."""
    before = ended(client, "cancelled")
    with client_of(server) as other, pytest.raises(httpx2.ReadTimeout):
        other.post("/ask", json={"text": "hang"}, timeout=0.2)
    eventually(lambda: ended(client, "cancelled") == before + 1, BOUND)


def test_a_client_that_does_not_read(server: Server, client: httpx2.Client) -> None:
    """Is gone after a time; nobody waits for it, and what it does not read is not kept for ever."""
    failures = server.log.count("Traceback")
    before = ended(client, "cancelled") + ended(client, "completed")
    with socket.create_connection(place_of(server)) as silent:
        silent.sendall(b"GET /stream?q=long+words HTTP/1.1\r\nHost: here\r\n\r\n")
        eventually(lambda: ended(client, "cancelled") + ended(client, "completed") == before + 1, BOUND)
        assert client.post("/ask", json={"text": "Still there?"}).status_code == 200
    assert server.log.count("Traceback") == failures


def test_a_client_that_goes_before_it_has_asked(server: Server, client: httpx2.Client) -> None:
    """In the middle of its body: no agent, and no error of the server."""
    failures = server.log.count("Traceback")
    with socket.create_connection(place_of(server)) as half:
        half.sendall(b'POST /ask HTTP/1.1\r\nHost: here\r\nContent-Length: 99\r\n\r\n{"text": "ha')
        assert client.get("/stats").json()["active"] == 0  # it has heard of it
    for _ in range(3):  # and now of its end
        assert client.post("/ask", json={"text": "Still there?"}).status_code == 200
    assert server.log.count("Traceback") == failures


def test_a_crash(server: Server, client: httpx2.Client) -> None:
    """Is told, without what it was; the log has its lines."""
    answer = client.post("/ask", json={"text": "crash please"})
    assert (answer.status_code, answer.json()) == (500, {"error": "the agent failed"})
    with stream(client, "crash please") as response:
        assert [event[::2] for event in events_of(response)] == [("failed", {"status": "crashed"})]
    assert "RuntimeError: the secret of the house" in server.log


def test_too_many(client: httpx2.Client) -> None:
    """Are told to come again."""
    client.post("/slots", params={"n": 1})
    try:
        with stream(client, "gated one"):
            for answer in (client.post("/ask", json={"text": "And me?"}), client.get("/stream", params={"q": "me"})):
                assert (answer.status_code, answer.json()) == (503, {"error": "too much to do"})
                assert answer.headers["retry-after"] == "1"
    finally:
        client.post("/slots", params={"n": 256})


def test_what_is_no_stream_leaves_no_agent(client: httpx2.Client) -> None:
    """A look at the headers, and a browser that comes again."""
    before = ended(client, "cancelled")
    assert client.head("/stream", params={"q": "gated one"}).status_code == 200
    assert client.get("/stream", params={"q": "gated one"}, headers={"Last-Event-ID": "3"}).status_code == 204
    eventually(lambda: ended(client, "cancelled") == before + 1, BOUND)  # that of the look: its answer has no body
    assert client.get("/stats").json()["active"] == 0


def test_memory_is_flat(server: Server, client: httpx2.Client) -> None:
    """After a warm-up nothing stays of an answer or of a stream: not one block of memory of each thousand."""
    connection = http.client.HTTPConnection(*place_of(server), timeout=BOUND)  # four times as fast

    def send(method: str, path: str, body: str | None = None) -> None:
        connection.request(method, path, body)
        answer = connection.getresponse()
        assert (b"words" if body else b"event: ended") in answer.read()

    def blocks_after(times: int) -> int:
        for number in (number % 50 for number in range(times)):  # pydantic keeps the texts of JSON, 16,384 of them
            send("POST", "/ask", f'{{"text": "word {number}"}}')
            send("GET", f"/stream?q=word+{number}")
        # The least of three: the last stream may still be putting itself away.
        return min(client.get("/memory").json()["blocks"] for _ in range(3))

    with contextlib.closing(connection):
        before = blocks_after(200)
        grown = blocks_after(1_000) - before
    assert grown < 500, f"{grown} blocks for 1,000 answers and 1,000 streams"


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT])
def test_the_end_of_the_server(tmp_path: Path, by: signal.Signals) -> None:
    """With a stream and a question under way: the stream is told, and the process ends within bounds."""
    with serving(tmp_path / "log", HERE / "gated_sse.py") as server, ExitStack() as open_streams:
        client = open_streams.enter_context(client_of(server))
        response = open_streams.enter_context(stream(client, "gated one two"))
        asking = open_streams.enter_context(socket.create_connection(place_of(server), timeout=BOUND))
        asking.sendall(b'POST /ask HTTP/1.1\r\nHost: here\r\nContent-Length: 16\r\n\r\n{"text": "hang"}')
        eventually(lambda: client.get("/stats").json()["active"] == 2, BOUND)
        client.post("/step", params={"n": 1})
        code, seconds = server.end(by)
        assert [event[::2] for event in events_of(response)] == [
            ("text", {"text": "one "}),
            ("failed", {"status": "cancelled"}),
        ]
        # uvicorn raises the signal again once it has ended in order, and takes a Ctrl-C for its user's wish.
        assert code == (-by if by == signal.SIGTERM else 0)
        assert seconds < 15
        assert "Application shutdown complete" in server.log
        assert asking.recv(12) == b"HTTP/1.1 500"  # what uvicorn says for whom it cancels


def test_the_example_as_it_is(tmp_path: Path) -> None:
    """As a person starts it: the page, an answer, a stream; Ctrl-C ends it."""
    with serving(tmp_path / "log", WEB / "sse_app.py", "--port", 0) as server, client_of(server) as client:
        page = client.get("/page")
        assert page.headers["content-type"].startswith("text/html")
        assert "innerHTML" not in page.text
        assert client.post("/ask", json={"text": "Who?"}).json() == {"kind": "question", "words": 1}
        with stream(client, "Hi") as response:
            assert next(events_of(response))[2] == {"text": "You"}
        code, _ = server.end(signal.SIGINT)
        assert (code, "Traceback" in server.log) == (0, False), server.log


def test_a_model_on_a_server(tmp_path: Path) -> None:
    """As the environment names it: its pieces, and its JSON as a typed result; what does not fit is a failure."""
    answers = iter(['{"kind": "remark", "words": 7}', "no JSON", *["still none"] * 9])
    with (
        Provider(lambda asked: say("Hello there" if asked.streams else next(answers), asked)) as provider,
        serving(tmp_path / "log", WEB / "sse_app.py", "--port", 0, MODEL="m", MODEL_URL=provider.url) as server,
        client_of(server) as client,
    ):
        with stream(client, "Who are you?") as response:
            assert text_of(events_of(response)) == ("Hello there", "ended")
        assert provider.asked[0].body["model"] == "m"
        assert client.post("/ask", json={"text": "Who?"}).json() == {"kind": "remark", "words": 7}
        assert client.post("/ask", json={"text": "Who?"}).status_code == 500

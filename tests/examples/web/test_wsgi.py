"""``examples/web/wsgi_app.py`` under gunicorn: processes that are forked, and threads in each."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import http.client
import importlib
import io
import json
import os
import signal
import socket
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from ...waiting import eventually
from .servers import BOUND, HERE, WEB, Server, client_of, place_of, serving

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="gunicorn forks, and this system does not"),
]

pytest.importorskip("gunicorn")

EARLY = """
from actors import AgentPool

pool = AgentPool(owed=False)  # before the fork

def app(environ, start_response):
    try:
        text = str(pool.submit(len, "four").result())
    except Exception as error:
        text = f"{type(error).__name__}: {error}"
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [text.encode()]
"""


def gunicorn(log_file: Path, app: str, *more: object, folder: Path = HERE) -> Any:
    """As the example says, on a free port."""
    config = ("--config", WEB / "gunicorn_conf.py", "--bind", "127.0.0.1:0")
    return serving(log_file, "-m", "gunicorn", *config, *more, "--chdir", folder, app, GATE=str(log_file.parent))


@dataclass
class Prefork:
    """A server with two workers, and the folder of its gate."""

    server: Server
    folder: Path

    def workers(self) -> set[int]:
        """The processes that answer now. A connection each: a worker keeps those that it has."""
        found = set()
        for _ in range(20):
            with contextlib.closing(http.client.HTTPConnection(*place_of(self.server), timeout=BOUND)) as connection:
                connection.request("GET", "/stats")
                found.add(json.load(connection.getresponse())["pid"])
        return found


@pytest.fixture(scope="module")
def prefork(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prefork]:
    """One for all tests."""
    folder = tmp_path_factory.mktemp("wsgi")
    with gunicorn(folder / "log", "gated_wsgi:app") as server:
        yield Prefork(server, folder)


def test_200_at_once(prefork: Prefork) -> None:
    """Each gets its own answer, typed, from one of two processes."""

    async def main() -> None:
        limits = httpx2.Limits(max_connections=None)
        async with httpx2.AsyncClient(
            base_url=prefork.server.url, timeout=BOUND, limits=limits, trust_env=False
        ) as http:

            async def ask(number: int) -> None:
                answer = await http.post("/ask", json={"text": "word " * number + "?"})
                assert (answer.status_code, answer.json()) == (200, {"kind": "question", "words": number + 1})

            await asyncio.gather(*(ask(number) for number in range(200)))

    asyncio.run(main())
    eventually(lambda: len(prefork.workers()) == 2, BOUND)


def test_what_goes_wrong(prefork: Prefork) -> None:
    """Is told as far as a stranger should know."""
    with client_of(prefork.server) as client, socket.create_connection(place_of(prefork.server)) as other:
        other.sendall(b"POST /ask HTTP/1.1\r\nHost: here\r\nContent-Length: 1000000\r\n\r\n")
        assert other.recv(12) == b"HTTP/1.1 413"
        crash = client.post("/ask", json={"text": "crash"})
        assert (crash.status_code, crash.json()) == (500, {"error": "the agent failed"})
        assert "RuntimeError: the secret of the house" in prefork.server.log
        assert client.post("/ask", json={"text": ""}).status_code == 422
        assert client.get("/ask").status_code == 404


def test_a_worker_that_is_killed(prefork: Prefork) -> None:
    """Is replaced, and its successor serves."""
    eventually(lambda: len(prefork.workers()) == 2, BOUND)
    killed = min(prefork.workers())
    os.kill(killed, signal.SIGKILL)
    eventually(lambda: len(prefork.workers() - {killed}) == 2, BOUND)
    with client_of(prefork.server) as client:
        assert client.post("/ask", json={"text": "Still there?"}).json() == {"kind": "question", "words": 2}


def test_a_graceful_restart(prefork: Prefork) -> None:
    """What is under way is answered by the old worker; the new ones serve meanwhile."""
    eventually(lambda: len(prefork.workers()) == 2, BOUND)
    before = prefork.workers()
    with ThreadPoolExecutor(1) as threads, client_of(prefork.server) as client:
        under_way = threads.submit(client.post, "/ask", json={"text": "gated one"})
        eventually(lambda: any(prefork.folder.glob("working-*")), BOUND)
        prefork.server.process.send_signal(signal.SIGHUP)
        eventually(lambda: len(prefork.workers() - before) == 2, BOUND)
        assert not under_way.done()
        (prefork.folder / "open").touch()
        assert under_way.result(BOUND).json() == {"kind": "remark", "words": 2}
    eventually(lambda: prefork.workers().isdisjoint(before), BOUND)


def test_the_end_of_the_server(tmp_path: Path) -> None:
    """With a request under way that never ends: within bounds, and no worker stays."""
    with (
        gunicorn(tmp_path / "log", "gated_wsgi:app", "--graceful-timeout", 1) as server,
        ThreadPoolExecutor(1) as threads,
        client_of(server) as client,
    ):
        under_way = threads.submit(client.post, "/ask", json={"text": "gated one"})
        eventually(lambda: any(tmp_path.glob("working-*")), BOUND)
        workers = Prefork(server, tmp_path).workers()
        code, seconds = server.end()
        assert code == 0
        assert seconds < 15
        try:  # the end of a worker cancels its agents; who comes first, this answer or the end, is open
            assert under_way.result(BOUND).status_code == 503
        except httpx2.TransportError:
            pass
        eventually(lambda: not any(map(runs, workers)), BOUND)


def runs(pid: int) -> bool:
    """Is it there, and not merely waiting for its parent to hear that it has ended?"""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"


def test_a_pool_made_before_the_fork(tmp_path: Path) -> None:
    """Says so in the worker: nobody waits for threads that are not there."""
    (tmp_path / "early.py").write_text(EARLY, encoding="utf-8")
    with gunicorn(tmp_path / "log", "early:app", folder=tmp_path) as server, client_of(server) as client:
        assert client.get("/").text.startswith("ForkedPoolError: ")


@pytest.fixture
def application(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Imported here; all of it is forgotten afterwards."""
    for folder in (WEB, HERE):
        monkeypatch.syspath_prepend(str(folder))
    names = ("gated_wsgi", "wsgi_app", "desk")
    made = importlib.import_module(names[0])
    # Timers of what has ended stay for a while, up to 4,096 of them.
    monkeypatch.setattr(sys.modules["desk"], "LIFE", None)
    yield made.app
    sys.modules["wsgi_app"].the_pool().close()
    for name in names:
        sys.modules.pop(name)


def test_memory_is_flat(application: Any) -> None:
    """After a warm-up nothing stays of an answer; the application is called as a server would."""

    def ask(body: bytes) -> None:
        statuses: list[str] = []
        environ = {
            "REQUEST_METHOD": "POST",
            "PATH_INFO": "/ask",
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.input": io.BytesIO(body),
        }
        answer = application(environ, lambda status, headers: statuses.append(status))
        assert (statuses, json.loads(b"".join(answer))["words"]) == (["200 OK"], 2)

    def blocks_after(times: int) -> int:
        for number in range(times):
            ask(b'{"text": "word %d"}' % (number % 50))  # pydantic keeps the texts of JSON, 16,384 of them
        gc.collect()
        return sys.getallocatedblocks()

    before = blocks_after(300)
    grown = blocks_after(2_000) - before
    assert grown < 500, f"{grown} blocks for 2,000 answers"

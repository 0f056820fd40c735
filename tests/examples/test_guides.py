"""Programs of the guides that need more than a run: a server, two runs, a reader that is a browser.

That each runs as it stands, and prints what stands below it, is in ``tests/docs``.
"""

from __future__ import annotations

import asyncio
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from actors import AgentPool, CancelToken, FunctionDriver
from actors.agent.ledger import MemoryLedger, Scope, inside
from actors.testing import Cassette

from ..docs.pages import blocks_of, pages

if TYPE_CHECKING:
    from collections.abc import Callable

PROGRAMS = [block.text for page in pages() for block in blocks_of(page) if block.page.startswith("docs/guides/")]


def run(code: str, file: str = "judge.py") -> dict[str, Any]:
    """Run it as a program; what it defines."""
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(code, file, "exec"), names)  # noqa: S102 - our own text
    return names


def program(word: str) -> str:
    """The one that has *word* in it."""
    (found,) = [code for code in PROGRAMS if word in code]
    return found


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where files may be written."""
    monkeypatch.chdir(tmp_path)


def test_what_comes_back_is_kept(tmp_path: Path) -> None:
    """In two files."""
    code = program("to_rows()")
    Path("judge.py").write_text(code, encoding="utf-8")
    run(code)
    assert len((tmp_path / "judged.csv").read_text(encoding="utf-8").splitlines()) == 4
    assert len((tmp_path / "judged.jsonl").read_text(encoding="utf-8").splitlines()) == 3


def test_pieces_reach_a_browser() -> None:
    """As events of one line."""
    events: Callable[[AgentPool, str], Any] = run(program("aevents()"))["events"]

    async def main() -> list[str]:
        async with AgentPool(FunctionDriver(lambda request: "Hello,\nworld")) as pool:
            return [event async for event in events(pool, "Hello?")]

    assert asyncio.run(main()) == ['data: "Hello,\\nworld"\n\n']


def test_a_payment_is_made_once_whatever_happens() -> None:
    """By its key, or by looking for it; the bank is a server on loopback."""
    paid: dict[str, str] = {}

    class Bank(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            """Nothing is written."""

        def tell(self, answer: str) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(answer.encode())

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            key = self.headers.get("idempotency-key") or body["reference"]
            self.tell(paid.setdefault(key, f"receipt {len(paid) + 1} for {body['to']}"))

        def do_GET(self) -> None:
            key = self.path.partition("reference=")[2]
            self.tell(json.dumps([paid[key]] if key in paid else []))

    names = run(program("was_paid"))
    by_key, by_reference = names["pay"], names["pay_by_reference"]
    with HTTPServer(("127.0.0.1", 0), Bank) as bank:
        names["BANK"] = f"http://127.0.0.1:{bank.server_address[1]}/payments"
        serving = threading.Thread(target=bank.serve_forever, args=(0.01,))
        serving.start()
        try:
            given = {"to": "me", "amount": 3}
            with inside(Scope(MemoryLedger(), "0.0")):
                first, again = (by_key.execute(given, cancel=CancelToken(), agent=None).content for _ in range(2))
            assert by_reference.reconcile("other", given) is None
            second = by_reference.execute(given, cancel=CancelToken(), agent=None).content
            found = by_reference.reconcile(list(paid)[1], given).content
        finally:
            bank.shutdown()
            serving.join()
    assert (first, again, second, found) == ("receipt 1 for me", first, "receipt 2 for me", second)


def test_a_cassette_is_recorded_and_replayed() -> None:
    """As its test would be."""
    test = run(program("cassette.driver"))["test_summary"]
    for mode in ("once", "none"):
        with Cassette("test_summary.jsonl", mode) as cassette:
            test(cassette)
        assert cassette.unused == ()


def test_a_program_that_is_started_again_recalls(capsys: pytest.CaptureFixture[str]) -> None:
    """Who completed, in the order in which they end; the report is the same."""
    for recalled in (False, True):
        run(program("Journal.read"))
        *ended, first, second = capsys.readouterr().out.splitlines()
        assert sorted(ended) == [f"{name} completed {recalled}" for name in ("contract.txt", "letter.txt")]
        assert [first, second] == ["contract.txt completed 1 0 0.0", "letter.txt completed 1 0 0.0"]


def test_a_conversation_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The program that goes on with what was said, run twice."""
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        run(program("pool.converse"))
    asked = "'My name is Ada.', 'What is my name?'"
    assert capsys.readouterr().out == f"3 messages\n[{asked}]\n7 messages\n[{asked}, {asked}]\n"


def test_a_pool_is_looked_at(capsys: pytest.CaptureFixture[str]) -> None:
    """By a page while it runs, by a sink that comes later, by a page that is saved."""
    run(program("LiveView(pool)"))
    url, total, seen = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/\?token=[\w-]{43}", url)
    assert total == "6"
    assert "AgentStarted" in seen
    assert "AgentEnded" in seen
    assert Path("run.html").read_text(encoding="utf-8").startswith("<!doctype html>")

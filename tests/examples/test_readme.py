"""The programs of ``README.md``: each runs as it stands, and prints what stands below it or beside it."""

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

if TYPE_CHECKING:
    from collections.abc import Callable

TEXT = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
PROGRAMS: list[tuple[str, str]] = re.findall(
    r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```)?", TEXT, re.DOTALL | re.MULTILINE
)
NEEDS_A_SERVER = "base_url="


def run(code: str, file: str = "judge.py") -> dict[str, Any]:
    """Run it as a program; what it defines."""
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(code, file, "exec"), names)  # noqa: S102 - our own text
    return names


def program(word: str) -> tuple[str, str]:
    """The one that has *word* in it, and what it prints."""
    (found,) = [one for one in PROGRAMS if word in one[0]]
    return found


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where files may be written."""
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("word", "printed"),
    [
        ("class WordCount", "to be or not to be completed 6\nthat is the question completed 4\n"),
        ("cancel_rest", "['ZeroDivisionError: integer division or modulo by zero']\n"),
        ("tool_then_text", "1 + 2 = 3\n"),
        ("class Counter", "5\n"),
        ("OpenTelemetry(provider)", "chat\ninvoke_agent guide\nrequest\n"),
        ("class Account", "500\n7\n3 6\n"),
    ],
)
def test_a_program_works(word: str, printed: str, capsys: pytest.CaptureFixture[str]) -> None:
    """And leaves nothing behind."""
    run(program(word)[0])
    assert capsys.readouterr() == (printed, "")


def test_what_comes_back_is_shown_as_it_is(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """With the source of the line that crashed, and two files."""
    code, printed = program("to_rows()")
    Path("judge.py").write_text(code, encoding="utf-8")
    run(code)
    shown = [line for line in capsys.readouterr().out.splitlines() if line.strip(" ^")]  # Python 3.13 marks the place
    assert sorted(shown) == sorted(printed.splitlines())  # they come in the order of completion
    assert len((tmp_path / "judged.csv").read_text(encoding="utf-8").splitlines()) == 4
    assert len((tmp_path / "judged.jsonl").read_text(encoding="utf-8").splitlines()) == 3


def test_pieces_reach_a_browser() -> None:
    """As events of one line."""
    events: Callable[[AgentPool, str], Any] = run(program("aevents()")[0])["events"]

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

    names = run(program("was_paid")[0])
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


def test_a_supervised_actor_lives_on(capsys: pytest.CaptureFixture[str]) -> None:
    """Two restarts, then poison."""
    run(program("class Fragile")[0])
    shown = capsys.readouterr().out
    assert "given up: 0 poison" in shown
    assert "0.25" in shown


def test_a_cassette_is_recorded_and_replayed() -> None:
    """As its test would be."""
    test = run(program("cassette.driver")[0])["test_summary"]
    for mode in ("once", "none"):
        with Cassette("test_summary.jsonl", mode) as cassette:
            test(cassette)
        assert cassette.unused == ()


def test_a_program_that_is_started_again_recalls(capsys: pytest.CaptureFixture[str]) -> None:
    """Who completed, in the order in which they end; the report is the same."""
    for recalled in (False, True):
        run(program("Journal.read")[0])
        *ended, first, second = capsys.readouterr().out.splitlines()
        assert sorted(ended) == [f"{name} completed {recalled}" for name in ("contract.txt", "letter.txt")]
        assert [first, second] == ["contract.txt completed 1 0 0.0", "letter.txt completed 1 0 0.0"]


def test_a_first_answer(capsys: pytest.CaptureFixture[str]) -> None:
    """One that repeats what a model would be asked."""
    run(program("actors.ask")[0])
    assert capsys.readouterr().out == "How many people live in Lyon?\n"


def test_a_conversation_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The program that goes on with what was said, run twice."""
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        run(program("pool.converse")[0])
    asked = "'My name is Ada.', 'What is my name?'"
    assert capsys.readouterr().out == f"3 messages\n[{asked}]\n7 messages\n[{asked}, {asked}]\n"


def test_a_pool_is_looked_at(capsys: pytest.CaptureFixture[str]) -> None:
    """By a page while it runs, by a sink that comes later, by a page that is saved."""
    run(program("LiveView(pool)")[0])
    url, total, seen = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/\?token=[\w-]{43}", url)
    assert total == "6"
    assert "AgentStarted" in seen
    assert "AgentEnded" in seen
    assert Path("run.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_no_program_is_left_out() -> None:
    """Those that ask a server, and the suite, are looked at by type checkers alone."""
    run_here = (
        "WordCount",
        "cancel_rest",
        "tool_then_text",
        "Counter",
        "to_rows()",
        "aevents()",
        "Fragile",
        "class Account",
        "was_paid",
        "cassette",
        "Journal.read",
        "OpenTelemetry(provider)",
        "LiveView(pool)",
        "pool.converse",
        "actors.ask",
    )
    others = [code for code, _ in PROGRAMS if not any(word in code for word in run_here)]
    assert [NEEDS_A_SERVER in code or "DriverConformance" in code for code in others] == [True, True]

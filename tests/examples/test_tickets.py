"""The tickets: two commands classify all of them, though the first is killed half way; the program has a DataFrame."""

import collections
import csv
import importlib.util
import json
import subprocess
import sys
import threading
import types
from pathlib import Path

import pytest

from ..waiting import BOUND, eventually

ROOT = Path(__file__).parents[2]
TICKETS = ROOT / "examples" / "tickets"
COUNT, AT_ONCE = 100, 4


def load(name):
    """A module of the example."""
    spec = importlib.util.spec_from_file_location(f"tickets_{name}", TICKETS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def server():
    """The model's server, which counts what it answers and goes no further than ``most`` until it may; and its URL."""
    server = load("server")

    class Counting(server.Server):
        most = COUNT
        may_go_on = threading.Event()

        def bill(self, question):
            super().bill(question)
            if len(self.answered) > self.most:
                assert self.may_go_on.wait(BOUND)

    with Counting() as serving:
        thread = threading.Thread(target=serving.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        serving.url = f"http://127.0.0.1:{serving.server_address[1]}/v1"
        yield serving
        serving.shutdown()
        thread.join()


@pytest.fixture
def tickets(tmp_path):
    """A file of tickets, each with a text of its own."""
    path = tmp_path / "tickets.jsonl"
    lines = [{**ticket, "text": f"{ticket['id']}: {ticket['text']}"} for ticket in load("generate").tickets(COUNT, 1)]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_the_same_seed_makes_the_same_tickets():
    """And another one makes others."""
    tickets = load("generate").tickets
    assert list(tickets(50, 1)) == list(tickets(50, 1)) != list(tickets(50, 2))
    assert len({ticket["id"] for ticket in tickets(50, 1)}) == 50


@pytest.mark.process
def test_killed_half_way_and_resumed(run, server, tickets, tmp_path):
    """No row is lost, and none is paid twice but those that were in flight."""
    out = tmp_path / "triage.csv"
    command = [
        *("-c", "from actors.cli.main import main; main()", "run", TICKETS / "triage.toml", "--input", tickets),
        *("--key", "id", "--query", "{text}", "--out", out, "--max-concurrent", AT_ONCE, "--base-url", server.url),
    ]
    server.most = COUNT // 2
    with subprocess.Popen(
        [sys.executable, *map(str, command)], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as first:
        eventually(lambda: len(server.answered) == COUNT // 2 + AT_ONCE)
        first.kill()
    server.may_go_on.set()
    kept = out.read_bytes().rpartition(b"\n")[0]

    done = run(*command, "--resume")

    assert done.returncode == 0, done.stderr
    assert "completed before" in done.stdout
    assert out.read_bytes().startswith(kept), "a row that was finished is not the same any more"
    with out.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert sorted(row["id"] for row in rows) == [f"T-{number:05}" for number in range(1, COUNT + 1)]
    for row in rows:
        assert row["label"] == row["wanted"]
        assert 0 < float(row["confidence"]) <= 1
        assert float(row["cost_usd"]) > 0
        assert int(row["tokens"]) > 9
        assert float(row["seconds"]) > 0
    paid = collections.Counter(server.answered)
    assert len(paid) == COUNT
    assert COUNT < sum(paid.values()) <= COUNT + AT_ONCE
    assert max(paid.values()) <= 2


def test_program(server, tickets, monkeypatch, capsys):
    """All tickets become rows of a DataFrame."""
    made = []

    class Frame:
        def __init__(self, rows):
            made.extend(rows)

        def __getattr__(self, name):
            return lambda *args, **kwargs: self

    monkeypatch.setitem(sys.modules, "pandas", types.SimpleNamespace(DataFrame=Frame))
    load("program").main(str(tickets), server.url)
    assert "Frame" in capsys.readouterr().out
    assert len({row["id"] for row in made}) == COUNT == len(server.answered)
    assert {row["label"] for row in made} == {"billing", "bug", "account", "question"}
    assert all(row["usd"] > 0 and row["status"] == "completed" for row in made)


def test_program_without_pandas(tickets, monkeypatch):
    """It says what it needs."""
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(SystemExit, match="pip install pandas"):
        load("program").main(str(tickets))

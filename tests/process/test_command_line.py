"""Signals that the command line handles: SIGTERM ends as Ctrl-C does, SIGUSR1 shows what it is doing."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING

import pytest

from .program import LIMIT, Program

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Eventually = Callable[..., None]

BOT = """
import os, threading
from actors import Agent

class Wait(Agent):
    def run(self, query):
        if "wait" in query:
            os.write(1, b"waiting\\n") and self.sleep(600)  # on one line: a stack that is taken between shows it, too
        if "deaf" in query:
            self.cancel_token.on_cancel(lambda: os.write(1, b"told\\n"))
            os.write(1, b"waiting\\n")
            threading.Event().wait(600)
        return query
"""
START = "from actors.cli.main import main; main()"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a manifest and the agent that it names."""
    (tmp_path / "bot.py").write_text(BOT)
    (tmp_path / "wait.toml").write_text('name = "wait"\nagent = "bot:Wait"\n')
    queries = ["quick", "wait", "wait", *["wait behind"] * 50]
    (tmp_path / "jobs.jsonl").write_text("".join(json.dumps({"query": query}) + "\n" for query in queries))
    return tmp_path


@pytest.fixture
def running(folder: Path) -> Iterator[Program]:
    """``actors run``: one agent has ended, and two wait."""
    arguments = ["run", "wait.toml", "--input", "jobs.jsonl", "--out", "out.jsonl", "--max-concurrent", "2"]
    with Program(START, *arguments, options=(), limit=LIMIT, cwd=folder) as program:
        program.await_lines("waiting", "waiting")
        yield program


def records(folder: Path) -> list[dict[str, object]]:
    """What was written to the file of the outcomes."""
    return [json.loads(line) for line in (folder / "out.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_request_to_end_keeps_what_was_finished(running: Program, folder: Path, number: int) -> None:
    """Exit code 130, every admitted agent in the file, the rest cancelled, and the summary is shown."""
    running.signal(number)
    done = running.end()
    assert done.code == 130
    statuses = [record["status"] for record in records(folder)]
    assert statuses.count("completed") == 1
    assert set(statuses) == {"completed", "cancelled"}
    assert any("1 completed" in line for line in done.lines)
    assert any(f"{len(statuses) - 1} cancelled" in line for line in done.lines)
    assert "Traceback" not in done.err


def test_a_second_request_to_end_waits_for_nobody(folder: Path) -> None:
    """SIGTERM twice, with an agent that does not look: what was finished is in the file."""
    arguments = ["run", "wait.toml", "--prompt", "deaf", "--out", "out.jsonl"]
    with Program(START, *arguments, options=(), cwd=folder) as program:
        assert program.line() == "waiting"
        program.signal(signal.SIGTERM)
        assert program.line() == "told"
        program.signal(signal.SIGTERM)
        assert program.end().code == 130


def test_it_shows_what_it_is_doing_and_goes_on(running: Program, folder: Path, eventually: Eventually) -> None:
    """SIGUSR1 prints the dump to standard error, each time; the run goes on and ends as it would have."""
    for times in (1, 2):
        running.signal(signal.SIGUSR1)
        # Each of the two stacks has this line. Standard error is a file: nothing announces what is written there.
        eventually(lambda times=times: running.err().count("self.sleep(600)") >= 2 * times)
    running.signal(signal.SIGTERM)
    done = running.end()
    assert done.code == 130
    assert "Traceback (most recent call last)" not in done.err
    assert {record["status"] for record in records(folder)} == {"completed", "cancelled"}

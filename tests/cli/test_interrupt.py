"""Ctrl-C, on real processes with a hard limit."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest

from actors.cli.interrupt import Interrupt

from .conftest import LIMIT, lines_of, write_lines

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    Start = Callable[..., subprocess.Popen[str]]


def read_until(process: subprocess.Popen[str], text: str) -> str:
    """Read standard error up to the line with *text*."""
    seen = ""
    assert process.stderr is not None
    for line in process.stderr:
        seen += line
        if text in line:
            return seen
    raise AssertionError(f"ended without {text!r}: {seen}")


def test_first_one_keeps_what_was_finished(start: Start, folder: Path) -> None:
    """Ctrl-C: what was finished is in the file and in the summary, the rest is cancelled, exit code 130."""
    write_lines(folder / "jobs.jsonl", {"query": "quick"}, *({"query": f"wait {n}"} for n in range(100)))
    process = start("run", "wait.toml", "--input", "jobs.jsonl", "--out", "out.jsonl", "--max-concurrent", "2")
    read_until(process, "completed")
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=LIMIT)
    assert process.returncode == 130
    records = lines_of(folder / "out.jsonl")
    assert [record["result"] for record in records if record["status"] == "completed"] == ["quick"]
    rest = [record for record in records if record["status"] != "completed"]
    assert rest
    assert {record["status"] for record in rest} == {"cancelled"}
    assert all("interrupted" in record["error"]["text"] for record in rest)
    assert len(records) < 101
    assert "1 completed" in out
    rows = [line for line in out.splitlines() if " s  " in line]
    assert "  completed  " in rows[0], "the first row of the table, whether there is a title above it or not"
    assert f"{len(rest)} cancelled" in out


def test_second_one_ends_at_once(start: Start, folder: Path) -> None:
    """A second Ctrl-C does not wait for an agent that does not listen."""
    process = start("run", "stubborn.toml", "wait.toml", "--prompt", "quick", "--out", "out.jsonl")
    read_until(process, "completed")
    process.send_signal(signal.SIGINT)
    read_until(process, "interrupted")
    before = time.monotonic()
    process.send_signal(signal.SIGINT)
    process.wait(timeout=LIMIT)
    assert process.returncode == 130
    assert time.monotonic() - before < 3.0
    assert [record["status"] for record in lines_of(folder / "out.jsonl")] == ["completed"]


@pytest.mark.parametrize("lines", ["", '{"query": "a"}\n'])
def test_while_it_waits_for_input(start: Start, folder: Path, lines: str) -> None:
    """Ctrl-C ends a wait for input, before and after the first line."""
    os.mkfifo(folder / "pipe")
    process = start("run", "wait.toml", "--input", "pipe", "--events", "/dev/stderr")
    with open(folder / "pipe", "w") as pipe:  # opens when the other end is opened
        pipe.write(lines)
        pipe.flush()
        if lines:
            read_until(process, "agent_started")
        process.send_signal(signal.SIGINT)
        process.wait(timeout=LIMIT)
    assert process.returncode == 130


def test_read_goes_on_without_interrupt() -> None:
    """A read that is not interrupted returns its line."""
    with Interrupt() as interrupt:
        assert interrupt.read(lambda: b"line") == b"line"
        assert not interrupt.requested


def test_read_ends_after_interrupt() -> None:
    """After Ctrl-C a read that blocks, and every later one, is the end of the input; the stop ran."""
    stops: list[str] = []

    def blocked() -> bytes:
        signal.raise_signal(signal.SIGINT)
        raise AssertionError("the read was not left")

    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with Interrupt() as interrupt:
            interrupt.stop_with(lambda: stops.append("stop"))
            assert interrupt.read(blocked) == b""
            assert interrupt.requested
            assert interrupt.read(lambda: b"line") == b""
        assert stops
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, previous)


def test_stop_named_after_the_interrupt_runs_at_once() -> None:
    """A Ctrl-C that came before there was something to stop is not forgotten."""
    stops: list[Any] = []
    with Interrupt() as interrupt:
        interrupt.requested = True
        interrupt.stop_with(lambda: stops.append(1))
    assert stops == [1]


def test_ignored_signal_stays_ignored() -> None:
    """A job in the background, which ignores Ctrl-C, goes on ignoring it."""
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Interrupt():
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, previous)

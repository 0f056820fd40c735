"""Several processes at one session."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from actors import Sessions

ROOT = Path(__file__).parents[2]
TALKER = """
import sys
from actors import AgentManifest, AgentPool, FunctionDriver, Sessions
path, name, asks = sys.argv[1], sys.argv[2], int(sys.argv[3])
driver = FunctionDriver(lambda request: f"{name} {len(request.messages)}", context_window=100_000)
with Sessions(path) as sessions, AgentPool(driver, sessions=sessions) as pool:
    talk = pool.converse(AgentManifest(name=name), "s")
    for number in range(asks):
        outcome = talk.ask(f"{name} {number}")
        error = "" if outcome.error is None else type(outcome.error).__name__
        text = outcome.result.text if outcome.ok else outcome.error.text
        print(f"{outcome.status} {error} {text}", flush=True)
"""


def talkers(path: Path, names: str, asks: int) -> list[subprocess.Popen[str]]:
    """Processes that talk in one session at the same time."""
    return [
        subprocess.Popen(
            [sys.executable, "-c", TALKER, str(path), name, str(asks)], stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        for name in names
    ]


@pytest.mark.process
def test_two_processes_at_one_session(tmp_path: Path) -> None:
    """S3: each ask is stored, or ends with a ``SessionConflict`` and its answer; the numbers have no gap, and each turn
    saw exactly those before it.
    """
    path = tmp_path / "chats.db"
    programs = talkers(path, "ab", 20)
    lines = [line for program in programs for line in program.communicate(timeout=60)[0].splitlines()]
    assert [program.returncode for program in programs] == [0, 0]
    assert {tuple(line.split()[:2]) for line in lines} <= {("completed", "a"), ("completed", "b")} | {
        ("failed", "SessionConflict")
    }
    with Sessions(path) as sessions:
        turns = sessions.get("s").turns()
    assert [turn.number for turn in turns] == list(range(1, len(turns) + 1))
    assert [int(turn.text.split()[1]) for turn in turns] == [2 * turn.number - 1 for turn in turns]
    assert len(turns) == sum(line.startswith("completed") for line in lines)
    assert len(lines) == 40


@pytest.mark.process
def test_a_kill_leaves_whole_turns(tmp_path: Path) -> None:
    """S1: what was told of is there; nothing is half there, and another process goes on."""
    path = tmp_path / "chats.db"
    (program,) = talkers(path, "k", 1_000_000)
    assert program.stdout is not None
    told = [program.stdout.readline() for _ in range(10)]
    os.kill(program.pid, signal.SIGKILL)
    told += program.stdout.read().splitlines()[:-1]
    program.stdout.close()
    program.wait()
    with Sessions(path) as sessions:
        turns = sessions.get("s").turns()
        assert len(told) <= len(turns)
        assert [(turn.number, len(turn.messages)) for turn in turns] == [
            (number, 2) for number in range(1, len(turns) + 1)
        ]
    (again,) = talkers(path, "a", 1)
    assert again.communicate(timeout=60)[0].startswith("completed")

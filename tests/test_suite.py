"""The tests themselves: what they share is there once, and what starts processes can be left out."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
HOMES = {"Gate": "waiting.py", "eventually": "waiting.py"}
DEFINED = re.compile(rf"^ *(?:class|def|async def) ({'|'.join(HOMES)})\b", re.MULTILINE)

STARTS = """
import os, subprocess
import pytest

STARTS = {
    "run": lambda: subprocess.run("true", check=True),
    "system": lambda: os.system("true"),
    "fork": lambda: os.waitpid(os.fork() or os._exit(0), 0),
    "posix_spawn": lambda: os.waitpid(os.posix_spawn("/bin/sh", ["sh", "-c", "true"], {}), 0),
}
each = pytest.mark.parametrize("start", STARTS.values(), ids=STARTS)

@each
def test_unmarked(start):
    start()

@pytest.fixture(scope="module")
def made():
    STARTS["run"]()

def test_unmarked_by_a_fixture(made): pass

def test_that_starts_none(): pass

@pytest.mark.process
@each
def test_marked(start):
    start()
"""


def test_there_is_one_way_to_wait() -> None:
    """One ``Gate`` and one ``eventually``: who needs more of them adds it there."""
    found = [
        (name, path.relative_to(TESTS).as_posix())
        for path in TESTS.rglob("*.py")
        for name in DEFINED.findall(path.read_text(encoding="utf-8"))
    ]
    assert sorted(found) == sorted(HOMES.items())


@pytest.mark.process
def test_a_test_that_starts_a_process_has_the_mark(tmp_path: Path) -> None:
    """Without it, it fails at its end: however it starts one, itself or by a fixture."""
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = process: starts one\n")
    (tmp_path / "test_starts.py").write_text(STARTS)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.conftest", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(command, cwd=TESTS.parent, capture_output=True, text=True, timeout=60, check=False)
    summary = done.stdout.splitlines()
    assert "10 passed, 5 errors" in summary[-1], done.stdout + done.stderr
    failed = [line.split("::")[1].split(" - ")[0] for line in summary if line.startswith("ERROR ")]
    assert failed == [f"test_unmarked[{how}]" for how in ("run", "system", "fork", "posix_spawn")] + [
        "test_unmarked_by_a_fixture"
    ]

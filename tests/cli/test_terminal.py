"""What is seen: on a terminal, in a pipe, and when nobody reads."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

import actors

from .conftest import LIMIT, START, environment, lines_of, write_lines

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Start = Callable[..., subprocess.Popen[str]]


def on_terminal(folder: Path, *args: str, term: str = "xterm") -> tuple[str, int]:
    """Run the command line on a terminal of its own; return all that it wrote, and the exit code."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", START, *args],
        cwd=folder,
        env={**environment(), "TERM": term, "COLUMNS": "120"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    seen = b""
    try:
        while True:
            try:
                chunk = os.read(ours, 65536)
            except OSError:  # the other end was closed
                break
            if not chunk:
                break
            seen += chunk
        return seen.decode(), process.wait(timeout=LIMIT)
    finally:
        process.kill()
        process.wait()
        os.close(ours)


@pytest.mark.process
def test_live_display(folder: Path) -> None:
    """On a terminal: running, queued, done, failed, tokens and rate are drawn, and no money where none was."""
    write_lines(folder / "jobs.jsonl", *({"query": f"q{n}"} for n in range(5)), {"query": "fail"})
    seen, code = on_terminal(folder, "run", "ask.toml", "--input", "jobs.jsonl")
    assert code == 1
    for word in ("running", "queued", "done", "failed", "tokens", "/s"):
        assert word in seen
    assert "$" not in seen
    assert "\x1b[?25l" in seen, "the cursor was not hidden: no live display"
    assert seen.rindex("\x1b[?25h") > seen.rindex("\x1b[?25l"), "the cursor stayed hidden"
    assert "ask: failed in" in seen
    assert "6 agents: 5 completed, 1 failed" in seen


@pytest.mark.process
@pytest.mark.parametrize(("term", "option"), [("dumb", "-v"), ("xterm", "-q")])
def test_no_live_display(folder: Path, term: str, option: str) -> None:
    """A terminal that cannot redraw gets plain lines, -q gets nothing."""
    seen, code = on_terminal(folder, "run", "ask.toml", "--prompt", "x", option, term=term)
    assert code == 0
    assert "\x1b[?25l" not in seen
    assert ("completed in" in seen) is (option == "-v")


def test_plain_lines_in_a_pipe(start: Start) -> None:
    """In a pipe there is a line for each agent and no escape sequence."""
    out, err = start("run", "ask.toml", "--prompt", "hello").communicate(timeout=LIMIT)
    assert re.search(r"^#1 ask: completed in .*: hello: answer to hello$", err, re.MULTILINE)
    assert "\x1b" not in out + err


def test_results_cannot_move_the_cursor(cli: Callable[..., Any]) -> None:
    """Control characters of a query or a result do not reach the terminal."""
    result = cli("run", "wait.toml", "--prompt", "a\x1b[2Jb\u202ec")
    assert result.exit_code == 0
    assert "\x1b" not in result.output
    assert "\u202e" not in result.output


def test_reader_that_goes_away(start: Start, folder: Path) -> None:
    """``| head``: no traceback, and the exit code and the file are those of the work."""
    read_end, write_end = os.pipe()
    os.close(read_end)
    process = start("run", "ask.toml", "--prompt", "x", "--out", "out.jsonl", stdout=write_end)
    os.close(write_end)
    _, err = process.communicate(timeout=LIMIT)
    assert process.returncode == 0
    assert "Broken" not in err
    assert "Traceback" not in err
    assert len(lines_of(folder / "out.jsonl")) == 1


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@pytest.mark.parametrize("args", [("run", "ask.toml", "--prompt", "x"), ("status", "ask.toml")])
def test_full_standard_output(start: Start, args: tuple[str, ...]) -> None:
    """An answer that cannot be written is told, with exit code 1."""
    with open("/dev/full", "w") as full:
        process = start(*args, stdout=full)
        _, err = process.communicate(timeout=LIMIT)
    assert process.returncode == 1
    assert "error: standard output cannot be written: No space left" in err
    assert "Traceback" not in err


@pytest.mark.process
def test_narrow_encoding(folder: Path) -> None:
    """A locale without the characters of a result does not end the command."""
    process = subprocess.run(
        [sys.executable, "-c", START, "run", "wait.toml", "--prompt", "grün \N{SNOWMAN}"],
        cwd=folder,
        env={**environment(), "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    assert "gr\\xfcn \\u2603" in process.stdout


@pytest.mark.process
def test_help_is_quick(folder: Path) -> None:
    """``actors --help`` does not wait for what it does not need: rich, and the rooms of the commands."""
    code = (
        "import atexit, sys;"
        "atexit.register(lambda: print(*(name for name in sys.modules if name.startswith(('rich', 'actors.cli')))));"
        "from actors.cli.main import main; main()"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code, "--help"], env=environment(), check=True, capture_output=True, text=True
    ).stdout
    imported = set(shown.splitlines()[-1].split())
    assert "actors.cli.main" in imported
    assert not {"rich", "actors.cli.run", "actors.cli.check"} & imported


def test_help_shows_exit_codes(cli: Callable[..., Any]) -> None:
    """The help of ``run`` names every option and the exit codes."""
    text = cli("run", "--help").stdout
    for word in (
        "--prompt",
        "--input",
        "--glob",
        "--max-concurrent",
        "--timeout",
        "--out",
        "--events",
        "--driver",
    ):
        assert word in text
    assert "130 interrupted" in " ".join(text.split())


@pytest.mark.process
def test_the_package_runs_as_the_command() -> None:
    """``python -m actors`` is ``actors``."""
    ran = subprocess.run(
        [sys.executable, "-m", "actors", "--version"], env=environment(), capture_output=True, text=True, check=True
    )
    assert ran.stdout == f"actors {actors.__version__}\n"


def test_version(cli: Callable[..., Any]) -> None:
    """``actors --version`` names the version."""
    assert cli("--version").stdout == f"actors {actors.__version__}\n"


def test_long_queries_and_results_leave_room_for_the_rest(cli: Callable[..., Any], folder: Path) -> None:
    """However long queries and results are, id, agent, status and time are whole, and of a path the end is seen."""
    deep = folder / ("d" * 100) / ("e" * 100)
    deep.mkdir(parents=True)
    (deep / "the_file.py").touch()
    lines = cli("run", "ask.toml", "--glob", "**/*.py", "--prompt", "{path}").stdout.splitlines()
    row = next(line for line in lines if "the_file.py" in line)
    assert re.match(r" *\d+ +ask +completed +\d\.\d\d s +…e+/the_file\.py +answer to d+…$", row.rstrip())
    assert max(map(len, lines)) <= 160

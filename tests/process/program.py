"""Runs a Python program in a process of its own, with a hard limit."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import actors

LIMIT = 30.0
"""Seconds that a program may take. None of them is meant to take long."""
ROOT = Path(actors.__file__).parents[1]
PROGRAMS = Path(__file__).parent / "programs"
STRICT = ("-X", "dev", "-W", "error")
FORKING = (*STRICT, "-W", "ignore:This process:DeprecationWarning")
"""As strict, but without the warning of 3.12 that a fork beside threads may deadlock: that it does not is tested."""


@dataclass(frozen=True)
class Ended:
    """How a program ended."""

    code: int
    lines: list[str]
    err: str

    def clean(self) -> list[str]:
        """What it printed (that was not read yet), after an end with code 0 and nothing on standard error."""
        assert (self.code, self.err) == (0, ""), f"printed {self.lines}"
        return self.lines


class Program:
    """A program that runs. Its standard output is read line by line: so it tells where it is, and nobody sleeps.

    Guarantees: it ends within ``limit`` seconds; at the limit it dumps the stacks of its threads first.
    """

    def __init__(
        self,
        source: str | Path,
        *args: str,
        options: tuple[str, ...] = STRICT,
        limit: float = LIMIT,
        cwd: Path | None = None,
    ) -> None:
        named = [str(source)] if isinstance(source, Path) else ["-c", source]
        path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
        self._err = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed by close(); a pipe could fill up unread
        self.process = subprocess.Popen(
            [sys.executable, *options, *named, *args],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._err,
            text=True,
            cwd=cwd,
            env={**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"},
            start_new_session=True,
        )
        self.late = False
        self._limit = threading.Timer(limit, self._overdue)
        self._limit.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _overdue(self) -> None:
        self.late = True
        self.process.send_signal(signal.SIGABRT)  # faulthandler dumps the stacks
        try:
            self.process.wait(2)
        except subprocess.TimeoutExpired:
            pass
        self._kill_all()

    def _kill_all(self) -> None:
        try:
            os.killpg(self.process.pid, signal.SIGKILL)  # its children hold the other end of the pipe
        except ProcessLookupError:
            pass

    def line(self) -> str:
        """The next line that it prints."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"ended too early, or hung ({self.late=}): {self.err()}"
        return line.rstrip("\n")

    def await_lines(self, *lines: str) -> None:
        """Wait until it has printed each of *lines*, in any order, and nothing else."""
        assert sorted(self.line() for _ in lines) == sorted(lines), self.err()

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def interrupt(self) -> None:
        """Ctrl-C."""
        self.signal(signal.SIGINT)

    def err(self) -> str:
        """Its standard error so far."""
        self._err.seek(0)
        return self._err.read()

    def end(self) -> Ended:
        """Wait for the end. Fails when the limit had to end it."""
        assert self.process.stdout is not None
        lines = self.process.stdout.read().splitlines()
        code = self.process.wait()
        assert not self.late, f"did not end; printed {lines}; {self.err()}"
        return Ended(code, lines, self.err())

    def close(self) -> None:
        """Leave nothing of it."""
        self._limit.cancel()
        self._limit.join()
        self._kill_all()
        with self.process:  # waits, and closes its pipe
            self._err.close()


def run(source: str | Path, *args: str, options: tuple[str, ...] = STRICT, cwd: Path | None = None) -> Ended:
    """Run a program to its end."""
    with Program(source, *args, options=options, cwd=cwd) as program:
        return program.end()

"""Starts programs quickly, and kills them: one process has imported all they need, and forks each of them."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
import traceback
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).parents[2]
PATIENCE = 60.0
"""Seconds after which a program hangs."""


@dataclass(frozen=True, slots=True)
class End:
    """How a program ended.

    Args:
        code: What it exited with; of one that was killed the negative number of the signal.
        hung: It was killed because it did not end by itself.
        seconds: How long it ran.
    """

    code: int
    hung: bool
    seconds: float

    @property
    def killed(self) -> bool:
        """Was it killed, and not for want of an end?"""
        return self.code == -signal.SIGKILL and not self.hung


class Nursery:
    """A process that forks programs: functions at the top of a module, by ``module:name``.

    A start costs some milliseconds in place of the half second of an import. A program is killed by the nursery with
    ``SIGKILL``, or by itself. What it prints to stderr is in a file.

    Threads: one at a time.
    """

    def __init__(self, *modules: str) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - ourselves
            [sys.executable, "-c", f"from {__name__} import serve; serve()", *modules],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            text=True,
            encoding="utf-8",
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()  # it ends when nobody asks any more

    def run(
        self,
        program: str,
        errors: Path,
        *,
        kill_after: float | None = None,
        patience: float = PATIENCE,
        **arguments: Any,
    ) -> End:
        """Run *program* with *arguments*, which JSON can hold, until it ends.

        Args:
            errors: Gets what it prints to stderr.
            kill_after: Seconds after which it is killed; None leaves it alone.
        Raises:
            RuntimeError: The nursery itself has died.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        asked = {"program": program, "errors": str(errors), "kill_after": kill_after, "patience": patience}
        self._process.stdin.write(json.dumps({**asked, "arguments": arguments}) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"the nursery ended with {self._process.wait()}")
        return End(**json.loads(answer))


def serve() -> None:
    """Fork what is asked for, one after another, until stdin ends."""
    for module in sys.argv[1:]:
        import_module(module)
    for line in sys.stdin:
        end = _raise(**json.loads(line))
        print(json.dumps({"code": end.code, "hung": end.hung, "seconds": end.seconds}), flush=True)


def _raise(program: str, errors: str, kill_after: float | None, patience: float, arguments: dict[str, Any]) -> End:
    """Fork it, and wait for its end: its end of a pipe is closed then, however it came."""
    begin = time.monotonic()
    ours, its = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(ours)
        _live(program, errors, patience, arguments)
    os.close(its)
    hung = False
    try:
        if not select.select([ours], [], [], patience if kill_after is None else kill_after)[0]:
            hung = kill_after is None
            os.kill(pid, signal.SIGKILL)  # nobody else has waited for it: the number is still its own
    finally:
        os.close(ours)
    _, status = os.waitpid(pid, 0)
    return End(os.waitstatus_to_exitcode(status), hung, time.monotonic() - begin)


def _live(program: str, errors: str, patience: float, arguments: dict[str, Any]) -> None:
    """The child: it never returns."""
    code = 1
    try:
        import faulthandler

        file = os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        null = os.open(os.devnull, os.O_RDWR)
        for old, new in ((null, 0), (null, 1), (file, 2)):
            os.dup2(old, new)
        faulthandler.dump_traceback_later(patience * 0.9, file=2)
        module, _, name = program.partition(":")
        getattr(import_module(module), name)(**arguments)
        code = 0
    except BaseException:  # noqa: BLE001 - a fork must not go on with its parent's work
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    serve()

"""Tools that misbehave in processes of their own, and one that does not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from typing import Any

from actors import ToolResult, tool

HANGS = 2.0
"""Seconds until one that hangs is killed."""


def for_ever() -> None:
    threading.Event().wait()


@tool(isolation="process", timeout=7)
def good(number: int) -> int:
    """Double a number."""
    return 2 * number


@tool(isolation="process", timeout=HANGS)
def deaf() -> None:
    """Ignore the end."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    for_ever()


@tool(isolation="process", timeout=HANGS)
def forks_and_hangs() -> None:
    """Hang twice."""
    os.fork()
    for_ever()


@tool(isolation="process", timeout=HANGS)
def closes_and_hangs() -> None:
    """Hang without descriptors."""
    os.closerange(0, 4096)
    for_ever()


@tool(isolation="process")
def closes_and_returns() -> str:
    """Answer without descriptors."""
    os.closerange(0, 4096)
    return "nobody hears it"


@tool(isolation="process")
def dies_in_the_middle() -> None:
    """Write half an answer, leave somebody who holds the pipe, and die."""
    if os.fork() == 0:
        for_ever()
    for descriptor in range(3, 64):
        try:
            os.write(descriptor, b'["half')
        except OSError:
            pass
    os._exit(3)


@tool(isolation="process")
def writes_rubbish() -> None:
    """Write an answer of its own."""
    for descriptor in range(3, 64):
        try:
            os.write(descriptor, b"[" * 10_000 + b"\n")
        except OSError:
            pass
    for_ever()


class Trap:
    """Runs code in whoever reads its pickle."""

    def __reduce__(self) -> Any:
        return exit, ("the reader",)


@tool(isolation="process")
def answers_a_trap() -> ToolResult:
    """Answer what must not be read."""
    return ToolResult(Trap())  # type: ignore[arg-type]


class Silent:
    """Can be neither written nor shown."""

    def __reduce__(self) -> Any:
        raise ValueError("no pickle")

    def __repr__(self) -> str:
        raise ValueError("no repr")


@tool(isolation="process")
def answers_nothing_to_write() -> Silent:
    """Answer what cannot be written."""
    return Silent()


@tool(isolation="process", timeout=HANGS)
def floods() -> None:
    """Write for ever to both outputs."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)  # not onto the terminal of who runs the tests
    while True:
        os.write(1, b"x" * 65_536)


@tool(isolation="process")
def answers_much() -> str:
    """Answer with far too much."""
    return "\x00" * 50_000_000


@tool(isolation="process")
def leaves_at_once() -> None:
    """Leave without a word."""
    os._exit(5)


@tool(isolation="process", timeout=HANGS)
def stops_itself() -> None:
    """Stop."""
    os.kill(os.getpid(), signal.SIGSTOP)


@tool(isolation="process")
def leaves_children() -> str:
    """Leave children that hold all descriptors open."""
    for _ in range(2):
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], close_fds=False)
    return "left"


class Odd(Exception):
    """Cannot be pickled, and has no text."""

    def __init__(self) -> None:
        self.lock = threading.Lock()

    def __str__(self) -> str:
        raise RuntimeError("no text")


@tool(isolation="process")
def raises_what_is_odd() -> None:
    """Raise what cannot travel."""
    raise Odd


@tool(isolation="process")
def keeps_threads() -> str:
    """Answer while threads and callbacks would hold the end up."""
    import atexit

    atexit.register(for_ever)
    threading.Thread(target=for_ever).start()
    return "threads"


ENDS = {
    deaf: "ran longer than 2.0 s, and its process was killed",
    forks_and_hangs: "ran longer than 2.0 s, and its process was killed",
    closes_and_hangs: "ran longer than 2.0 s, and its process was killed",
    closes_and_returns: "died: it gave no answer",
    dies_in_the_middle: r"died: it gave no answer \(exit code 3\)",
    writes_rubbish: "gave an answer that cannot be read",
    answers_a_trap: "failed: it gave no result with a text",
    answers_nothing_to_write: "failed: ValueError: no repr",
    floods: "ran longer than 2.0 s, and its process was killed",
    answers_much: r"^\x00{1000000}\n\[cut: 50,000,000 characters were answered\]$",
    leaves_at_once: r"died: it gave no answer \(exit code 5\)",
    stops_itself: "ran longer than 2.0 s, and its process was killed",
    leaves_children: "^left$",
    raises_what_is_odd: "failed: Odd: <no text",
    keeps_threads: "^threads$",
}
"""How each call has to end: a pattern of what it answers, or fails with."""

"""Runs a child process for a tool: whatever happens to the tool, the process ends with it."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import threading
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from ..core.clock import SYSTEM_CLOCK
from ..errors import ToolFailed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..core.waiting.cancel import CancelToken

CHUNK = 65_536
GLANCE = 0.05
"""Seconds between looks at a process whose end cannot be waited for together with its output (no ``pidfd``)."""
LAST_CHARACTERS = 1_000
"""So much of what it wrote last stands in the error of a process that was killed at its timeout."""
LAST_WORDS = 1.0
"""Seconds that the output may stay open after the process was killed: who left its group may still hold it."""


@dataclass(frozen=True, slots=True)
class ProcessResult:
    """How a process ended.

    Args:
        code: Its exit code; negative: the signal that ended it; None: not known, as this program ignores ``SIGCHLD``.
        stdout, stderr: What it wrote, as far as the limit goes; what is no UTF-8 is replaced.
        truncated: Did it write more than that?
    """

    code: int | None
    stdout: str
    stderr: str
    truncated: bool = False


def run_process(
    argv: Sequence[str],
    *,
    cancel: CancelToken,
    timeout: float | None = None,
    cwd: str | os.PathLike[str] | None = None,
    env: Mapping[str, str] | None = None,
    max_output_bytes: int = 1_000_000,
) -> ProcessResult:
    """Run *argv*, without a shell, and wait for its end.

    It runs in a process group of its own, without standard input. A cancel, the timeout and its own end kill what is
    left of the group, with ``SIGKILL``.

    Args:
        argv: The program and its arguments.
        cancel: The token of the tool call.
        timeout: Seconds.
        cwd: Its working folder.
        env: Its whole environment; None: that of this process.
        max_output_bytes: So much of each of its two outputs is kept, of its beginning and its end; the rest is dropped.
    Raises:
        ToolFailed: It could not be started, or ran longer than *timeout*.
        Cancelled: The call was cancelled; the process is dead.
    """
    if os.name != "posix":
        raise ToolFailed("child processes of tools need a POSIX system: their group must be killed with them")
    if isinstance(argv, str):
        raise TypeError(f"argv is a list of the program and its arguments, got the text {argv!r}")
    cancel.check()
    if not argv:
        raise ToolFailed("nothing could be started: argv is empty")
    try:
        process = subprocess.Popen(  # noqa: S603 - which commands are allowed is the tool's to decide
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=cwd,
            env=None if env is None else dict(env),
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        raise ToolFailed(f"{argv[0]} could not be started: {error}") from error
    try:
        try:
            watched = _Run(process, cancel, timeout, max_output_bytes)
        except OSError as error:  # no file descriptor is left
            _kill_group(process.pid)
            raise ToolFailed(f"{argv[0]} could not be watched: {error}") from error
        with watched as run:
            run.to_the_end()
    finally:
        is_dead = _reap(process)
    cancel.check()
    if not is_dead:
        raise ToolFailed(f"{argv[0]} could not be killed: it runs as another user")
    if run.is_late:
        raise ToolFailed(f"{argv[0]} ran longer than {timeout} s and was killed{run.last_words()}")
    code = None if run.is_lost else process.returncode
    return ProcessResult(code, run.text_of(process.stdout), run.text_of(process.stderr), run.truncated)


class _Run:
    """A process that runs, its output so far, and what wakes the thread that waits for it."""

    def __init__(
        self, process: subprocess.Popen[bytes], cancel: CancelToken, timeout: float | None, limit: int
    ) -> None:
        self._process = process
        self._end = None if timeout is None else SYSTEM_CLOCK.monotonic() + timeout
        self._kept = {process.stdout: _Kept(limit), process.stderr: _Kept(limit)}
        self._killed = False
        self.is_late = False
        self.is_lost = False
        self._lock = threading.Lock()
        self._selector = selectors.DefaultSelector()
        self._bell, self._rope = self._fds = list(os.pipe())
        self._selector.register(self._bell, selectors.EVENT_READ)
        for pipe in self._kept:
            assert pipe is not None
            self._selector.register(pipe, selectors.EVENT_READ, pipe)
        self._pidfd = _pidfd(process.pid)
        if self._pidfd is not None:
            self._fds.append(self._pidfd)
            self._selector.register(self._pidfd, selectors.EVENT_READ)
        self._cancel = cancel
        self._forget = cancel.on_cancel(self._ring)

    def __enter__(self) -> _Run:
        return self

    def __exit__(self, *_: object) -> None:
        self._kill()
        self._forget()
        self._selector.close()
        with self._lock:  # the number of a closed descriptor is soon another's
            fds, self._fds = self._fds, []
            for fd in fds:
                os.close(fd)

    def _ring(self) -> None:
        with self._lock:
            if self._fds:
                os.write(self._rope, b"!")

    def text_of(self, pipe: IO[bytes] | None) -> str:
        return self._kept[pipe].text()

    @property
    def truncated(self) -> bool:
        return any(kept.left_out for kept in self._kept.values())

    def last_words(self) -> str:
        """What it wrote last, for an error."""
        texts = [kept.text()[-LAST_CHARACTERS:] for kept in self._kept.values()]
        return "".join(f"; its {name}: …{text}" for name, text in zip(("output", "errors"), texts, strict=True) if text)

    def to_the_end(self) -> None:
        """Read until both outputs are closed and the process has ended; kill what is left when that takes too long."""
        open_pipes = 2
        while open_pipes or not self._has_ended():
            if not self._killed and (self._cancel.cancelled or self._has_ended() or self._is_over_time()):
                self._kill()
                self._end = SYSTEM_CLOCK.monotonic() + LAST_WORDS
            elif self._killed and self._is_over_time():
                return
            for key, _ in self._selector.select(self._patience()):
                if key.data is not None and not self._read(key.data):
                    self._selector.unregister(key.data)
                    open_pipes -= 1
                elif key.data is None:
                    self._selector.unregister(key.fd)  # the bell, or the end of the process: it would stay readable

    def _is_over_time(self) -> bool:
        over = self._end is not None and SYSTEM_CLOCK.monotonic() >= self._end
        self.is_late = self.is_late or (over and not self._killed)
        return over

    def _patience(self) -> float | None:
        if self._cancel.cancelled or self._pidfd is None:
            return GLANCE
        return None if self._end is None else max(0.0, self._end - SYSTEM_CLOCK.monotonic())

    def _has_ended(self) -> bool:
        # Looked at, not reaped: its group cannot be given to somebody else before it is killed.
        try:
            return os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        except ChildProcessError:  # the program ignores SIGCHLD: the system has reaped it
            self.is_lost = True
            return True

    def _kill(self) -> None:
        self._killed = True
        if self._process.returncode is None:
            _kill_group(self._process.pid)

    def _read(self, pipe: IO[bytes]) -> bool:
        data = os.read(pipe.fileno(), CHUNK)
        self._kept[pipe].add(data)
        return bool(data)


class _Kept:
    """The beginning and the end of an output, each half of what may be kept."""

    def __init__(self, limit: int) -> None:
        self._half = limit // 2
        self._head = bytearray()
        self._tail = bytearray()
        self.left_out = 0

    def add(self, data: bytes) -> None:
        room = self._half - len(self._head)
        self._head += data[:room]
        self._tail += data[max(0, room) :]
        too_much = len(self._tail) - self._half
        if too_much > 0:
            self.left_out += too_much
            del self._tail[:too_much]

    def text(self) -> str:
        gap = f"\n[{self.left_out:,} bytes left out]\n".encode() if self.left_out else b""
        return (self._head + gap + self._tail).decode(errors="replace")


def _reap(process: subprocess.Popen[bytes]) -> bool:
    """Close its outputs and take its exit code; False when it lives on: one that has changed its user is not ours to
    kill.
    """
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
    try:
        process.wait(LAST_WORDS)
    except subprocess.TimeoutExpired:
        return False
    return True


def _kill_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):  # nobody is left (macOS says it the second way)
        pass


def _pidfd(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):  # not every system has one, or allows it
        return None

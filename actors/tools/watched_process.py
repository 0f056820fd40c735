"""A child process that a thread waits for, and all that can end the wait. POSIX only."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import threading
from typing import TYPE_CHECKING

from ..core.clock import SYSTEM_CLOCK

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..core.waiting.cancel import CancelToken

    Sink = Callable[[bytes], object]

CHUNK = 65_536
GLANCE = 0.05
"""Seconds between looks at a process whose end cannot be waited for together with its output (no ``pidfd``)."""
LAST_WORDS = 1.0
"""Seconds that the output may stay open after the process was killed: who left its group may still hold it."""


class WatchedProcess:
    """A process that leads its own group, and what wakes the thread that waits for it.

    Guarantees: when the block is left, the group has been killed; nothing that the process does, or leaves behind,
    holds the wait up for more than ``LAST_WORDS`` after that.

    Locks: ``_lock`` guards ``_fds``, the only thing that another thread (that of the cancel) uses.
    """

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        cancel: CancelToken,
        timeout: float | None,
        outputs: Mapping[int, Sink],
        *,
        feed: tuple[int, bytes] | None = None,
    ) -> None:
        """Watch *process*.

        Args:
            process: Just started, in a session of its own.
            cancel: Kills it.
            timeout: Seconds, then it is killed.
            outputs: Descriptors to read from, each with what takes a piece of what was read.
            feed: A descriptor to write to, and what; it is written as the process reads it.
        Raises:
            OSError: No file descriptor is left.
        """
        self._process = process
        self._outputs = outputs
        self._cancel = cancel
        self._killed = False
        self.is_late = False
        self.is_lost = False
        self.allow(timeout)
        self._lock = threading.Lock()
        self._fds: list[int] = []
        self._selector = selectors.DefaultSelector()
        try:
            self._bell, self._rope = os.pipe()
            self._fds = [self._bell, self._rope]
            self._selector.register(self._bell, selectors.EVENT_READ)
            for output in outputs:
                self._selector.register(output, selectors.EVENT_READ)
            self._feed = memoryview(b"") if feed is None else memoryview(feed[1])
            if feed is not None:
                os.set_blocking(feed[0], False)
                self._selector.register(feed[0], selectors.EVENT_WRITE)
            self._pidfd = _pidfd(process.pid)
            if self._pidfd is not None:
                self._fds.append(self._pidfd)
                self._selector.register(self._pidfd, selectors.EVENT_READ)
        except BaseException:
            self._close()
            raise
        self._forget = cancel.on_cancel(self._ring)

    def __enter__(self) -> WatchedProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self._kill()
        self._forget()
        self._close()

    def allow(self, seconds: float | None) -> None:
        """It has *seconds* from now; None: as long as it wants."""
        self._end = None if seconds is None else SYSTEM_CLOCK.monotonic() + seconds

    def to_the_end(self, is_enough: Callable[[], bool] = lambda: False) -> None:
        """Read until all outputs are closed and the process has ended, or *is_enough*; kill what is left when that
        takes too long.
        """
        open_outputs = len(self._outputs)
        while open_outputs or not self._has_ended():
            if not self._killed and (self._cancel.cancelled or self._has_ended() or self._is_over_time()):
                self._kill()
                self._end = SYSTEM_CLOCK.monotonic() + LAST_WORDS
            elif self._killed and self._is_over_time():
                return
            for key, _ in self._selector.select(self._patience()):
                if key.fd in self._outputs:
                    if not self._read(key.fd):
                        self._selector.unregister(key.fd)
                        open_outputs -= 1
                    elif is_enough():
                        return
                elif key.events == selectors.EVENT_WRITE:
                    if not self._write(key.fd):
                        self._selector.unregister(key.fd)
                else:
                    self._selector.unregister(key.fd)  # the bell, or the end of the process: it would stay readable

    def _ring(self) -> None:
        with self._lock:
            if self._fds:
                os.write(self._rope, b"!")

    def _close(self) -> None:
        self._selector.close()
        with self._lock:  # the number of a closed descriptor is soon another's
            fds, self._fds = self._fds, []
            for fd in fds:
                os.close(fd)

    def _is_over_time(self) -> bool:
        over = self._end is not None and SYSTEM_CLOCK.monotonic() >= self._end
        self.is_late = self.is_late or (over and not self._killed)
        return over

    def _patience(self) -> float | None:
        if self._cancel.cancelled or self._pidfd is None:
            return GLANCE
        ends = [] if self._end is None else [max(0.0, self._end - SYSTEM_CLOCK.monotonic())]
        if self._cancel.deadline is not None and not self._killed:
            ends.append(self._cancel.deadline.remaining())
        return min(ends, default=None)

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
            kill_group(self._process.pid)

    def _read(self, output: int) -> bool:
        data = os.read(output, CHUNK)
        self._outputs[output](data)
        return bool(data)

    def _write(self, feed: int) -> bool:
        """Write a piece; is more left?"""
        try:
            self._feed = self._feed[os.write(feed, self._feed[:CHUNK]) :]
        except BlockingIOError:
            pass
        except BrokenPipeError:  # it does not want it
            return False
        return bool(self._feed)


def reap(process: subprocess.Popen[bytes]) -> bool:
    """Take the exit code of a process that was killed; False when it lives on: one that has changed its user is not
    ours to kill.
    """
    try:
        process.wait(LAST_WORDS)
    except subprocess.TimeoutExpired:
        return False
    return True


def kill_group(pid: int) -> None:
    """Kill all that is left of the group that the process *pid* leads."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):  # nobody is left (macOS says it the second way)
        pass


def _pidfd(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):  # not every system has one, or allows it
        return None

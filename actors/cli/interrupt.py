"""Signals: the first Ctrl-C (or SIGTERM) stops the run and loses nothing, the second one ends the process; SIGUSR1
shows what the agents do.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import threading
from typing import TYPE_CHECKING, Self

from .terminal import say

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType, TracebackType

EXIT_INTERRUPTED = 130
_NO_MORE = b"\0"


class _LeaveRead(BaseException):
    """Thrown by the signal handler into a read that blocks."""


STOPPING = (signal.SIGINT, signal.SIGTERM)
SHOWING = tuple(getattr(signal, name) for name in ("SIGUSR1",) if hasattr(signal, name))  # not on Windows


class Interrupt:
    """Listens for Ctrl-C, SIGTERM and SIGUSR1 while it is entered.

    Guarantees:
        A first Ctrl-C or SIGTERM interrupts nothing but a read inside :meth:`read`: no outcome is lost between the pool
        and the file. A second one ends the process at once.

    Locks:
        None. A handler runs in the main thread between any two instructions, perhaps while that thread holds a
        lock of the pool, so it may call nothing of the pool's; and it runs late when the main thread waits. So
        the interpreter writes each signal into a socket, and a thread of ours reads it there and effects.
    """

    def __init__(self) -> None:
        self.requested = False
        self._in_read = False
        self._stop: Callable[[], None] | None = None
        self._show: Callable[[], str] | None = None
        self._thread: threading.Thread | None = None
        self._ours: socket.socket
        self._theirs: socket.socket
        self._previous: dict[int, signal.Handlers | Callable[[int, FrameType | None], object] | int | None] = {}
        self._previous_fd = -1

    def __enter__(self) -> Self:
        """Take over the signals that are not ignored (as Ctrl-C is for a job in the background); in the main thread
        only.
        """
        if threading.current_thread() is threading.main_thread():
            before = {number: signal.getsignal(number) for number in (*STOPPING, *SHOWING)}
            self._previous = {number: handler for number, handler in before.items() if handler is not signal.SIG_IGN}
        if self._previous:
            self._ours, self._theirs = socket.socketpair()
            self._theirs.setblocking(False)  # the interpreter insists
            self._thread = threading.Thread(target=self._listen, name="actors-interrupt", daemon=True)
            self._thread.start()
            self._previous_fd = signal.set_wakeup_fd(self._theirs.fileno(), warn_on_full_buffer=False)
            for number in self._previous:
                signal.signal(number, self._on_stop if number in STOPPING else self._on_show)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Give the signals back."""
        if self._thread is not None:
            for number, handler in self._previous.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(self._previous_fd)
            self._theirs.send(_NO_MORE)
            self._thread.join()
            self._ours.close()
            self._theirs.close()

    def stop_with(self, stop: Callable[[], None]) -> None:
        """From now on *stop* ends what runs. It may be called from any thread, and repeatedly."""
        self._stop = stop
        self.repeat()

    def show_with(self, show: Callable[[], str]) -> None:
        """From now on SIGUSR1 prints what *show* returns. It may be called from any thread."""
        self._show = show

    def repeat(self) -> None:
        """Stop again, if a stop was requested: for what was admitted while the first one went round."""
        if self.requested and self._stop is not None:
            self._stop()

    def read(self, read_line: Callable[[], bytes]) -> bytes:
        """Call *read_line*, which may block for ever.

        Returns:
            What it returned; ``b""``, as at the end of the input, once a stop was requested.
        """
        try:
            try:
                # The handler throws into the main thread only.
                self._in_read = threading.current_thread() is threading.main_thread()
                return b"" if self.requested else read_line()
            finally:
                self._in_read = False
        except _LeaveRead:
            return b""

    def _on_show(self, signum: int, frame: FrameType | None) -> None:
        """The thread that listens does it."""

    def _on_stop(self, signum: int, frame: FrameType | None) -> None:  # noqa: ARG002 - the signature of a handler
        self.requested = True
        if self._in_read:
            # A read is taken up again after a handler that returns.
            self._in_read = False
            raise _LeaveRead

    def _listen(self) -> None:
        heard = 0
        while (signals := self._ours.recv(1)) != _NO_MORE:
            if signals[0] in SHOWING:
                self._say_what_is_going_on()
            if signals[0] not in STOPPING:
                continue
            heard += 1
            if heard > 1:
                end_now()
            self.requested = True
            say("interrupted: stopping (what is finished is kept; Ctrl-C again ends at once)")
            self.repeat()

    def _say_what_is_going_on(self) -> None:
        try:
            say("no agents yet" if self._show is None else self._show())
        except Exception as error:  # noqa: BLE001 - this thread has to hear the next Ctrl-C
            say(f"cannot show what the agents do: {error!r}")


def end_now() -> None:
    """End the process without waiting for anybody. Every line of the output files was flushed already."""
    if sys.stderr.isatty():
        # A live display hides the cursor.
        with contextlib.suppress(OSError):
            os.write(2, b"\x1b[?25h\n")
    os._exit(EXIT_INTERRUPTED)

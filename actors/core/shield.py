"""Keeps the program's signal handlers out of what must not be torn."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # what the signal module wraps
import signal
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    Handler = Callable[[int, FrameType | None], Any]

SIGNALS = tuple(
    int(getattr(signal, name))
    for name in (
        *("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGBREAK"),
        *("SIGALRM", "SIGVTALRM", "SIGPROF", "SIGCHLD", "SIGWINCH"),
    )
    if hasattr(signal, name)
)
"""Those whose handlers raise, or call us: Ctrl-C, requests to end, timeouts of test runners, "show what you do"."""


class Shield:
    """While it is entered, signals of the main thread wait; their handlers run when it is left.

    Python runs a handler in the main thread between any two instructions. There a ``KeyboardInterrupt`` would leave a
    half-made step behind, and a handler that calls the pool would wait for a lock that its own thread holds. Other
    threads run no handlers: for them it does nothing. It is held while a step is decided, its threads are started and
    its waiters woken: microseconds, never over a wait for an agent. It costs about 3 us (the ``signal`` module, which
    makes enums, costs five times that). Putting a handler back is an ordinary ``signal.signal``: it resets what
    ``signal.siginterrupt`` and a chained ``faulthandler.register`` did to that signal.
    """

    __slots__ = ("_depth", "_held", "_main", "_seen")

    def __init__(self) -> None:
        self._main = threading.main_thread().ident
        self._depth = 0
        self._held: list[tuple[int, Handler]] = []
        self._seen: list[tuple[int, FrameType | None]] = []

    def __enter__(self) -> None:
        if threading.get_ident() != self._main:
            return
        self._depth += 1
        if self._depth > 1:
            return
        try:
            for number in SIGNALS:
                handler = _signal.getsignal(number)
                # Neither ignored nor left to the system, nor asyncio's, which only wakes its loop.
                if callable(handler) and getattr(handler, "__module__", "") != "asyncio.unix_events":
                    self._held.append((number, handler))
                    _signal.signal(number, self._note)
        except ValueError:  # a sub-interpreter: no handler runs in it
            self._held.clear()
        except BaseException:  # from the handler of one that was not held off yet
            self.__exit__()
            raise

    def __exit__(self, *_: object) -> None:
        if threading.get_ident() != self._main:
            return
        if self._depth > 1:
            self._depth -= 1
            return
        try:
            self._release()
        finally:  # a handler that is back already may have raised
            self._depth = 0
            self._deliver()

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._seen.append((number, frame))

    def _release(self) -> None:
        held = self._held
        try:
            while held:
                _signal.signal(*held[-1])
                del held[-1]
        finally:
            if held:
                self._release()

    def _deliver(self) -> None:
        try:
            while self._seen:
                number, frame = self._seen.pop(0)
                handler = _signal.getsignal(number)
                if callable(handler):
                    handler(number, frame)
        finally:
            if self._seen:
                self._deliver()

"""Keeps the program's signal handlers out of what must not be torn."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # what the signal module wraps
import signal
import threading
from operator import is_
from typing import TYPE_CHECKING, Any

from ..checks import Rank, checking, refuse_out_of_order
from . import fork

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


class SignalsHeldOff:
    """While it is entered, signals of the main thread wait; their handlers run when it is left.

    Python runs a handler in the main thread between any two instructions. There a ``KeyboardInterrupt`` would leave a
    half-made step behind, and a handler that calls the pool would wait for a lock that its own thread holds. Other
    threads run no handlers: for them it does nothing. It is held while a step is decided, its threads are started and
    its waiters woken: microseconds, never over a wait for an agent. It costs about 2 us (by the ``signal`` module,
    which makes enums, many times that). Putting a handler back is an ordinary ``signal.signal``: it resets what
    ``signal.siginterrupt`` and a chained ``faulthandler.register`` did to that signal.

    Locks: none; all of it happens in the main thread. ``_depth`` counts how often it is entered, ``_real`` holds the
    handlers that wait, ``_found`` what was set when it was entered last, and ``_handled`` those of them that matter.
    A handler of ours that is still there when it should not be, because another handler has raised in between or
    because of a fork, puts the real one back and calls it.
    """

    __slots__ = ("_depth", "_found", "_generation", "_handled", "_noting", "_real", "_seen", "main")

    def __init__(self) -> None:
        self.main = threading.main_thread().ident
        """The thread from which it keeps signals off. For the others, it does nothing."""
        self._generation = fork.generation()
        self._depth = 0
        self._real: dict[int, Handler] = {}
        self._noting = self._note  # one object, to be told from the handlers of others
        self._found: tuple[Handler | int | None, ...] = (None,) * len(SIGNALS)
        self._handled: list[tuple[int, Handler]] = []
        self._seen: list[tuple[int, FrameType | None]] = []

    def __enter__(self) -> None:
        if threading.get_ident() == self.main:
            self.hold()

    def __exit__(self, *_: object) -> None:
        if threading.get_ident() == self.main:
            self.let_go()

    def hold(self) -> None:
        """Enter it, in the main thread: for who knows that it is there."""
        if self._depth:
            self._depth += 1
            return
        if checking():
            refuse_out_of_order(Rank.SIGNALS)
        try:
            self._hold_off()
        except BaseException:  # from the handler of one that was not held off yet
            self._depth = 0
            self.let_go()
            raise

    def let_go(self) -> None:
        """Leave it, in the main thread."""
        if self._depth > 1:
            self._depth -= 1
            return
        try:
            self._depth = 0  # from here on one that still comes to us is handled
            self._put_all_back()
            if self._seen:
                self._deliver()
        finally:  # a handler may have raised, also before anything was done
            if self._real or self._seen:
                self._settle()

    def _settle(self) -> None:
        """Put every handler back, and only then call those whose signals have come; whichever of them raises."""
        try:
            self._put_all_back()
            self._deliver()
        finally:
            if self._real or self._seen:
                self._settle()

    # Loops stand in functions of their own, not in the ``try`` that must see whatever a handler raises: since 3.12 the
    # jump back to the head of a loop, at which handlers run, may lie outside the range that the ``try`` covers.

    def _hold_off(self) -> None:
        self._depth = 1
        found = tuple(map(_signal.getsignal, SIGNALS))
        if not all(map(is_, found, self._found)):  # seldom: somebody has set a handler
            self._handled = [pair for pair in zip(SIGNALS, found, strict=True) if _is_handled(pair[1])]
            self._found = found
        real, noting = self._real, self._noting
        for number, handler in self._handled:
            real.setdefault(number, handler)
            try:
                before = _signal.signal(number, noting)
            except ValueError as error:
                traceback = error.__traceback__
                if traceback is not None and traceback.tb_next is not None:  # from somebody's handler
                    raise
                real.clear()  # a sub-interpreter: no handler runs in it
                return
            if before is not handler:  # set just now, by the handler of one that came first
                self._heed(number, before)

    def _heed(self, number: int, handler: Any) -> None:
        """*handler* was set while this signal was just being held off: it counts."""
        if _is_handled(handler):
            self._real[number] = handler
        else:  # ignored now, or left to the system or to asyncio: it stays so
            self._real.pop(number, None)
            if handler is not None:
                _signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self._depth and self._generation == fork.generation():
            self._seen.append((number, frame))
            return
        handler = self._put_back(number)
        if handler is not None:
            handler(number, frame)

    def _put_back(self, number: int) -> Handler | None:
        handler = self._real.get(number)
        if handler is not None:
            before = _signal.signal(number, handler)
            self._real.pop(number, None)
            if before is not self._noting and before is not None:  # set meanwhile, by the handler of another signal
                _signal.signal(number, before)
        return handler

    def _put_all_back(self) -> None:
        real, put = self._real, _signal.signal
        for number in list(real):  # each as :meth:`_put_back`, of which a call costs as much as all of it
            handler = real.get(number)
            if handler is not None:
                before = put(number, handler)
                real.pop(number, None)
                if before is not self._noting and before is not None:
                    put(number, before)

    def _deliver(self) -> None:
        while self._seen:
            number, frame = self._seen.pop(0)
            handler = _signal.getsignal(number)
            if callable(handler):
                handler(number, frame)


def _is_handled(handler: object) -> bool:
    """Is it Python's: neither ignored nor left to the system, nor asyncio's, which only wakes its loop?"""
    return callable(handler) and getattr(handler, "__module__", "") != "asyncio.unix_events"

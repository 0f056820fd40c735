"""What the process has once: who must be stopped when the main thread ends, and the threads of its actors."""

from __future__ import annotations

import itertools
import threading
import weakref
from typing import Protocol

from loguru import logger

from ..checks import leaf_rlock
from . import fork
from .signals import SignalsHeldOff
from .threads import Crew

IDLE = "actors-idle"
"""How a thread is called that waits for the next actor."""
LINGER = 0.05
"""Seconds for which it does: a burst of short actors costs few threads, and soon after none is left."""
ENDING = "the program is ending: no pool or actor can be started any more"


class Stoppable(Protocol):
    """An open pool or actor."""

    def mark_at_exit(self) -> None:
        """Let whoever looks see that it is aborted; wake nobody."""

    def abort_at_exit(self) -> None:
        """Abort; do not wait."""

    def end_at_exit(self) -> None:
        """Wait for the end, a bounded time."""


class AtExit:
    """Stops what is open when the main thread ends, so that cleanups run and the exit never hangs.

    It is called by the ``threading`` module before the interpreter joins non-daemon threads: ``atexit`` comes later,
    when a user's own non-daemon thread may wait for an agent for ever. No thread of its own is needed for that.

    Locks: ``_lock`` guards ``_open`` and ``_over``; nothing is stopped while it is held.
    """

    def __init__(self) -> None:
        self.generation = fork.generation()
        self._numbers = itertools.count(1)
        self._lock = leaf_rlock()  # a finalizer or a signal's handler may start an actor at any moment
        self._open: dict[int, weakref.ref[Stoppable]] = {}
        self._over = False
        self.crew = Crew(IDLE, keep=None, linger=LINGER)
        self.signals_held_off = SignalsHeldOff()
        # The same registration that concurrent.futures uses; it has no public name (3.9 to 3.14).
        threading._register_atexit(self._stop_all)  # type: ignore[attr-defined]  # noqa: SLF001

    def watch(self, something: Stoppable) -> None:
        """Stop *something* when the main thread ends.

        Raises:
            RuntimeError: It has ended: nobody would stop what is new, and 3.12 starts no thread any more.
        """
        key = id(something)
        with self._lock:
            if self._over:
                raise RuntimeError(ENDING)
            self._open[key] = weakref.ref(something, lambda _: self._open.pop(key, None))

    def everything(self) -> list[Stoppable]:
        """What is open now."""
        with self._lock:
            open_now = list(self._open.values())
        return [something for ref in open_now if (something := ref()) is not None]

    def next_number(self) -> int:
        """A number for the name of something new."""
        return next(self._numbers)

    def forget(self, something: Stoppable) -> None:
        """*something* has ended by itself."""
        with self._lock:
            self._open.pop(id(something), None)

    def _stop_all(self) -> None:
        if self.generation != fork.generation():
            return  # a forked child: what was open then belongs to its parent
        with self._lock:
            self._over = True
            waiting = [ref() for ref in self._open.values()]
            self._open.clear()
        # All are marked first: who waits for another one is woken by its end, and sees that its own has come, too. All
        # are told before any is waited for: the waits for their ends run side by side.
        for step in ("mark_at_exit", "abort_at_exit", "end_at_exit"):
            for something in waiting:
                if something is not None:
                    try:
                        getattr(something, step)()
                    except Exception:  # noqa: BLE001 - the others must be stopped too
                        logger.exception("stopping at the end of the program failed")


_at_exit: AtExit | None = None
_made = threading.Lock()


def at_exit() -> AtExit:
    """The process's exit hook, made on first use; a forked child makes its own."""
    global _at_exit
    if _at_exit is None or _at_exit.generation != fork.generation():
        with _made:
            if _at_exit is None or _at_exit.generation != fork.generation():
                try:
                    _at_exit = AtExit()
                except RuntimeError as error:
                    raise RuntimeError(ENDING) from error
    return _at_exit

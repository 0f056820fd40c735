"""Ends a host that the program must have given up by now."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from ...core.clock import SYSTEM_CLOCK
from ...core.crash import report
from ...core.scheduling.cancellation import HOST_GRACE
from ...core.waiting.waiter import Waiter

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...core.clock import Clock


class Fence:
    """Aborts all that a host has when the program cannot have heard of it for so long that it gives the host up soon,
    and ends its process ``abort_timeout`` later, whatever runs.

    Guarantees: it counts from the moment at which the last answer was *sent* of which the program has said that it got
    it: so before the program has waited ``lost_after``, nothing runs here any more. Once it has fired it stays so. A
    process that stood still beyond its end is ended as it goes on: its agents may have lives elsewhere by then.

    Args:
        abort: Called in a thread of its own: one that hangs holds nothing up.
        end_process: Ends the process.

    Locks: none. ``_heard_at`` is one number, and rises; ``_fired_at`` changes once; two threads that both find the time
    over do the same. ``_has_aborted`` is its own thread's.
    """

    def __init__(
        self,
        name: str,
        *,
        lost_after: float,
        abort_timeout: float,
        abort: Callable[[], object],
        end_process: Callable[[], object],
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._name = name
        self._patience = lost_after - abort_timeout - HOST_GRACE
        self._abort_timeout = abort_timeout
        self._abort = abort
        self._end_process = end_process
        self._clock = clock
        self._heard_at = clock.monotonic()
        self._fired_at: float | None = None
        self._has_aborted = False
        self._over = Waiter()
        self._thread = threading.Thread(target=self._watch, name=f"{name}-fence", daemon=True)

    def start(self) -> None:
        """Watch, from now on."""
        self._thread.start()

    def heard(self, sent_at: float) -> None:
        """The program has got the answer that was sent at that moment."""
        self._heard_at = max(self._heard_at, sent_at)

    def has_fired(self) -> bool:
        """Is nothing to be taken in, or told, any more? Its time may be over before its own thread has seen it: that
        of a process that was stopped, and goes on.
        """
        due = self._heard_at + self._patience
        if self._fired_at is None and self._clock.monotonic() >= due:
            self._fired_at = due  # and not when that is seen
        return self._fired_at is not None

    def look(self) -> float | None:
        """Do what is due; the seconds until something may be due again, None when nothing is. Its own thread."""
        now = self._clock.monotonic()
        if not self.has_fired():
            return self._heard_at + self._patience - now
        assert self._fired_at is not None
        left = self._fired_at + self._abort_timeout - now
        if self._aborts() and left > 0:
            return left
        self._end_process()
        return None

    def _aborts(self) -> bool:
        """Has all been told to end?"""
        if not self._has_aborted:
            try:
                threading.Thread(target=self._abort, name=f"{self._name}-fenced", daemon=True).start()
            except RuntimeError:  # no thread can be started: then all ends now
                report("no thread could be started to abort {}", self._name)
                return False
            self._has_aborted = True
        return True

    def take_down(self) -> None:
        """The host has ended by itself: watch no more. Returns when its thread has ended, if it is not this one."""
        self._over.wake()
        if self._thread.ident is not None and self._thread is not threading.current_thread():
            self._thread.join()

    def _watch(self) -> None:
        while (left := self.look()) is not None:
            if self._over.wait(left):
                return

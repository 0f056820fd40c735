"""A thread that draws, again and again, until it is stopped."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from ..core.crash import report

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE = 5.0
"""Seconds that a stop waits for a drawing: whoever reads a terminal may hold it up."""


class Ticker:
    """Calls *draw* every *interval* seconds, on a thread of its own.

    Guarantees: after :meth:`stop` nothing is drawn. A drawing that fails is the last one: where nobody reads any more
    it is so in silence, else it is logged.

    Threads: one starts and stops it.
    """

    def __init__(self, draw: Callable[[], None], interval: float) -> None:
        self._draw = draw
        self._interval = interval
        self._end = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin; where the system gives no thread, nothing is drawn by the clock."""
        self._end.clear()
        thread = threading.Thread(target=self._run, name="actors-progress", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the work is worth more than its display
            return
        self._thread = thread

    def stop(self) -> None:
        """End the thread."""
        self._end.set()
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.join(PATIENCE)

    def _run(self) -> None:
        while not self._end.wait(self._interval):
            try:
                self._draw()
            except (OSError, ValueError):  # the stream is closed, or its reader went away
                return
            except Exception:  # noqa: BLE001 - a display harms nobody
                report("the progress of a pool cannot be drawn")
                return

"""Finds threads that somebody left behind."""

from __future__ import annotations

import sys
import threading
import time
import traceback
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ..core.process.event_loop import Room

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE = 5.0
"""Seconds for a thread that is just ending."""
KEPT = frozenset({"actors-alarm", *(room.value for room in Room)})
"""What a process has once: for good, or for as long as many wait with a timeout."""


def running() -> set[tuple[str, threading.Thread]]:
    """The threads that count: not those that a process has once, and no stand-ins for foreign threads.

    With their names: the thread of an actor that ended may be the next one's, under another name.
    """
    stand_in: Any = getattr(threading, "_DummyThread", ())  # nothing else tells them
    return {
        (thread.name, thread)
        for thread in threading.enumerate()
        if thread.name not in KEPT and not isinstance(thread, stand_in)
    }


@contextmanager
def no_thread_left(patience: float | None = None) -> Iterator[None]:
    """Fail when the block leaves a thread behind.

    Args:
        patience: Seconds for those that are just ending; None takes 5.
    Raises:
        AssertionError: It names each thread that is left, and where it stands.
    """
    before = running()
    yield
    end = time.monotonic() + (PATIENCE if patience is None else patience)
    pause = threading.Event()
    while (left := running() - before) and time.monotonic() < end:
        pause.wait(0.002)
    if left:
        frames = sys._current_frames()  # noqa: SLF001 - the documented way to a thread's stack
        told = []
        for name, thread in sorted(left, key=lambda one: one[0]):
            frame = frames.get(thread.ident or 0)
            told.append(f"{name}\n" + "".join(traceback.format_stack(frame) if frame else ()))
        raise AssertionError(f"{len(left)} left behind:\n" + "\n".join(told))

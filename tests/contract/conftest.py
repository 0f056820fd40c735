"""Bounds and leak checks for every acceptance test."""

from __future__ import annotations

import faulthandler
import gc
import re
import signal
import sys
import threading
from typing import TYPE_CHECKING

import pykka
import pytest

from ..waiting import comes_true

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..waiting import Gate

HARD_BOUND = 25.0
GRACE = 5.0
PROCESS_WIDE = re.compile(r"loop", re.IGNORECASE)


class HungError(BaseException):
    """A test passed its hard bound."""


def strangers(before: set[threading.Thread]) -> list[threading.Thread]:
    """Threads that were not there before and are not documented as process-wide."""
    return [thread for thread in threading.enumerate() if thread not in before and not PROCESS_WIDE.search(thread.name)]


@pytest.fixture(autouse=True)
def hard_bound() -> Iterator[None]:
    """Interrupt a test that hangs, again and again, so that its own clean-up cannot hang either."""

    def interrupt(signum: int, frame: object) -> None:
        faulthandler.dump_traceback(file=sys.__stderr__)
        raise HungError(f"the test did not end within {HARD_BOUND} s")

    previous = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, HARD_BOUND, 6.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


@pytest.fixture(autouse=True)
def no_leaks(hard_bound: None) -> Iterator[None]:
    """Fail a test that leaves a thread or a Pykka registry entry behind."""
    before = set(threading.enumerate())
    actors_before = set(pykka.ActorRegistry.get_all())
    yield
    # No join: one may just be starting, and a dummy, which stands for a raw thread, cannot be joined.
    ended = comes_true(lambda: not strangers(before), GRACE)
    assert ended, f"threads left behind: {[thread.name for thread in strangers(before)]}"
    gc.collect()
    ghosts = set(pykka.ActorRegistry.get_all()) - actors_before
    assert not ghosts, f"Pykka registry entries left behind: {ghosts}"


@pytest.fixture
def second_gate(gates: Callable[[], Gate]) -> Gate:
    """Another gate, opened at the end of the test."""
    return gates()

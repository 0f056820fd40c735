"""Holds a measurement on one core."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def one_core() -> Iterator[None]:
    """This thread, and those that are started meanwhile, run on one core. Elsewhere than on Linux nothing happens."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def pinned(measure: Callable[[], float]) -> Callable[[], float]:
    """*measure* on one core: waking a thread costs next to nothing there, so what is left is the work itself."""

    def call() -> float:
        with one_core():
            return measure()

    return call

"""What else the machine does during a measurement: nothing, or busy processes; and on how many cores it takes place."""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from .pinned import one_core

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .report import Report


@contextmanager
def busy(processes: int) -> Iterator[None]:
    """So many processes that do something else meanwhile."""
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(processes)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def disturbed(reports: Iterable[Report], *, beside: int = 0, on_one_core: bool = False) -> Iterator[Report]:
    """*reports*, each of which is found beside so many busy processes, on one core if need be. Those others may use
    all cores.
    """
    with ExitStack() as held:
        held.enter_context(busy(beside))
        if on_one_core:
            held.enter_context(one_core())
        yield from reports

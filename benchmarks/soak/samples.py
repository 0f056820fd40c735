"""Threads and memory of this process, over time."""

from __future__ import annotations

import os
import sys
import threading
from array import array
from pathlib import Path

from ..figures import slope

STATM = Path("/proc/self/statm")


def rss_kb() -> float:
    """Resident memory, in KB. Where /proc is missing: the most there was so far; 0 where even that is unknown."""
    try:
        return int(STATM.read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1024
    except (OSError, AttributeError):
        pass
    return _peak_kb()


def _peak_kb() -> float:
    try:
        import resource
    except ImportError:  # Windows
        return 0.0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1024 if sys.platform == "darwin" else float(peak)


class Samples:
    """What was seen after each round. Arrays: a list of objects would grow what it measures."""

    def __init__(self) -> None:
        self.seconds = array("d")
        self.agents = array("d")
        self.threads = array("d")
        self.rss = array("d")

    def take(self, seconds: float, agents: int) -> None:
        """Look now, *seconds* after the begin and after *agents* agents."""
        self.seconds.append(seconds)
        self.agents.append(agents)
        self.threads.append(threading.active_count())
        self.rss.append(rss_kb())

    def kb_per_minute(self) -> float:
        """How memory rose over the second half of the time: the first fills caches and arenas."""
        late = self._late()
        return 60 * slope(self.seconds[late:], self.rss[late:])

    def kb_per_1000_agents(self) -> float:
        """The same by agents."""
        late = self._late()
        return 1000 * slope(self.agents[late:], self.rss[late:])

    def _late(self) -> int:
        half = self.seconds[-1] / 2 if self.seconds else 0.0
        return sum(second < half for second in self.seconds)

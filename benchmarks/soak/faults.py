"""What goes wrong, and where."""

from __future__ import annotations

import threading
from collections import Counter
from enum import StrEnum
from typing import TYPE_CHECKING

from actors import AgentError

from ..report import Cell, Table

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random


class Place(StrEnum):
    """Where something is raised."""

    INIT = "__init__"
    ON_START = "on_start"
    RUN = "run"
    ON_END = "on_end"
    CALLBACK = "a callback"
    SINK = "the sink"
    TOOL = "a tool"
    DRIVER = "a driver"
    HANDLER = "a handler"


KINDS: tuple[Callable[[str], BaseException], ...] = (
    ValueError,
    SystemExit,
    KeyboardInterrupt,
    GeneratorExit,
    MemoryError,
    AgentError,
)


class Faults:
    """Raises, and counts what it raised.

    Locks: ``_lock`` guards what is counted.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._others: Counter[str] = Counter()
        self._raised: Counter[tuple[str, Place]] = Counter()

    def draw(self, random: Random) -> Callable[[str], BaseException]:
        """One of the kinds."""
        return random.choice(KINDS)

    def note(self, fault: str) -> None:
        """Count a fault that is no exception."""
        with self._lock:
            self._others[fault] += 1

    def make(self, kind: Callable[[str], BaseException], place: Place) -> BaseException:
        """An exception to be raised at *place*."""
        error = kind(f"injected in {place}")
        with self._lock:
            self._raised[type(error).__name__, place] += 1
        return error

    def total(self) -> int:
        """How many there were."""
        return self._raised.total() + self._others.total()

    def raised(self) -> Table:
        """What was raised, and where."""
        kinds = sorted({kind for kind, _ in self._raised})
        return Table(
            "exceptions raised",
            [{"in": str(place)} | {kind: self._raised[kind, place] for kind in kinds} for place in Place],
        )

    def others(self) -> dict[str, Cell]:
        """What else went wrong."""
        return dict(sorted(self._others.items()))

"""The benchmarks by name. Each is a module with a ``QUESTION`` and a function ``measure(size) -> Report``."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    from .report import Report
    from .size import Size

NAMES = ("abort_latency", "stop_overshoot", "nesting", "ask_stop", "soak")


class Question(Protocol):
    """A benchmark's module."""

    QUESTION: str

    def measure(self, size: Size) -> Report:
        """Find the answer."""


def find(name: str) -> Question:
    """The benchmark of that name, imported only now: each may need packages of its own.

    Raises:
        KeyError: There is none.
    """
    if name not in NAMES:
        raise KeyError(name)
    return cast("Question", import_module(f"{__package__}.{name}"))

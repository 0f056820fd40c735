"""Which processes the tests start: one that starts any is marked ``process``, so that a quick run leaves it out."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

EVENTS = {"subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.system"}
"""By which Python tells that it is about to start one; ``multiprocessing`` tells of its forks alone."""


class Processes:
    """Hears of each that is started, by whatever function and in whatever thread."""

    def __init__(self) -> None:
        self.started: list[str] = []
        sys.addaudithook(self._hear)  # for ever: nothing takes it back

    def _hear(self, event: str, args: tuple[Any, ...]) -> None:
        if event in EVENTS:
            self.started.append(f"{event} {args[:1]}")


def mark(items: list[pytest.Item], folder: Path, *fixtures: str) -> None:
    """Mark the tests in *folder*: all of them, or those that use one of *fixtures*, be it by another fixture."""
    for item in items:
        used = set(getattr(item, "fixturenames", ()))
        if item.path.is_relative_to(folder) and (not fixtures or used & set(fixtures)):
            item.add_marker(pytest.mark.process)

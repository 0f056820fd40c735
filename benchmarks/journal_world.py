"""What is outside of a program that may be killed: a provider that is paid, and a world that keeps books."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

ANSWERS = 3
"""Completions of each agent."""
STEPS = ANSWERS + 2
"""Those, a payment that must not be made twice, and a note that may be written again."""
TEXT = "word " * 190
"""Each answer has 1 KB."""


class World:
    """Notes all that is bought and done, one line at a time: what was noted survives the program.

    Args:
        books: The file.
        latency: Seconds that an answer takes; the tools take a tenth.
    """

    def __init__(self, books: Path, latency: float) -> None:
        self._books = os.open(books, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self.latency = latency

    def note(self, what: str, name: str) -> None:
        """One line."""
        os.write(self._books, f"{what} {name}\n".encode())

    def answer(self, name: str, turn: int) -> str:
        """The provider's: paid for when it is there."""
        self._take(1.0)
        self.note(f"answer-{turn}", name)
        return TEXT

    def pay(self, name: str) -> str:
        """Must not be done twice."""
        self.note("pay-begun", name)
        self._take(0.05)
        self.note("paid", name)
        self._take(0.05)
        return "paid"

    def write_down(self, name: str) -> str:
        """May be done again."""
        self._take(0.1)
        self.note("noted", name)
        return "noted"

    def _take(self, share: float) -> None:
        if self.latency:
            time.sleep(self.latency * share)

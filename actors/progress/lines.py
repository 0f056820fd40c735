"""A line now and then, where nothing can be drawn again: in a pipe, a file, the log of a job."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .ticker import Ticker

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import IO

INTERVAL = 10.0
"""Seconds between two lines."""


class Lines:
    """One line every few seconds while anything changes, and one at the end."""

    def __init__(self, stream: IO[str], line: Callable[[], str]) -> None:
        self._stream = stream
        self._line = line
        self._last = ""
        self._ticker = Ticker(self._write, INTERVAL)

    def start(self) -> None:
        """Begin with the clock: short work has one line."""
        self._ticker.start()

    def stop(self) -> None:
        """Write the last line."""
        self._ticker.stop()
        try:
            self._write()
        except (OSError, ValueError):  # nobody reads any more
            pass

    def _write(self) -> None:
        line = self._line()
        if line != self._last:
            self._last = line
            self._stream.write(f"{line}\n")
            if hasattr(self._stream, "flush"):
                self._stream.flush()

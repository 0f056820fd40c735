"""A bar with a line below it, drawn again and again on a terminal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from .ticker import Ticker

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import IO

    from rich.console import Console, RenderableType

    Frame = Callable[[], tuple[int, int | None, str]]

FRAMES_PER_SECOND = 8
BAR_WIDTH = 40


def console(stream: IO[str], width: int | None = None) -> Console:
    """A rich console on *stream* that prints texts as they are, and leaves a broken pipe to its caller."""
    from rich.console import Console

    class Voice(Console):
        """A console that leaves a broken pipe to its caller; rich would end the process."""

        def on_broken_pipe(self) -> None:
            raise BrokenPipeError

    return Voice(file=stream, width=width, highlight=False, emoji=False, markup=False)


def may_redraw(stream: IO[str]) -> bool:
    """Is *stream* a terminal whose lines can be drawn again?"""
    return hasattr(stream, "isatty") and stream.isatty() and not console(stream).is_dumb_terminal


class LiveBar:
    """A bar and a line. What is printed meanwhile appears above them.

    Args:
        frame: How many are done, how many there will be (None: nobody knows), and the line.
        stays: Is the last frame left standing?
    """

    def __init__(self, stream: IO[str], frame: Frame, *, stays: bool) -> None:
        from rich.live import Live

        self._frame = frame
        # Standard output is left alone when it goes elsewhere: what agents print belongs there.
        self._live: Any = Live(
            get_renderable=self.render,
            console=console(stream),
            auto_refresh=False,  # rich does not wait for the end of its own thread
            transient=not stays,
            redirect_stdout=sys.stdout is not None and sys.stdout.isatty(),
        )
        self._ticker = Ticker(self._live.refresh, 1 / FRAMES_PER_SECOND)

    def start(self) -> None:
        """Show it."""
        self._live.start(refresh=True)
        self._ticker.start()

    def stop(self) -> None:
        """Draw it for the last time, or take it away; the cursor is there again, also after a Ctrl-C in between."""
        try:
            self._ticker.stop()
        finally:
            try:
                self._live.stop()
            finally:
                self._live.console.show_cursor(show=True)

    def render(self) -> RenderableType:
        """One frame."""
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        done, total, line = self._frame()
        bar = ProgressBar(total=total, completed=done, width=BAR_WIDTH, pulse=total is None)
        frame = Table.grid()
        frame.add_row(bar)
        frame.add_row(Text(line))
        return frame

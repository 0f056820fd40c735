"""A bar in the output of a cell."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from .ticker import Ticker

if TYPE_CHECKING:
    from collections.abc import Callable

    from .figures import Figures

INTERVAL = 0.25


class CellBar:
    """A bar and a line that the notebook shows, and replaces."""

    def __init__(self, figures: Callable[[], Figures]) -> None:
        self._figures = figures
        self._shown: Any = None
        self._ticker = Ticker(self._draw, INTERVAL)

    def start(self) -> None:
        """Show it."""
        from IPython.display import display

        self._shown = display(_Picture(self._figures()), display_id=True)
        self._ticker.start()

    def stop(self) -> None:
        """Draw it for the last time; it stays in the notebook."""
        self._ticker.stop()
        self._draw()

    def _draw(self) -> None:
        if self._shown is not None:
            self._shown.update(_Picture(self._figures()))


class _Picture:
    """One frame, for those who show HTML and for those who show text."""

    def __init__(self, figures: Figures) -> None:
        self._figures = figures

    def __repr__(self) -> str:
        return str(self._figures)

    def _repr_html_(self) -> str:
        done, total = self._figures.done, self._figures.total
        known = "" if total is None else f' value="{min(done, total)}" max="{max(1, total)}"'
        return (
            f'<div><progress{known} style="width:20em;vertical-align:middle"></progress> '
            f"<span>{escape(str(self._figures))}</span></div>"
        )

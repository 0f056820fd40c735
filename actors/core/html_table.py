"""Tables for notebooks: plain HTML without scripts, style sheets or links, that can be read on light and on dark."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from html import escape
from typing import TYPE_CHECKING

from .shown import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

LONGEST = 400
"""Characters of a cell."""
LONGEST_MORE = 4_000
"""Characters of what is folded."""

# Nothing is said of colours but tints and half-transparent lines: those of the page stay.
_TABLE = "border-collapse:collapse;font-size:90%;margin:.4em 0;color:inherit;overflow-wrap:anywhere"
_CAPTION = "caption-side:top;text-align:left;white-space:nowrap;padding:.2em .3em;color:inherit;font-weight:bold"
_ROW = "border-bottom:1px solid rgba(128,128,128,.35);background:"
_TEXT = "text-align:left;vertical-align:top;padding:.2em .6em"
_LONG = f"{_TEXT};max-width:40em"
_SHORT = f"{_TEXT};white-space:nowrap"
_HEAD = f"{_SHORT};width:1px"  # what a long caption leaves over is the second column's
_NUMBER = "text-align:right;vertical-align:top;padding:.2em .6em;white-space:nowrap"
_MORE = "white-space:pre-wrap;margin:.3em 0;padding:0;background:none;color:inherit;font-size:90%"
_LONG_FROM = 20
"""Characters from which on a text may be broken into lines."""


class RowMark(StrEnum):
    """What a row is marked as; it shows by a sign and by a tint that lets the page shine through."""

    GOOD = "good"
    WARN = "warn"
    BAD = "bad"

    @property
    def sign(self) -> str:
        """What stands in front."""
        return {"good": "✓", "warn": "⊘", "bad": "✗"}[self.value]

    @property
    def tint(self) -> str:
        """The background of the row."""
        return {"good": "transparent", "warn": "rgba(217,158,0,.16)", "bad": "rgba(220,38,38,.18)"}[self.value]


@dataclass(frozen=True, slots=True)
class Folded:
    """A text over several lines behind a word that unfolds it. Of a longer one the end is shown."""

    word: str
    text: str


Cell = str | int | Folded
"""A number stands to the right."""


class HtmlTable:
    """Collects rows, and writes them. Every text that comes in is escaped here, and shortened.

    Args:
        columns: What stands above; none for a table whose first column says what the second is.
    """

    def __init__(self, caption: str, columns: Sequence[str] = ()) -> None:
        self._caption = caption
        self._columns = columns
        self._rows: list[tuple[RowMark | None, Sequence[Cell]]] = []
        self._after = ""

    def row(self, *cells: Cell, mark: RowMark | None = None) -> None:
        """Add a row."""
        self._rows.append((mark, cells))

    def after(self, text: str) -> None:
        """Say *text* below the table."""
        self._after = text

    def __str__(self) -> str:
        parts = [f'<div><table style="{_TABLE}"><caption style="{_CAPTION}">{_text(self._caption)}</caption>']
        if self._columns:
            heads = "".join(f'<th scope="col" style="{_SHORT}">{_text(column)}</th>' for column in self._columns)
            parts.append(f'<thead><tr style="{_ROW}transparent">{heads}</tr></thead>')
        parts.append("<tbody>")
        parts += [self._row(mark, cells) for mark, cells in self._rows]
        parts.append("</tbody></table>")
        parts += [f"<p>{_text(self._after)}</p>"] if self._after else []
        parts.append("</div>")
        return "".join(parts)

    def _row(self, mark: RowMark | None, cells: Sequence[Cell]) -> str:
        inside = ""
        if not self._columns:
            head, *cells = cells
            inside = f'<th scope="row" style="{_HEAD}">{_text(str(head))}</th>'
        tint = "transparent" if mark is None else mark.tint
        return f'<tr style="{_ROW}{tint}">{inside}{"".join(map(_cell, cells))}</tr>'


def _cell(cell: Cell) -> str:
    if isinstance(cell, Folded):
        text = cell.text if len(cell.text) <= LONGEST_MORE else f"…{cell.text[1 - LONGEST_MORE :]}"
        lines = "\n".join(one_line(line, LONGEST_MORE) for line in text.split("\n"))
        inside = f'<details><summary>{_text(cell.word)}</summary><pre style="{_MORE}">{escape(lines)}</pre></details>'
        return f'<td style="{_LONG}">{inside}</td>'
    if isinstance(cell, str):
        return f'<td style="{_LONG if len(cell) > _LONG_FROM else _SHORT}">{_text(cell)}</td>'
    return f'<td style="{_NUMBER}">{cell:,}</td>'


def _text(text: str) -> str:
    """*text* escaped; most of it comes escaped for a terminal already."""
    return escape(one_line(text, LONGEST))

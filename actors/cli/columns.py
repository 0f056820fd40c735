"""How wide texts are on a terminal, where some characters take two columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.text import Text


def width_of(title: str, cells: Iterable[str]) -> int:
    """How wide a column of *cells* below *title* has to be."""
    from rich.cells import cell_len

    return max([cell_len(title), *map(cell_len, cells)])


def is_wide(text: str) -> bool:
    """Do most of its characters take two columns of a terminal, as those of Chinese or Japanese do?"""
    from rich.cells import cell_len

    return cell_len(text) > 1.5 * len(text)


def cell(text: str, width: int, style: str = "") -> Text:
    """*text* in *width* columns; Text, not str: brackets in it are no markup."""
    from rich.text import Text

    found = Text(text, style)
    found.truncate(width, overflow="ellipsis")
    return found

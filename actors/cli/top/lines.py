"""The lines that a frame is made of: each as wide as it may be, and none wider."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...core.shown import one_line
from ..wording import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rich.text import Text

BETWEEN = " · "


def line(*parts: str | tuple[str, str]) -> Text:
    """One line of *parts*: a text, or a text and its style. Nothing in them is markup."""
    from rich.text import Text

    return Text.assemble(*parts, no_wrap=True, overflow="ellipsis", end="")


def cut(text: Text, width: int) -> Text:
    """*text*, at most *width* columns wide."""
    text.truncate(max(width, 1), overflow="ellipsis")
    return text


def joined(parts: Iterable[str | tuple[str, str]]) -> list[str | tuple[str, str]]:
    """*parts*, with a dot between each two; those that are empty are left out."""
    found: list[str | tuple[str, str]] = []
    for part in parts:
        if part and part[0]:
            found += [BETWEEN, part] if found else [part]
    return found


def folded(text: str, width: int) -> Iterator[str]:
    """*text* of many lines, each folded to *width* columns, and without what would disturb a terminal."""
    from rich.cells import chop_cells

    for each in printable(text.replace("\r\n", "\n")).expandtabs(4).split("\n"):
        yield from chop_cells(each, max(width, 2)) or [""]


def named(agent_id: int, name: str, most: int = 60) -> str:
    """An agent, as lines of a run name it."""
    return f"#{agent_id} {one_line(name, most)}"


def flat(text: str, most: int) -> str:
    """*text* of many lines, JSON say, on one: its indents are spaces."""
    return one_line(" ".join(text[: most * 4].split()), most)


def compact(number: int) -> str:
    """``950``, ``12.3k``, ``1.2M``: at most six characters."""
    if number < 10_000:
        return f"{number:,}"
    for size, letter in ((1_000, "k"), (1_000_000, "M"), (1_000_000_000, "G")):
        if number < 999.5 * size or letter == "G":
            scaled = number / size
            return f"{scaled:.1f}{letter}" if scaled < 99.95 else f"{scaled:,.0f}{letter}"
    raise AssertionError("the last size takes all")

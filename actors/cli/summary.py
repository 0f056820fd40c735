"""What is told at the end of a run: a table of a few agents, and the sum of all."""

from __future__ import annotations

import os
from typing import IO, TYPE_CHECKING, Literal

from ..core.records.outcome import AgentStatus
from .columns import is_wide
from .distinct import common_folder, distinct
from .options import STANDARD_STREAM
from .row import text_of
from .tally import MOST_ROWS
from .terminal import console
from .wording import counted, dollars, printable, seconds, shortened, spent

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from .tally import Row, Tally

STYLES = {
    AgentStatus.COMPLETED: "green",
    AgentStatus.FAILED: "red",
    AgentStatus.CRASHED: "bold red",
    AgentStatus.CANCELLED: "yellow",
    AgentStatus.TIMED_OUT: "magenta",
    AgentStatus.ABANDONED: "bold magenta",
    AgentStatus.LOST: "bold yellow",
}

MOST_OF_NAME = 24
MOST_OF_KEY = 40
LEAST_OF_HEAD = 10
"""Characters of a key, or of a name, that are shown even when the terminal is too narrow."""
LEAST_LEFT = 24
"""Characters of a query, or of a result, for which keys and names make room."""
NARROW = 90
"""With fewer columns a result stands below its query."""
GAP = 2
"""Between two columns."""


def show(tally: Tally, *, out: str | None, stream: IO[str]) -> None:
    """Print the table and the summary.

    Args:
        tally: What was counted.
        out: The results file, to be named.
        stream: Where to.

    Raises:
        OSError: The stream cannot be written.
    """
    from rich.text import Text

    voice = console(stream)
    if tally.done:
        show_rows(tally.groups(), voice, titled=tally.done > MOST_ROWS)
    if tally.done > MOST_ROWS:
        voice.print(Text(f"… and {tally.done - MOST_ROWS:,} more"))
    answer = only_answer(tally)
    if answer:
        voice.print(Text(f"\n{answer}"), soft_wrap=True)
    voice.print(Text(f"\n{summary(tally, out=out)}"), soft_wrap=not stream.isatty())


def show_rows(groups: list[tuple[str, list[Row]]], voice: Console, *, titled: bool) -> None:
    """Print the rows of *groups*, all with the same columns, each under its title if that is wanted."""
    from rich.text import Text

    cells = Cells([row for _, rows in groups for row in rows], voice.width)
    header = True
    for title, rows in groups:
        if titled:
            voice.print(Text(title, style="bold"))
        if titled or header:
            table = cells.table(header=header)
        for row in rows:
            cells.add(table, row)
        header = False
        if titled:
            voice.print(table)
    if not titled:
        voice.print(table)


class Cells:
    """The columns of a table, and what stands in them.

    Where there is little room a name that all agents share is left out, names stand below the keys, results below the
    queries; what a query has in common with all others is left out everywhere. No line is longer than the terminal.

    Args:
        rows: All of the table.
        width: Of the terminal.
    """

    def __init__(self, rows: list[Row], width: int) -> None:
        self._stacked = width < NARROW
        tails = _tails(rows)
        left = width - sum(GAP + width for width in _widths(tails).values())
        firsts = self._firsts(rows, left - GAP - LEAST_LEFT * (1 if self._stacked else 2))
        heads = [{**first, **tail} for first, tail in zip(firsts, tails, strict=True)]
        self._heads = dict(zip([row.agent_id for row in rows], heads, strict=True))
        self._widths = _widths(heads)
        self._place_texts(rows, max(LEAST_OF_HEAD, width - sum(GAP + width for width in self._widths.values())))

    def _firsts(self, rows: list[Row], room: int) -> list[dict[str, str]]:
        """Who each is, in *room* characters if that can be."""
        title = "key" if any(row.key for row in rows) else "id"
        several = len({row.name for row in rows}) > 1
        most = room if self._stacked else room // 2
        names = distinct([row.name for row in rows], min(MOST_OF_NAME, max(LEAST_OF_HEAD, most)))
        if not self._stacked:
            room -= GAP + max(len(name) for name in names)
        keys = [row.key or "-" for row in rows] if title == "key" else [str(row.agent_id) for row in rows]
        keys = distinct(keys, min(MOST_OF_KEY, max(LEAST_OF_HEAD, room)))
        if self._stacked and several:
            return [{f"{title}, agent": f"{key}\n{name}"} for key, name in zip(keys, names, strict=True)]
        if self._stacked:
            return [{title: key} for key in keys]
        return [{title: key, "agent": name} for key, name in zip(keys, names, strict=True)]

    def _place_texts(self, rows: list[Row], left: int) -> None:
        folder = common_folder([row.query for row in rows])
        queries = [row.query.removeprefix(folder) for row in rows]
        said = [what_was_said(row, 1_000) for row in rows]
        self._title = f"query (below {folder})" if folder else "query"
        if self._stacked:
            self._query_width = self._said_width = left
        else:
            most_query = max(len(self._title), *(len(query) for query in queries))
            most_said = max(len("result"), *(len(text) for text in said))
            left -= GAP
            self._query_width = min(most_query, max(left * 2 // 5, left - most_said))
            self._said_width = min(most_said, left - self._query_width)
        shown = distinct(queries, self._query_width // (2 if any(map(is_wide, queries)) else 1))
        self._queries = dict(zip([row.agent_id for row in rows], shown, strict=True))

    def table(self, *, header: bool) -> Table:
        """An empty table of these columns."""
        from rich import box
        from rich.table import Table

        table = Table(
            box=box.SIMPLE_HEAD,  # which puts a space between two columns
            pad_edge=False,
            show_edge=False,
            show_header=header,
            padding=(0, GAP - 1, 0, 0),
        )
        for title, width in self._widths.items():
            justify: Literal["left", "right"] = "right" if title in ("id", "time", "cost") else "left"
            table.add_column(title, width=width, justify=justify, no_wrap=True)
        title = f"{self._title}, and what came" if self._stacked else self._title
        table.add_column(shortened(title, self._query_width), width=self._query_width, no_wrap=True)
        if not self._stacked:
            table.add_column("result", width=self._said_width, no_wrap=True)
        return table

    def add(self, table: Table, row: Row) -> None:
        """Put *row* into *table*."""
        from rich.text import Text

        head = self._heads[row.agent_id]
        cells = [Text(head[title], STYLES.get(row.status, "") if title == "status" else "") for title in self._widths]
        # Text, not str: brackets in a result are no markup.
        query, said = self._queries[row.agent_id], what_was_said(row, self._said_width)
        if self._stacked:
            cells.append(Text("\n".join(filter(None, (query, said)))))
        else:
            cells += [Text(query), Text(said)]
        table.add_row(*cells)


def _tails(rows: list[Row]) -> list[dict[str, str]]:
    """How each ended, how long it took, and what it cost, where anything did."""
    priced = any(row.cost_usd for row in rows)
    return [
        {
            "status": row.status,
            "time": seconds(row.duration),
            **({"cost": dollars(row.cost_usd) if row.cost_usd else ""} if priced else {}),
        }
        for row in rows
    ]


def _widths(cells: list[dict[str, str]]) -> dict[str, int]:
    """How wide each column has to be."""
    return {
        title: max(len(title), *(len(line) for cell in cells for line in cell[title].split("\n"))) for title in cells[0]
    }


def what_was_said(row: Row, limit: int) -> str:
    """The result, or place and error, in *limit* characters; the folders of the place go first."""
    if not row.place:
        return shortened(row.text, limit)
    whole = f"{row.place}: {row.text}"
    if len(whole) > limit:
        whole = f"{os.path.basename(row.place)}: {row.text}"
    return whole if len(whole) <= limit else whole[: limit - 1] + "…"


def only_answer(tally: Tally) -> str | None:
    """The whole result, when there is one agent: the table shows but a line of it."""
    if tally.done != 1 or tally.last is None or not tally.last.ok:
        return None
    return printable(text_of(tally.last)).strip()


def summary(tally: Tally, *, out: str | None) -> str:
    """The sum of all, as one line."""
    statuses = [f"{tally.by_status[status]:,} {status}" for status in STYLES if tally.by_status[status]]
    parts = [f"{counted(tally.done, 'agent')}: {', '.join(statuses)}" if statuses else "no agent ran"]
    parts += recalled_words(tally)
    if tally.skipped:
        parts.append(f"{tally.skipped:,} completed before")
    if tally.refused:
        parts.append(f"{tally.refused:,} refused by the journal")
    if tally.bad_inputs:
        parts.append(f"{counted(tally.bad_inputs, 'bad input')} left out")
    parts.append(seconds(tally.elapsed))
    if tally.tokens:
        parts.append(f"{tally.input_tokens:,} tokens in, {tally.output_tokens:,} out")
    if tally.cost_usd:
        parts.append(dollars(tally.cost_usd))
    if out not in (None, STANDARD_STREAM):
        parts.append(f"results in {printable(str(out))}")
    return " · ".join(parts)


def recalled_words(tally: Tally) -> list[str]:
    """How many agents were recalled, and what was not bought again, of these and of others that went on."""
    words = [f"{tally.recalled:,} recalled"] if tally.recalled else []
    saved = spent(tally.saved_tokens, tally.saved_usd)
    return [*words, f"not bought again: {', '.join(reversed(saved))}"] if saved else words

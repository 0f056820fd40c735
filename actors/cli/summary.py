"""What is told at the end of a run: a table of a few agents, and the sum of all."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Literal

from ..core.records.outcome import AgentStatus
from .options import STANDARD_STREAM
from .results import text_of
from .tally import MOST_ROWS
from .terminal import console
from .wording import counted, dollars, printable, seconds, shortened

if TYPE_CHECKING:
    from rich.table import Table

    from .tally import Row, Tally

STYLES = {
    AgentStatus.COMPLETED: "green",
    AgentStatus.FAILED: "red",
    AgentStatus.CRASHED: "bold red",
    AgentStatus.CANCELLED: "yellow",
    AgentStatus.TIMED_OUT: "magenta",
    AgentStatus.ABANDONED: "bold magenta",
}

MOST_OF_NAME = 24
LEAST_LEFT = 24
"""Characters of query and result together that are shown even when the terminal is too narrow."""
GAP = 3
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
        voice.print(table_of(tally.rows(), voice.width))
    if tally.done > MOST_ROWS:
        voice.print(Text(f"… and {tally.done - MOST_ROWS:,} more"))
    answer = only_answer(tally)
    if answer:
        voice.print(Text(f"\n{answer}"), soft_wrap=True)
    voice.print(Text(f"\n{summary(tally, out=out)}"), soft_wrap=True)


def table_of(rows: list[Row], width: int) -> Table:
    """The table of *rows*, at most *width* columns wide."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    widths = widths_of(rows, width)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for title, columns in widths.items():
        justify: Literal["left", "right"] = "right" if title in ("id", "time") else "left"
        table.add_column(title, width=columns, justify=justify, no_wrap=True, overflow="ellipsis")
    for row in rows:
        # Text, not str: brackets in a result are no markup.
        table.add_row(
            str(row.agent_id),
            Text(row.name),
            Text(row.status, style=STYLES.get(row.status, "")),
            seconds(row.duration),
            Text(shortened(row.query, widths["query"])),
            Text(row.text),
        )
    return table


def widths_of(rows: list[Row], width: int) -> dict[str, int]:
    """The columns and their widths: the short ones whole, query and result share what is left of *width*."""
    widths = {
        "id": max(2, *(len(str(row.agent_id)) for row in rows)),
        "agent": min(MOST_OF_NAME, max(5, *(len(row.name) for row in rows))),
        "status": max(len(row.status) for row in rows),
        "time": max(len(seconds(row.duration)) for row in rows),
    }
    query = max(5, *(len(row.query) for row in rows))
    result = max(6, *(len(row.text) for row in rows))
    left = max(LEAST_LEFT, width - sum(widths.values()) - GAP * (len(widths) + 1))
    widths["query"] = min(query, max(left * 2 // 5, left - result))
    widths["result"] = min(result, left - widths["query"])
    return widths


def only_answer(tally: Tally) -> str | None:
    """The whole result, when there is one agent: the table shows but a line of it."""
    if tally.done != 1 or tally.last is None or not tally.last.ok:
        return None
    return printable(text_of(tally.last)).strip()


def summary(tally: Tally, *, out: str | None) -> str:
    """The sum of all, as one line."""
    statuses = [f"{tally.by_status[status]:,} {status}" for status in STYLES if tally.by_status[status]]
    parts = [f"{counted(tally.done, 'agent')}: {', '.join(statuses)}" if statuses else "no agent ran"]
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

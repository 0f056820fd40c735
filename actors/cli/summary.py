"""What is told at the end of a run: a table of a few agents, and the sum of all."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

from ..core.outcome import AgentStatus
from .options import STANDARD_STREAM
from .results import text_of
from .tally import MOST_ROWS
from .terminal import console
from .wording import counted, dollars, printable, seconds

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
        voice.print(table_of(tally.rows()))
    if tally.done > MOST_ROWS:
        voice.print(Text(f"… and {tally.done - MOST_ROWS:,} more"))
    answer = only_answer(tally)
    if answer:
        voice.print(Text(f"\n{answer}"), soft_wrap=True)
    voice.print(Text(f"\n{summary(tally, out=out)}"), soft_wrap=True)


def table_of(rows: list[Row]) -> Table:
    """The table of *rows*."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("id", justify="right", no_wrap=True)
    table.add_column("agent", no_wrap=True, overflow="ellipsis", max_width=24)
    table.add_column("status", no_wrap=True, min_width=9)
    table.add_column("time", justify="right", no_wrap=True, min_width=6)
    table.add_column("query", no_wrap=True, overflow="ellipsis", ratio=2)
    table.add_column("result", no_wrap=True, overflow="ellipsis", ratio=3)
    for row in rows:
        # Text, not str: brackets in a result are no markup.
        table.add_row(
            str(row.agent_id),
            Text(row.name),
            Text(row.status, style=STYLES.get(row.status, "")),
            seconds(row.duration),
            Text(row.query),
            Text(row.text),
        )
    return table


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

"""What a benchmark found: plain data, a table for people, JSON for programs."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from rich.markup import escape
from rich.table import Table as RichTable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from rich.console import Console

Cell: TypeAlias = str | int | float | None


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of figures; each column names its unit. A cell that does not apply is None."""

    title: str
    rows: Sequence[Mapping[str, Cell]]


@dataclass(frozen=True, slots=True)
class Report:
    """The answer to one question.

    Args:
        notes: How the figures were taken, and what they mean.
        problems: What must not be; any of them fails the run.
    """

    name: str
    question: str
    tables: Sequence[Table]
    notes: Sequence[str] = ()
    problems: Sequence[str] = ()


def show(report: Report, console: Console) -> None:
    """Print *report* for people."""
    console.print(f"\n[bold]{report.name}[/bold]: {report.question}", highlight=False)
    for table in report.tables:
        console.print(drawn(table))
    for note in report.notes:
        console.print(note, style="dim", highlight=False, markup=False)
    for problem in report.problems:
        console.print(problem, style="red", highlight=False, markup=False)


def save(reports: Sequence[Report], machine: Mapping[str, Any], path: Path) -> None:
    """Write *reports* to *path* as JSON."""
    content = {"machine": dict(machine), "benchmarks": [asdict(report) for report in reports]}
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def drawn(table: Table) -> RichTable:
    """*table* for people."""
    columns = list(dict.fromkeys(name for row in table.rows for name in row))
    picture = RichTable(title=escape(table.title), title_justify="left")
    for column in columns:
        words = any(isinstance(row.get(column), str) for row in table.rows)
        picture.add_column(escape(column), justify="left" if words else "right")
    for row in table.rows:
        picture.add_row(*(_text(row.get(column)) for column in columns))
    return picture


def _text(cell: Cell) -> str:
    if cell is None:
        return "-"
    if isinstance(cell, int):
        return f"{cell:,}"
    return f"{cell:,.4g}" if isinstance(cell, float) else escape(cell)

"""Pictures of what was found. Needs matplotlib (the extra ``bench``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from .report import Cell, Report, Table

OURS, THEIRS = "#2a6f97", "#b0b0b0"
PEERS = frozenset({"pykka", "threads", "asyncio", "thespian", "two queues", "pydantic-ai", "openai-agents"})
PEERS_TOO = frozenset({"autogen-core", "what it needs", "nothing", "bare threads", "bare threads, again"})


def draw(reports: Sequence[Report], folder: Path) -> list[Path]:
    """A PNG for each report that has something to show; their paths.

    Raises:
        ImportError: matplotlib is not installed; the message names the command.
    """
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("plots need matplotlib; install it with: pip install 'actors[bench]'") from error
    mpl.use("Agg")
    folder.mkdir(parents=True, exist_ok=True)
    drawn = []
    for report in reports:
        tables = [table for table in report.tables if _bars(table)]
        if not tables:
            continue
        figure = Figure(figsize=(9, 0.9 + sum(0.5 + 0.32 * len(_bars(table)) for table in tables)))
        axes = figure.subplots(len(tables), 1, squeeze=False)[:, 0]
        for axis, table in zip(axes, tables, strict=True):
            _draw(axis, table)
        figure.suptitle(report.question, fontsize=11)
        figure.tight_layout()
        path = folder / f"{report.name}.png"
        figure.savefig(path, dpi=110)
        drawn.append(path)
    return drawn


def _bars(table: Table) -> list[tuple[str, float, float, float, str]]:
    """Case, median, lowest, highest, and the name of the figure; of a table that has them."""
    found = []
    for row in table.rows:
        column = next((name for name in row if name.startswith("median ")), None)
        value = None if column is None else row[column]
        name = row.get("case")
        if column is None or not isinstance(value, int | float) or not isinstance(name, str):
            continue
        unit = column.removeprefix("median ")
        low, high = row.get(f"lowest {unit}", value), row.get(f"highest {unit}", value)
        found.append((name, float(value), _number(low, value), _number(high, value), unit))
    return found


def _number(cell: Cell, otherwise: float) -> float:
    return float(cell) if isinstance(cell, int | float) else float(otherwise)


def _draw(axis: Any, table: Table) -> None:
    bars = _bars(table)
    names, medians = [bar[0] for bar in bars], [bar[1] for bar in bars]
    spread = [[bar[1] - bar[2] for bar in bars], [bar[3] - bar[1] for bar in bars]]
    colors = [THEIRS if name in PEERS | PEERS_TOO else OURS for name in names]
    places = range(len(bars), 0, -1)
    axis.barh(places, medians, xerr=spread, color=colors, error_kw={"elinewidth": 1, "ecolor": "#444444"})
    axis.set_yticks(list(places), names, fontsize=9)
    if max(medians) > 30 * min(medians) > 0:
        axis.set_xscale("log")
    axis.set_xlabel(bars[0][4], fontsize=9)
    axis.set_title(table.title, fontsize=9, loc="left")
    axis.tick_params(axis="x", labelsize=8)
    for place, median in zip(places, medians, strict=True):
        axis.annotate(f" {median:,.4g}", (median, place), va="center", fontsize=8)
    axis.spines[["top", "right"]].set_visible(False)

"""Pictures of what was found. Needs matplotlib (the extra ``bench``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from actors.extras import how_to_install

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from .report import Cell, Report, Table

OURS, THEIRS = "#2a6f97", "#b0b0b0"
PEERS = (
    *("pykka", "threads", "asyncio", "thespian", "pydantic-ai", "openai-agents", "autogen-core", "ray ", "dask"),
    *("two queues", "what it needs", "nothing", "bare ", "a bare "),
)
"""How the cases begin that are not ours."""


def draw(reports: Sequence[Report], folder: Path) -> list[Path]:
    """A PNG for each report that has something to show; their paths.

    Raises:
        ImportError: matplotlib is not installed; the message names the command.
    """
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(f"plots need matplotlib; install it with: {how_to_install('bench')}") from error
    mpl.use("Agg")
    folder.mkdir(parents=True, exist_ok=True)
    drawn = []
    for report in reports:
        lines = [table for table in report.tables if len(_line(table)) > 1]
        tables = lines or [table for table in report.tables if _bars(table)]
        if not tables:
            continue
        heights = [2.4 if lines else 0.5 + 0.32 * len(_bars(table)) for table in tables]
        figure = Figure(figsize=(9, 0.9 + sum(heights)))
        axes = figure.subplots(len(tables), 1, squeeze=False)[:, 0]
        for axis, table in zip(axes, tables, strict=True):
            (_draw_line if lines else _draw)(axis, table)
        figure.suptitle(report.question, fontsize=11)
        figure.tight_layout()
        path = folder / f"{report.name}.png"
        figure.savefig(path, dpi=110)
        drawn.append(path)
    return drawn


def _bars(table: Table) -> list[tuple[str, float, float, float, str]]:
    """Case, median, lowest, highest, and the name of the figure; of a table that has them."""
    return [
        (name, *figures) for row in table.rows if isinstance(name := row.get("case"), str) for figures in _figures(row)
    ]


def _line(table: Table) -> list[tuple[float, float, float, float]]:
    """Point, median, lowest, highest; of a table whose first column is a number."""
    return [
        (float(point), *figures[:3])
        for row in table.rows
        if isinstance(point := next(iter(row.values())), int | float)
        for figures in _figures(row)
    ]


def _figures(row: Mapping[str, Cell]) -> list[tuple[float, float, float, str]]:
    """Median, lowest, highest and their name, once; nothing where there is no median."""
    column = next((name for name in row if name.startswith("median ")), "")
    value = row.get(column)
    if not isinstance(value, int | float):
        return []
    unit = column.removeprefix("median ")
    low, high = row.get(f"lowest {unit}", value), row.get(f"highest {unit}", value)
    return [(float(value), _number(low, value), _number(high, value), unit)]


def _draw_line(axis: Any, table: Table) -> None:
    points = _line(table)
    xs, medians = [point[0] for point in points], [point[1] for point in points]
    spread = [[point[1] - point[2] for point in points], [point[3] - point[1] for point in points]]
    axis.errorbar(xs, medians, yerr=spread, color=OURS, marker="o", markersize=4, ecolor="#444444", elinewidth=1)
    axis.set_xscale("symlog" if min(xs) <= 0 else "log")
    if max(medians) > 30 * min(medians) > 0:
        axis.set_yscale("log")
    else:
        axis.set_ylim(0, 1.3 * max(point[3] for point in points))
    axis.set_xticks(xs, [f"{x:,.0f}" for x in xs])
    axis.minorticks_off()
    first = table.rows[0]
    axis.set_xlabel(next(iter(first)), fontsize=9)
    axis.set_ylabel(next(name for name in first if name.startswith("median ")).removeprefix("median "), fontsize=9)
    axis.set_title(table.title, fontsize=9, loc="left")
    axis.tick_params(labelsize=8)
    for point, median in zip(xs, medians, strict=True):
        axis.annotate(f"{median:,.3g}", (point, median), xytext=(0, 6), textcoords="offset points", fontsize=8)
    axis.spines[["top", "right"]].set_visible(False)


def _number(cell: Cell, otherwise: float) -> float:
    return float(cell) if isinstance(cell, int | float) else float(otherwise)


def _draw(axis: Any, table: Table) -> None:
    bars = _bars(table)
    names, medians = [bar[0] for bar in bars], [bar[1] for bar in bars]
    spread = [[bar[1] - bar[2] for bar in bars], [bar[3] - bar[1] for bar in bars]]
    colors = [THEIRS if name.startswith(PEERS) else OURS for name in names]
    places = range(len(bars), 0, -1)
    axis.barh(places, medians, xerr=spread, color=colors, error_kw={"elinewidth": 1, "ecolor": "#444444"})
    axis.set_yticks(list(places), names, fontsize=9)
    is_log = max(medians) > 30 * min(medians) > 0
    if is_log:
        axis.set_xscale("log")
    axis.set_xlabel(f"{bars[0][4]}{' (logarithmic)' if is_log else ''}", fontsize=9)
    axis.set_title(table.title, fontsize=9, loc="left")
    axis.tick_params(axis="x", labelsize=8)
    for place, bar in zip(places, bars, strict=True):
        axis.annotate(f" {bar[1]:,.4g}", (bar[3], place), va="center", fontsize=8)  # past the end of the error bar
    axis.margins(x=0.1)
    axis.spines[["top", "right"]].set_visible(False)

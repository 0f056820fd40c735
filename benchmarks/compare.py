"""What has changed between two runs: the same figures side by side."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from .report import Cell, Table

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


SAME = ("processor", "cpus", "system", "python", "implementation", "gil", "size", "beside", "one core")
"""Facts of the machine: where they differ, so do figures of the same code."""
NO_FIGURES = ("repeats",)


def compare(old: Path, new: Path) -> tuple[Table, list[str]]:
    """A row for each figure that both runs have, and how the new one is by the old one; and a line for each fact in
    which the runs differ, so that they cannot be compared.

    Raises:
        ValueError: One of them is no file of figures.
    """
    earlier_run, later_run = _load(old), _load(new)
    before, after = _figures_of(earlier_run, old), _figures_of(later_run, new)
    rows: list[dict[str, Cell]] = []
    for place, value in after.items():
        earlier = before.get(place)
        if earlier is not None:
            name, table, row, column = place
            rows.append(
                {
                    "benchmark": name,
                    "table": table,
                    "row": row,
                    "figure": column,
                    "old": earlier,
                    "new": value,
                    "new by old": value / earlier if earlier else None,
                }
            )
    one, other = earlier_run.get("machine", {}), later_run.get("machine", {})
    differs = [
        f"not to be compared: {fact} was {one.get(fact)}, and is {other.get(fact)}"
        for fact in SAME
        if one.get(fact) != other.get(fact)
    ]
    return Table(f"{new} by {old}", rows), differs


def _load(path: Path) -> Any:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        content["benchmarks"]
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise ValueError(f"{path} is no file of figures: {error}") from error
    return content


def _figures_of(content: Any, path: Path) -> dict[tuple[str, str, str, str], float]:
    try:
        return dict(_figures(content))
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise ValueError(f"{path} is no file of figures: {type(error).__name__}: {error}") from error


def _figures(content: Any) -> Iterator[tuple[tuple[str, str, str, str], float]]:
    for benchmark in content["benchmarks"]:
        for table in benchmark["tables"]:
            for row in table["rows"]:
                first, *others = row  # the first column names the row
                for column in others:
                    value = row[column]
                    is_number = isinstance(value, int | float) and not isinstance(value, bool)
                    if is_number and column not in NO_FIGURES:
                        yield (benchmark["name"], table["title"], str(row[first]), column), float(value)

"""What has changed between two runs: the same figures side by side."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from .report import Cell, Table

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def compare(old: Path, new: Path) -> Table:
    """A row for each figure that both runs have, and how the new one is by the old one.

    Raises:
        ValueError: One of them is no file of figures.
    """
    before, after = dict(_figures(_load(old))), dict(_figures(_load(new)))
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
    return Table(f"{new} by {old}: compare only runs of one machine", rows)


def _load(path: Path) -> Any:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        content["benchmarks"]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{path} is no file of figures: {error}") from error
    return content


def _figures(content: Any) -> Iterator[tuple[tuple[str, str, str, str], float]]:
    for benchmark in content["benchmarks"]:
        for table in benchmark["tables"]:
            for row in table["rows"]:
                first, *others = row  # the first column names the row
                for column in others:
                    value = row[column]
                    if isinstance(value, int | float) and not isinstance(value, bool):
                        yield (benchmark["name"], table["title"], str(row[first]), column), float(value)

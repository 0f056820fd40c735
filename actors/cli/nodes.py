"""``actors nodes``: which nodes a cluster has, and whether agents can live there."""

from __future__ import annotations

import dataclasses
import json
import sys
from typing import TYPE_CHECKING

from ..core.shown import one_line
from .columns import cell, width_of
from .engine import LONGEST_PROBLEM
from .refusal import RefusedError
from .terminal import answering, console
from .wording import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from ..cluster.probe import Probed

EXIT_OK = 0
EXIT_NONE = 1
TIMEOUT = 60.0
GAP = 2
"""Between two columns."""
LEAST_OF_WHY = 16
STYLES = {"ready": "green", "refused": "bold yellow", "failed": "red", "gone": "dim"}
TITLES = ("node", "state", "python", "actors", "ray")


def nodes(address: str, *, as_json: bool) -> int:
    """Show the nodes of the cluster at *address*.

    Returns:
        0 when agents can live on one of them, else 1.
    Raises:
        RefusedError: There is no cluster, or a package is missing.
    """
    found = _look(address)
    with answering():
        if as_json:
            for node in found:
                print(json.dumps(dataclasses.asdict(node)))  # noqa: T201 - the command line may print
        else:
            voice = console(sys.stdout)
            voice.print(table_of(found, voice.width))
            voice.print(_sum(found), markup=False)
    return EXIT_OK if any(node.is_ready for node in found) else EXIT_NONE


def _look(address: str) -> list[Probed]:
    from ..cluster.link import LinkError
    from ..cluster.probe import look

    try:
        return look(address, timeout=TIMEOUT)
    except (ImportError, ValueError, LinkError) as error:
        raise RefusedError(f"--address {one_line(address)}: {one_line(str(error), LONGEST_PROBLEM)}") from None


def _sum(found: Sequence[Probed]) -> str:
    ready = sum(node.is_ready for node in found)
    return f"\n{counted(len(found), 'node')}: agents can live on {ready:,}"


def table_of(found: Sequence[Probed], width: int) -> Table:
    """A table of *found*, in *width* columns; what is wrong has its column where anything is."""
    from rich.table import Table

    columns = {title: [one_line(getattr(node, title), 60) for node in found] for title in TITLES}
    columns = {title: cells for title, cells in columns.items() if title in TITLES[:2] or any(cells)}
    widths = {title: width_of(title, cells) for title, cells in columns.items()}
    left = max(LEAST_OF_WHY, width - sum(GAP + each for each in widths.values()))
    has_why = any(node.why for node in found)
    table = Table(box=None, padding=(0, GAP, 0, 0), pad_edge=False)
    for title in columns:
        table.add_column(title, no_wrap=True)
    if has_why:
        table.add_column("why", max_width=left)
    for number, node in enumerate(found):
        cells = [
            cell(column[number], widths[title], STYLES.get(node.state, "") if title == "state" else "")
            for title, column in columns.items()
        ]
        table.add_row(*cells, *([one_line(node.why, 1_000)] if has_why else []))
    return table

"""Ours and the peers in turn: medians, tails, and ratios with their spread."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .figures import Spread, ratios
from .report import Cell, Table
from .turns import in_turn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Measure = Callable[[], float]

MICRO = 1e6
MILLI = 1e3


def contest(
    title: str,
    ours: Mapping[str, Measure],
    peers: Mapping[str, Measure],
    *,
    repeats: int,
    warmups: int = 1,
    per: int = 1,
    scale: float = MICRO,
    unit: str = "us",
) -> list[Table]:
    """Measure all cases in turn.

    Args:
        ours, peers: Case -> a function that does the work once and returns its seconds.
        per: How many things are done each time; figures are for one of them.
        scale, unit: How many units a second has, and their name.
    Returns:
        A table of times, and one of ratios: ours by each peer, formed within each turn.
    """
    found = in_turn({**ours, **peers}, repeats=repeats, warmups=warmups)
    times = Table(title, [_row(case, values, scale / per, unit) for case, values in found.items()])
    if not peers:
        return [times]
    rows: list[dict[str, Cell]] = []
    for mine in ours:
        row: dict[str, Cell] = {"case": mine}
        for peer in peers:
            spread = ratios(found[mine], found[peer])
            row[f"by {peer}"] = spread.median
            row[f"spread {peer}"] = f"{spread.low:.3g} to {spread.high:.3g}"
        rows.append(row)
    return [times, Table(f"{title}: ratios", rows)]


def _row(case: str, seconds: list[float], factor: float, unit: str) -> dict[str, Cell]:
    spread = Spread.of([value * factor for value in seconds])
    return {
        "case": case,
        f"median {unit}": spread.median,
        f"p99 {unit}": spread.p99,
        f"lowest {unit}": spread.low,
        f"highest {unit}": spread.high,
        "repeats": spread.count,
    }

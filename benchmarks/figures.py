"""What a handful of measurements says: middle, tail, spread, and how it grows."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Spread:
    """Measurements of one thing. ``p99`` is the smallest value that 99 of 100 do not pass."""

    count: int
    low: float
    median: float
    p99: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Look at *values*; there must be one at least."""
        ordered = sorted(values)
        return cls(len(ordered), ordered[0], statistics.median(ordered), percentile(ordered, 99), ordered[-1])

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f} to {self.high:.2f})"


def percentile(ordered: Sequence[float], percent: float) -> float:
    """The nearest-rank percentile of values in rising order."""
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def ratios(ours: Sequence[float], peers: Sequence[float]) -> Spread:
    """Ours by the peer's, pair by pair: what disturbs the machine disturbs both of a pair."""
    return Spread.of([mine / theirs for mine, theirs in zip(ours, peers, strict=True)])


def slope(xs: Sequence[float], ys: Sequence[float]) -> float:
    """How much *ys* rise for each unit of *xs*, by least squares; 0 when nothing can be said."""
    if len(xs) < 2 or min(xs) == max(xs):
        return 0.0
    return statistics.linear_regression(xs, ys).slope

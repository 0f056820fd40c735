"""The statistics, against values by hand."""

from __future__ import annotations

import pytest

from benchmarks.figures import Spread, ratios, slope
from benchmarks.turns import in_turn


def test_spread() -> None:
    """The middle, the nearest-rank p99, and the ends."""
    assert Spread.of([3.0, 1.0, 2.0]) == Spread(3, 1.0, 2.0, 3.0, 3.0)
    assert Spread.of(range(1, 1001)).p99 == 990


def test_ratios_are_formed_by_pairs() -> None:
    """Each of ours by the peer's of the same turn: what slows both down changes nothing."""
    assert ratios([1.0, 20.0], [2.0, 40.0]) == Spread(2, 0.5, 0.5, 0.5, 0.5)


@pytest.mark.parametrize(
    ("xs", "ys", "expected"), [([0, 1, 2], [5, 7, 9], 2.0), ([], [], 0.0), ([1], [1], 0.0), ([1, 1], [1, 2], 0.0)]
)
def test_slope(xs: list[float], ys: list[float], expected: float) -> None:
    """Least squares; 0 when there is nothing to say."""
    assert slope(xs, ys) == expected


def test_in_turn() -> None:
    """A B A B, and the warm-up does not count."""
    calls: list[str] = []

    def count(name: str) -> int:
        calls.append(name)
        return len(calls)

    found = in_turn({"a": lambda: count("a"), "b": lambda: count("b")}, repeats=2, warmups=1)
    assert calls == ["a", "b"] * 3
    assert found == {"a": [3, 5], "b": [4, 6]}

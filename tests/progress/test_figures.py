"""How far the work is, on one line."""

from __future__ import annotations

import pytest

from actors.progress.figures import Figures


@pytest.mark.parametrize(
    ("figures", "line"),
    [
        (Figures(0, None, 0, 0, 0, 0, 0.0, 0.0), "0 done"),
        (Figures(0, 10, 4, 6, 0, 0, 0.0, 2.0), "0 of 10 done · 4 running · 6 queued"),
        (
            Figures(3, 10, 2, 5, 1, 1234, 0.0042, 3.0),
            "3 of 10 done · 2 running · 5 queued · 1 failed · 1,234 tokens · $0.0042 · 1.0/s · 7.00 s left",
        ),
        (Figures(10, 10, 0, 0, 0, 0, 0.0, 5.0), "10 of 10 done · 2.0/s · after 5.00 s"),
        (Figures(5000, None, 1, 0, 0, 0, 0.0, 100.0), "5,000 done · 1 running · 50.0/s · after 1 min 40 s"),
        (Figures(12, 10, 0, 0, 0, 0, 0.0, 6.0), "12 done · 2.0/s · after 6.00 s"),  # more than was said
    ],
)
def test_a_line(figures: Figures, line: str) -> None:
    """What there is none of is left out."""
    assert str(figures) == line

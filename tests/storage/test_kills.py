"""Who writes is killed at named points: both winners of each race between a kill and the disk. The long one, at random
moments, is ``python -m benchmarks kills writer``.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest

from benchmarks.kills.writer import Writer

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.process

HOW = {"producers": 8, "durability": "process", "version": 1, "waiting": 0.3, "entries": 30, "rounds": 1000}
TINY = {"CHECKPOINT_AT": 2, "CHECKPOINT_BY": 8, "GATHER": 0.0}


@pytest.mark.parametrize("side", ["before", "after"])
@pytest.mark.parametrize("point", ["commit", "telling"])
def test_killed_at_a_named_point(tmp_path: Path, point: str, side: str) -> None:
    """What was acknowledged is there, without a gap, and the next life goes on."""
    writer = Writer(tmp_path, Random(0), 2)
    files = {"path": str(tmp_path / "written.db"), "notes": str(tmp_path / "acknowledged.txt")}
    writer.live({**HOW, **files, "life": 0, "point": [point, side, 3], "seconds": None, "constants": TINY})
    assert writer.exit_code == -9
    writer.look(1)
    assert writer.violations == []
    assert writer.counts["entries"] >= writer.counts["acknowledged"] > 0

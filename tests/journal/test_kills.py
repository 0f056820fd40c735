"""Programs that are killed with ``kill -9``: a pool at random moments, and one agent at each named point."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from benchmarks.kills.nursery import Nursery
from benchmarks.kills.pool import kill_pool
from benchmarks.kills.races import Race, races, run_race

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.process

EACH = 6
"""The gate runs one race of so many; ``python -m benchmarks kills races`` runs all."""


def test_a_pool_that_is_killed_ends_as_if_nobody_had() -> None:
    """Five kills: one outcome each, a prefix in the file, at most one answer bought again, no payment twice."""
    report = kill_pool(5, seed=11)
    assert not report.problems, "\n".join(report.problems)
    sums = {row[""]: row[" "] for row in report.tables[0].rows}
    assert sums["kills"] == 5
    assert sums["paid twice"] == 0


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    """Where the programs of this module come from."""
    with Nursery("benchmarks.kills.race_program", "actors.journal.store") as one:
        yield one


@pytest.mark.parametrize("race", races()[::EACH], ids=lambda race: race.name)
def test_both_winners(race: Race, nursery: Nursery, tmp_path: Path) -> None:
    """What a kill at that point costs, and what it leaves in doubt."""
    assert run_race(race, nursery, tmp_path) == []


def test_an_image_between_commits_is_what_a_kill_leaves(nursery: Nursery, tmp_path: Path) -> None:
    """The random programs of this folder are not killed: their file is copied between two commits. That is the same."""
    end = nursery.run("tests.journal.dying:die", tmp_path / "stderr", folder=str(tmp_path), commits=3)
    assert end.killed, (tmp_path / "stderr").read_text()
    for name in ("run.db", "run.db-wal"):
        assert (tmp_path / "image" / name).read_bytes() == (tmp_path / name).read_bytes()

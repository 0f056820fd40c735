"""What happens to calls between the program and a host: decided by chance, and by a seed the same again."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Faults:
    """How often calls go wrong: each a share of all calls, from 0 to 1.

    Args:
        lost: They never come to the host.
        lost_answers: They come, and nobody hears of it.
        doubled: They come twice; the first answer counts.
        late: They, their doubles or their answers take up to *late_by* seconds: so others overtake them.
    """

    lost: float = 0.0
    lost_answers: float = 0.0
    doubled: float = 0.0
    late: float = 0.0
    late_by: float = 0.02

    def __post_init__(self) -> None:
        for name in ("lost", "lost_answers", "doubled", "late"):
            share = getattr(self, name)
            if not 0 <= share <= 1:
                raise ValueError(f"{name} is a share of all calls, from 0 to 1: not {share!r}")
        if self.late_by < 0:
            raise ValueError(f"late_by is not below 0: {self.late_by!r}")


@dataclass(frozen=True, slots=True)
class Fate:
    """What happens to one call.

    Args:
        ways: Seconds until each of its copies comes: one, two if it is doubled, none if it is lost.
        back: Seconds that its answer takes; None: the answer is lost.
    """

    ways: tuple[float, ...]
    back: float | None


class Fates:
    """Tells the fate of each call of one kind to one host: the same ones in the same order for the same seed.

    Threads: one at a time.
    """

    def __init__(self, faults: Faults, seed: str) -> None:
        self.faults = faults
        self._chance = random.Random(seed)  # noqa: S311 - nobody is to be surprised by it

    def next(self) -> Fate:
        """The fate of the next call. As much chance is used for each, so that one share more changes no other."""
        of, roll = self.faults, self._chance.random
        is_lost, is_unheard, is_doubled = roll() < of.lost, roll() < of.lost_answers, roll() < of.doubled
        there, again, back = (roll() * of.late_by * (roll() < of.late) for _ in range(3))
        ways = () if is_lost else (there, again) if is_doubled else (there,)
        return Fate(ways, None if is_unheard or is_lost else back)

"""How much time the actors of a pool have for their ends, on a clock that the test moves."""

from __future__ import annotations

from typing import Any

from actors.core.scheduling.turn import Turn
from actors.core.supervision.pool_actors import PoolActors

from ..manual_alarm import ManualClock

NEEDS = 3.0
"""Seconds that each takes for its end."""


class Team:
    """A pool, as its actors see it."""

    name = "team"
    abort_timeout = 5.0
    is_open = True

    def __init__(self) -> None:
        self.turn = Turn()
        self.clock = ManualClock()

    def refuse_after_fork(self) -> None:
        """It did not fork."""


class Member:
    """An actor that says what it is told."""

    thread = 0

    def __init__(self, name: str, said: list[str]) -> None:
        self.label = name
        self.said = said

    def stop(self) -> None:
        self.said.append(f"stop {self.label}")

    def abort(self, reason: str) -> None:
        self.said.append(f"abort {self.label}: {reason}")


class Members(PoolActors):
    """While they are waited for, time passes, and one after another ends; at a *stone* all stop."""

    stone: str | None = None

    def wait(self, timeout: float) -> bool:
        clock: Any = self._pool.clock
        end = clock.at + timeout
        while self._leaving is not None and self._leaving.label != self.stone and clock.at + NEEDS <= end:
            clock.at += NEEDS
            self.forget(self._leaving)
        clock.at = end
        return not self._live


def members(count: int, said: list[str]) -> Members:
    """So many, who write into *said*."""
    made = Members(Team())  # type: ignore[arg-type]
    for number in range(count):
        made.adopt(Member(str(number), said))
    return made


def test_each_has_its_own_time() -> None:
    """However many there are: none is aborted because of those that had to end before it."""
    said: list[str] = []
    assert members(4, said).stop() is True
    assert said == ["stop 3", "stop 2", "stop 1", "stop 0"]


def test_one_that_needs_longer_ends_the_patience_with_all() -> None:
    """The caller does not wait for one stuck actor after another."""
    said: list[str] = []
    team = members(4, said)
    team.stone = "1"
    assert team.stop() is True
    assert said[:3] == ["stop 3", "stop 2", "stop 1"]
    assert said[3:] == [f"abort {n}: it did not end within 5.0 s" for n in (0, 1)]
    assert [stray.cell.label for stray in team.abandoned()] == ["0", "1"]


def test_the_time_of_the_caller_ends_it() -> None:
    """They go on, and the next who stops them begins with the one that ends now, which has its time anew."""
    said: list[str] = []
    team = members(4, said)
    clock: Any = team._pool.clock
    assert team.stop(clock.at + 7.0) is False
    assert said == ["stop 3", "stop 2"]
    clock.at += 100.0
    assert team.stop() is True
    assert said == ["stop 3", "stop 2", "stop 1", "stop 0"]


def test_who_has_ended_meanwhile_is_passed_over() -> None:
    """By itself, while others were at their ends."""
    said: list[str] = []
    team = members(4, said)
    clock: Any = team._pool.clock
    assert team.stop(clock.at) is False
    for gone in team.cells()[1:3]:
        team.forget(gone)
    assert team.stop() is True
    assert said == ["stop 3", "stop 0"]

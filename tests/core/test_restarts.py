"""How often something that crashed may start again."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, strategies as st

from actors import Backoff, RestartPolicy
from actors.core.actors.restarts import Restarts


class Hand:
    """A clock that a test moves."""

    def __init__(self, time: float = 0.0) -> None:
        self.time = time

    def monotonic(self) -> float:
        """The time."""
        return self.time


def restarts(max_restarts: int, window: float = 60.0, **backoff: float) -> tuple[Restarts, Hand]:
    """Some restarts, and the clock that they look at."""
    clock = Hand(1000.0)
    policy = RestartPolicy(max_restarts, window, Backoff(**({"base": 0.0, "jitter": 0.0} | backoff)))
    return Restarts(policy, clock), clock  # type: ignore[arg-type]


def test_none_are_left_after_the_last() -> None:
    """Refused ones are not counted, and take nothing."""
    it, _ = restarts(2)
    assert [it.take() for _ in range(4)] == [0.0, 0.0, None, None]
    assert it.total == 2


def test_none_are_left_from_the_start() -> None:
    """With 0."""
    it, clock = restarts(0)
    assert it.take() is None
    clock.time += 10_000
    assert it.take() is None
    assert it.total == 0


def test_the_window_slides() -> None:
    """Each restart comes back a window after it was taken, not all at once."""
    it, clock = restarts(2, window=10.0)
    assert it.take() is not None  # at 0
    clock.time += 4
    assert it.take() is not None  # at 4
    clock.time += 5.9
    assert it.take() is None
    clock.time += 0.2  # 10.1: the first is back
    assert it.take() is not None
    assert it.take() is None
    clock.time += 3.8  # 13.9: the second is not
    assert it.take() is None
    clock.time += 0.2
    assert it.take() is not None
    assert it.total == 4


def test_the_waits_grow_with_the_restarts_of_the_window() -> None:
    """And are short again after a quiet time."""
    it, clock = restarts(4, base=1.0, factor=3.0, maximum=5.0)
    assert [it.take() for _ in range(5)] == [1.0, 3.0, 5.0, 5.0, None]
    clock.time += 100.0
    assert it.take() == 1.0


@given(
    max_restarts=st.integers(0, 4),
    steps=st.lists(st.floats(0.0, 30.0, allow_nan=False), max_size=40),
)
def test_no_window_ever_has_more(max_restarts: int, steps: list[float]) -> None:
    """As a plain count over all that were taken says; and one is refused only when the window is full."""
    it, clock = restarts(max_restarts, window=20.0)
    taken: list[float] = []
    for step in steps:
        clock.time += step
        recent = [at for at in taken if at > clock.time - 20.0]
        if it.take() is None:
            assert len(recent) == max_restarts
        else:
            assert len(recent) < max_restarts
            taken.append(clock.time)
    assert it.total == len(taken)


@pytest.mark.parametrize("max_restarts", [1, 2, 3])
def test_it_is_the_restarts_that_are_counted_not_the_crashes(
    max_restarts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wait that is long moves the restart: between restarts, too, no window has more than max_restarts."""
    jitters = itertools.cycle([1.0, 0.0, 0.5])
    monkeypatch.setattr("actors.core.records.spec.random.random", lambda: next(jitters))
    it, clock = restarts(max_restarts, base=30.0, factor=1.0, jitter=0.1)
    begun: list[float] = []
    for _ in range(400):
        delay = it.take()
        if delay is None:
            clock.time += 0.5
        else:
            clock.time += delay  # and it crashes again at once
            begun.append(clock.time)
    for first, last in zip(begun, begun[max_restarts:], strict=False):
        assert last - first > 59.999


def test_without_a_base_there_is_no_wait_however_often() -> None:
    """Also where the factor's power is beyond a float."""
    assert Backoff(base=0.0, jitter=0.0).delay(5000) == 0.0

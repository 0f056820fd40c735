"""How much of what a provider allows is used, and how many calls it has to refuse for that: against models of them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest

from actors.drivers.allowance import Allowance

from .modelled import AtOnce, Bucket, ByChance, FixedWindow, Model, Simulation, SlidingWindow

if TYPE_CHECKING:
    from collections.abc import Callable

MEAN = 0.2 * math.exp(0.3**2 / 2)
"""Seconds that an answer takes on average."""

LIMITED: dict[str, tuple[Callable[[], Model], float, dict[str, Any]]] = {
    "bucket of 10, 10 a second": (lambda: Bucket(10, 10), 10, {}),
    "bucket of 20, 100 a second": (lambda: Bucket(100, 20), 100, {}),
    "bucket of a minute, 500 a minute": (lambda: Bucket(500 / 60, 500), 500 / 60, {}),
    "bucket of a minute, 60 a minute": (lambda: Bucket(1, 60), 1, {}),
    "bucket, slow answers": (lambda: Bucket(500 / 60, 10), 500 / 60, {"latency": 2.0}),
    "500 in each minute": (lambda: FixedWindow(500, 60), 500 / 60, {}),
    "100 in each 10 s": (lambda: FixedWindow(100, 10), 10, {}),
    "500 in any minute": (lambda: SlidingWindow(500, 60), 500 / 60, {}),
    "16 at once": (lambda: AtOnce(16), 16 / MEAN, {}),
    "4 at once": (lambda: AtOnce(4), 4 / MEAN, {}),
    "1 at once": (lambda: AtOnce(1), 1 / MEAN, {}),
    "16 at once, refused slowly": (lambda: AtOnce(16), 16 / MEAN, {"refusal": 0.2}),
    "bucket, refused slowly": (lambda: Bucket(10, 10), 10, {"refusal": 0.2}),
}


@pytest.mark.parametrize("tells_wait", [False, True], ids=["", "Retry-After"])
@pytest.mark.parametrize("name", LIMITED)
def test_what_is_allowed_is_used_and_little_is_refused(name: str, tells_wait: bool) -> None:
    """Whatever kind of limit it is, and whether or not it says how long to wait: nine tenths, and no storm."""
    make, allowed, how = LIMITED[name]
    # Limits of a minute: from the middle of one to that of another.
    seconds = 1290.0 if "minute" in name else 120.0
    count = Simulation(make(), Allowance(), tells_wait=tells_wait, **how).run(seconds, 30.0)
    assert count.rate > 0.9 * allowed
    assert count.refused < (0.25 if "a minute" in name else 0.15)


def test_without_a_limiter_most_is_refused() -> None:
    """What the models are like: or the test before would show nothing."""
    for model in (Bucket(10, 10), FixedWindow(500, 60), AtOnce(4)):
        assert Simulation(model, None).run(60.0, 0.0).refused > 0.4


@pytest.mark.parametrize("tells_wait", [False, True], ids=["", "Retry-After"])
@pytest.mark.parametrize("lies", ["", "refused", "always"])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.3])
def test_refusals_by_chance_slow_nobody_down(share: float, lies: str, tells_wait: bool) -> None:
    """As much is answered as without a limiter, whatever the headers say; everybody is never stopped."""
    plain = Simulation(ByChance(share), None, tells_wait=tells_wait).run(60.0, 10.0)
    allowance = Allowance()
    model = ByChance(share, lies)
    count = Simulation(model, allowance, tells_wait=tells_wait, tells_limits=bool(lies)).run(60.0, 10.0)
    assert count.rate > 0.9 * plain.rate
    assert count.longest_silence < 1.5


@pytest.mark.parametrize("rate", [2, 10, 100])
def test_headers_that_are_true_are_kept_to(rate: int) -> None:
    """They tell when a call fits: next to none is refused."""
    count = Simulation(Bucket(rate, 5 * rate), Allowance(), tells_limits=True).run(120.0, 20.0)
    assert count.rate > 0.9 * rate
    assert count.refused < 0.2


def test_a_limit_that_falls_is_found_again() -> None:
    """From a hundred calls a second to ten, and back."""
    model = Bucket(100, 20)
    simulation = Simulation(model, Allowance())
    simulation.run(60.0, 0.0)
    model.rate = 10
    count = simulation.run(180.0, 90.0)
    assert count.rate > 9
    assert count.refused < 0.2
    model.rate = 100
    assert simulation.run(300.0, 270.0).rate > 90


def test_own_limits_are_kept_to_beside() -> None:
    """Never more than said in any minute, while the provider refuses by chance."""
    simulation = Simulation(ByChance(0.3), Allowance(requests_per_minute=300))
    count = simulation.run(300.0, 60.0)
    assert count.rate + count.refused / (1 - count.refused) * count.rate <= 300 / 60 * 1.05
    begun = sorted([*simulation.answers, *simulation.refusals])
    assert len(begun) <= 300 * 6

"""Backoff and restart policies: their bounds."""

from __future__ import annotations

import random
from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from actors.core.records.spec import AgentSpec, Backoff, RestartPolicy


def test_the_wait_grows_by_the_factor_up_to_the_maximum() -> None:
    """0.1, 0.2, 0.4 … and no further than the maximum, however often it is tried."""
    backoff = Backoff(base=0.1, factor=2.0, maximum=1.0, jitter=0.0)
    assert [round(backoff.delay(n), 3) for n in (1, 2, 3, 4, 5, 6)] == [0.1, 0.2, 0.4, 0.8, 1.0, 1.0]
    assert backoff.delay(10**9) == 1.0


def test_jitter_only_adds(monkeypatch: pytest.MonkeyPatch) -> None:
    """At most its share of the wait."""
    backoff = Backoff(base=10, factor=1, maximum=10, jitter=0.1)
    monkeypatch.setattr(random, "random", lambda: 0.0)
    assert backoff.delay(1) == 10
    monkeypatch.setattr(random, "random", lambda: 0.999)
    assert 10.9 < backoff.delay(1) < 11


def test_no_base_means_no_wait() -> None:
    """Restart at once."""
    assert Backoff(base=0).delay(5) == 0


@pytest.mark.parametrize(
    ("model", "fields"),
    [
        (Backoff, {"base": -1}),
        (Backoff, {"factor": 0.5}),
        (Backoff, {"maximum": -1}),
        (Backoff, {"jitter": -0.1}),
        (Backoff, {"unknown": 1}),
        (RestartPolicy, {"max_restarts": -1}),
        (RestartPolicy, {"window": 0}),
        (RestartPolicy, {"unknown": 1}),
        (RestartPolicy, {"backoff": {"base": 0}}),
    ],
)
def test_values_without_a_meaning_are_refused(model: Any, fields: dict[str, Any]) -> None:
    """Negative waits, shrinking ones, empty windows, unknown names."""
    with pytest.raises((ValueError, TypeError)):
        model(**fields)


def test_the_defaults_never_restart() -> None:
    """As the contract names them."""
    policy = RestartPolicy()
    assert (policy.max_restarts, policy.window) == (0, 60.0)
    backoff = policy.backoff
    assert (backoff.base, backoff.factor, backoff.maximum, backoff.jitter) == (0.1, 2.0, 30.0, 0.1)
    with pytest.raises(FrozenInstanceError):
        policy.max_restarts = 3  # type: ignore[misc]


def test_a_spec_is_plain_data(spec: Any) -> None:
    """What is not said has a default that asks for nothing."""
    plain = spec()
    assert isinstance(plain, AgentSpec)
    assert (plain.timeout, plain.deadline, plain.priority, plain.group, plain.tag) == (None, None, 0, None, None)
    assert (plain.restart, plain.max_depth) == (None, None)

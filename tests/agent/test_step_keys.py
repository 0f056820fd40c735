"""A step's function that takes an ``effect_key`` gets it, as a tool does."""

from __future__ import annotations

import functools
from typing import Any

import pytest

from actors import Agent, AgentManifest, AgentPool, Backoff, RestartPolicy, SpawnConfig
from actors.agent.ledger import current_effect_key

RESTART = RestartPolicy(1, backoff=Backoff(base=0.0, maximum=0.0))


class Stepping(Agent[list[Any]]):
    """Does the steps that it is given; crashes once after them, if it is to."""

    def __init__(self, steps: Any, crashes: list[str]) -> None:
        self._steps, self._crashes = steps, crashes

    def run(self, query: Any) -> list[Any]:
        results = [self.step("same", fn, *args, effect="idempotent", **kwargs) for fn, args, kwargs in self._steps]
        if self._crashes:
            raise RuntimeError(self._crashes.pop())
        return results


def run(*steps: Any, restart: RestartPolicy | None = None, crashes: int = 0) -> list[Any]:
    """The results of *steps*, each a function, arguments, and those by name."""
    kwargs = {"steps": steps, "crashes": ["crash"] * crashes}
    with AgentPool(restart=restart) as pool:
        result: list[Any] = pool.spawn(SpawnConfig(AgentManifest(), "", agent=Stepping, kwargs=kwargs)).result()
        return result


def by_name(amount: int, effect_key: str) -> tuple[int, str]:
    return amount, effect_key


def only_by_name(amount: int, *, effect_key: str) -> list[Any]:
    return [amount, effect_key]


@pytest.mark.parametrize("restart", [None, RESTART], ids=["no ledger", "a ledger"])
def test_it_is_filled_in(restart: RestartPolicy | None) -> None:
    """Each step has a key of its own; that of what the function calls is the same."""

    class Bank:
        def pay(self, effect_key: str) -> list[str]:
            return [effect_key, current_effect_key()]

    first, second, third = run(
        (functools.partial(only_by_name, 1), (), {}), (only_by_name, (2,), {}), (Bank().pay, (), {}), restart=restart
    )
    assert (first[0], second[0]) == (1, 2)
    keys = [first[1], second[1], third[0]]
    assert len(set(keys)) == 3
    assert all(key.isalnum() for key in keys)
    assert restart is None or third[0] == third[1]


def test_it_is_the_same_for_each_try() -> None:
    """A result that is not kept is had again, under the same key."""
    tries: list[str] = []

    def fetch(effect_key: str) -> object:
        tries.append(effect_key)
        if len(tries) == 1:
            raise RuntimeError("no answer")
        return "fetched"

    assert run((fetch, (), {}), restart=RESTART) == ["fetched"]
    assert len(tries) == 2
    assert len(set(tries)) == 1


@pytest.mark.parametrize("restart", [None, RESTART], ids=["no ledger", "a ledger"])
def test_whoever_gives_one_keeps_it(restart: RestartPolicy | None) -> None:
    """By name or by place; and a function that takes none gets none."""
    assert run((only_by_name, (1,), {"effect_key": "mine"}), restart=restart) == [[1, "mine"]]
    assert run((by_name, (1, "mine"), {}), restart=restart) == [(1, "mine")]
    assert run((sorted, ([2, 1],), {}), (dict, (), {"a": 1}), restart=restart) == [[1, 2], {"a": 1}]


def test_arguments_that_do_not_fit_are_the_callers_error() -> None:
    """The call says what is wrong with them, as without a key."""
    with AgentPool() as pool:
        kwargs = {"steps": [(by_name, (), {"amoun": 1})], "crashes": []}
        outcome = pool.spawn(SpawnConfig(AgentManifest(), "", agent=Stepping, kwargs=kwargs)).outcome()
    assert "unexpected keyword argument 'amoun'" in str(outcome.error)

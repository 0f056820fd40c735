"""The checks of our own rules: locks in order, and the steps that an agent's state allows."""

from __future__ import annotations

import itertools
import subprocess
import sys
import threading
from typing import Any

import pytest

from actors import AgentPool
from actors.core.checks import (
    SWITCH,
    BrokenRuleError,
    CheckedLock,
    Rank,
    checking,
    leaf_lock,
    leaf_rlock,
    ranked_lock,
)
from actors.core.process.signals import SignalsHeldOff
from actors.core.records.outcome import AgentStatus
from actors.core.records.state import NEXT, AgentState
from actors.core.scheduling.agent_cell import STATUS, AgentCell, CheckedCell
from actors.core.scheduling.turn import Turn
from actors.core.waiting.cancel import CancelToken

# The order of locks ---------------------------------------------------------------------------------------------


def test_they_are_on_in_the_tests() -> None:
    """The locks of all that is tested here are checked ones."""
    assert checking()
    assert isinstance(CancelToken()._lock, CheckedLock)
    assert isinstance(Turn()._lock, CheckedLock)


RANKS = [Rank.STARTING, Rank.TURN, Rank.LEAF]


@pytest.mark.parametrize(("first", "second"), list(itertools.product(RANKS, RANKS)))
def test_locks_are_taken_in_order(first: Rank, second: Rank) -> None:
    """The start, then the turn, then one leaf; of one rank only one."""
    with ranked_lock(first):
        if first < second:
            with ranked_lock(second):
                pass
        else:
            with pytest.raises(BrokenRuleError, match=f"{second.name} is taken while"):
                ranked_lock(second).acquire()
    with ranked_lock(second):  # nothing is left of it
        pass


def test_a_leaf_that_may_be_taken_again() -> None:
    """By the thread that has it; another leaf may not."""
    lock = leaf_rlock()
    with lock, lock:
        with pytest.raises(BrokenRuleError):
            leaf_lock().acquire()
        assert lock.acquire(blocking=False)
        lock.release()
    with leaf_lock():
        pass


def test_what_was_not_got_is_not_held() -> None:
    """A try that fails changes nothing."""
    lock = leaf_lock()
    taken, done = threading.Event(), threading.Event()

    def hold() -> None:
        with lock:
            taken.set()
            done.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    assert taken.wait(10)
    assert lock.locked()
    assert not lock.acquire(blocking=False)
    with leaf_lock():
        pass
    done.set()
    thread.join(10)


def test_each_thread_has_its_own() -> None:
    """What another thread holds is in nobody's way."""
    with leaf_lock():
        got: list[bool] = []
        thread = threading.Thread(target=lambda: got.append(ranked_lock(Rank.TURN).acquire(blocking=False)))
        thread.start()
        thread.join(10)
    assert got == [True]


def test_signals_are_held_off_before_any_lock() -> None:
    """Else a handler could run between the lock and the hold."""
    held_off = SignalsHeldOff()
    with held_off, leaf_lock(), held_off:  # the second time it only counts
        pass
    with leaf_lock(), pytest.raises(BrokenRuleError, match="SIGNALS is taken"):
        held_off.__enter__()
    with held_off:
        pass


def test_a_finalizer_is_outside_of_the_order() -> None:
    """It may run at any moment, also while its thread holds a lock."""
    got: list[Any] = []

    class Sends:
        def __del__(self) -> None:
            with leaf_lock():
                got.append("took one")

    with leaf_lock():
        Sends()
    assert got == ["took one"]


def test_a_pool_called_under_a_leaf_is_found_out(make_pool: Any) -> None:
    """No leaf takes the turn: here the router's would."""
    pool: AgentPool = make_pool()
    with pool.router._lock, pytest.raises(BrokenRuleError):
        pool.submit(int)
    assert pool.submit(int).result(10) == 0


def test_two_pools_are_not_taken_at_once(make_pool: Any) -> None:
    """Two turns have no order."""
    one, two = make_pool(), make_pool()
    with one._core.turn, pytest.raises(BrokenRuleError):
        two.submit(int)
    assert two.submit(int).result(10) == 0


@pytest.mark.process
@pytest.mark.parametrize(("value", "on"), [(None, False), ("", False), ("0", False), ("1", True)])
def test_they_cost_nothing_unless_they_are_asked_for(value: str | None, on: bool) -> None:
    """By one variable of the environment; without it the locks are bare ones."""
    code = "from actors.core import checks; print(checks.checking(), type(checks.leaf_lock()).__name__)"
    environment = {} if value is None else {SWITCH: value}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.split() == [str(on), "CheckedLock" if on else "lock"]


# The steps of an agent ------------------------------------------------------------------------------------------


def test_agents_are_checked_in_the_tests(supervise: Any, start: Any) -> None:
    """Every agent of every test refuses a step that its state does not allow."""
    handle = start(supervise())
    assert type(handle._cell) is CheckedCell
    handle.result(10)


def cell_at(state: AgentState, supervise: Any, spec: Any) -> AgentCell:
    cell = CheckedCell(supervise().parking, spec(), None, None, bounded=True)
    cell.state = state
    return cell


@pytest.mark.parametrize(("state", "following"), list(itertools.product(AgentState, AgentState)))
def test_only_what_may_follow_follows(state: AgentState, following: AgentState, supervise: Any, spec: Any) -> None:
    """A step that the table does not have raises, and changes nothing."""
    cell = cell_at(state, supervise, spec)
    if following in NEXT[state]:
        cell.transition(following, "tea")
        assert cell.state is following
    else:
        with pytest.raises(BrokenRuleError, match=f"goes from {state} to {following}"):
            cell.transition(following, "tea")
        assert cell.state is state


def test_every_state_is_reached_and_left() -> None:
    """From the queue on; each but the queue leads back to running, and that to the queue when a host went."""
    reached, waiting = {AgentState.QUEUED}, [AgentState.QUEUED]
    while waiting:
        found = NEXT[waiting.pop()] - reached
        reached |= found
        waiting += found
    assert reached == set(AgentState)
    assert all(AgentState.RUNNING in NEXT[state] for state in AgentState if state is not AgentState.RUNNING)
    assert [state for state in AgentState if AgentState.QUEUED in NEXT[state]] == [AgentState.RUNNING]


@pytest.mark.parametrize("state", [AgentState.RUNNING, AgentState.IN_DRIVER, AgentState.IN_TOOL, AgentState.IN_BACKOFF])
def test_who_was_parked_goes_back(state: AgentState, supervise: Any, spec: Any) -> None:
    """To what it was at, however often what it waits for changes meanwhile."""
    cell = cell_at(state, supervise, spec)
    for on in ("tea", "milk"):
        cell.transition(AgentState.PARKED, on)
        assert (cell.status, cell.parked_on) == (AgentStatus.PARKED, on)
        assert cell.state_and_place() == (AgentState.PARKED, on)
    cell.resume()
    assert (cell.state, cell.status, cell.parked_on) == (state, AgentStatus.RUNNING, None)


def test_every_state_has_a_status() -> None:
    """The words that both have are the same; whatever has none is running."""
    assert set(STATUS) == set(AgentState)
    words = {str(status) for status in AgentStatus}
    assert {state: str(status) for state, status in STATUS.items()} == {
        state: str(state) if str(state) in words else "running" for state in AgentState
    }

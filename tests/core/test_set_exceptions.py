"""An exception that another thread sets in a waiting one, as time limits of job queues do: it is raised soon, and
nothing is lost by it.
"""

from __future__ import annotations

import ctypes
import threading
from typing import TYPE_CHECKING, Any

import pytest

from actors import Actor, Agent, AgentManifest, AgentMessage, AgentPool, CancelToken, ReplyFuture, SpawnConfig
from actors.core.scheduling.turn import Turn
from actors.core.waiting import crowd as crowd_module, waiter as waiter_module
from actors.core.waiting.crowd import MANY, crowd

from ..waiting import BOUND, Gate, eventually

if TYPE_CHECKING:
    from collections.abc import Callable


class TimeLimitExceeded(BaseException):
    """What a job queue sets."""


def set_in(thread: threading.Thread | int) -> None:
    """Set it in *thread*."""
    ident = thread if isinstance(thread, int) else thread.ident
    assert ident is not None
    assert ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(ident), ctypes.py_object(TimeLimitExceeded)) == 1


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiter_module, "LOOK_UP", 0.02)


class Echo(Actor):
    """Answers when its gate opens."""

    def __init__(self, gate: Gate) -> None:
        super().__init__()
        self.gate = gate

    def on_receive(self, message: Any) -> Any:
        """Wait, and answer."""
        self.gate.hold()
        return message


WAITS: dict[str, Callable[[Any, Any, Any], Any]] = {
    "join_next": lambda pool, _, __: pool.join_next(),
    "join_next with a timeout": lambda pool, _, __: pool.join_next(BOUND),
    "join_all": lambda pool, _, __: pool.join_all(),
    "join_all of a group": lambda pool, _, __: pool.join_all(group="g"),
    "outcome": lambda _, handle, __: handle.outcome(),
    "result": lambda _, handle, __: handle.result(BOUND),
    "as_completed": lambda pool, _, __: next(iter(pool.as_completed())),
    "map": lambda pool, _, __: next(pool.map([SpawnConfig(AgentManifest(), "", agent=Waits)])),
    "drain": lambda pool, _, __: pool.drain(),
    "room": lambda pool, _, __: pool.spawn(SpawnConfig(AgentManifest(), "", agent=Waits), timeout=None),
    "ask": lambda _, __, ref: ref.ask("x"),
    "future": lambda _, __, ref: ref.ask_future("x").get(timeout=BOUND),
    "inbox": lambda pool, _, __: pool.inbox.receive(),
    "token": lambda *_: CancelToken().wait(),
}


class Waits(Agent[None]):
    """Waits for a message that never comes."""

    def run(self, query: Any) -> None:
        """Wait."""
        self.receive()


@pytest.mark.parametrize("wait", WAITS)
def test_it_is_raised_while_a_caller_waits(wait: str, in_thread: Any) -> None:
    """In every wait of a caller's thread; what it waited for is still there."""
    gate = Gate()
    ref = Echo.start(gate)
    with AgentPool(max_concurrent=1) as pool:
        handle = pool.spawn(SpawnConfig(AgentManifest(), gate, agent=Held, group="g"))
        gate.await_reached()
        begun = threading.Event()
        waits = WAITS[wait]
        if wait == "map":
            waits = lambda pool, *_: list(pool.map([SpawnConfig(AgentManifest(), "", agent=Waits)]))  # noqa: E731
        waiting = in_thread(lambda: (begun.set(), waits(pool, handle, ref)))
        assert begun.wait(BOUND)
        eventually(lambda: crowd().waiting)
        set_in(waiting.thread)
        assert isinstance(waiting.exception(BOUND), TimeLimitExceeded)
        gate.open()
        assert handle.outcome(BOUND).result == "done"
        pool.abort_all("enough")
    ref.stop()


class Held(Agent[str]):
    """Waits at a gate."""

    def run(self, query: Gate) -> str:
        """Wait."""
        query.hold()
        return "done"


@pytest.mark.parametrize("when", ["before", "as it ends"])
@pytest.mark.parametrize("wait", ["join_next", "join_all", "as_completed", "outcome"])
def test_an_outcome_is_not_lost(wait: str, when: str, in_thread: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set before the wait begins; or while the outcome is on its way to the one who waits."""
    gate, at = Gate(), Gate()
    with AgentPool(max_concurrent=1) as pool:
        handle = pool.spawn(SpawnConfig(AgentManifest(), gate, agent=Held))
        gate.await_reached()
        if when == "as it ends":
            monkeypatch.setattr(waiter_module, "LOOK_UP", 2 * BOUND)  # it is woken by the outcome alone
        else:

            def before() -> None:
                at.hold()

            real = waiter_module.Waiter.wait
            monkeypatch.setattr(waiter_module.Waiter, "wait", lambda *a, **k: (before(), real(*a, **k))[1])
        waiting = in_thread(lambda: WAITS[wait](pool, handle, None))
        if when == "before":
            at.await_reached()
            set_in(waiting.thread)
            at.open()
            assert isinstance(waiting.exception(BOUND), TimeLimitExceeded)
            monkeypatch.undo()
            gate.open()
        else:
            eventually(lambda: crowd().waiting)
            set_in(waiting.thread)
            gate.open()
            assert isinstance(waiting.exception(BOUND), TimeLimitExceeded)
        eventually(handle.done)
        again = pool.join_next(BOUND)
        assert again is not None
        assert again.result == "done"
        assert pool.join_next(BOUND) is None


def test_an_agent_that_waits_looks_up_too(eventually: Any) -> None:
    """While not thousands do: it is a crash like any other."""
    with AgentPool() as pool:
        handle = pool.spawn(SpawnConfig(AgentManifest(), "", agent=Waits))
        eventually(lambda: handle.status == "parked" and crowd().waiting)
        set_in(handle._cell.thread)
        assert "TimeLimitExceeded" in str(handle.outcome(BOUND).error)


def test_a_caller_looks_up_often_however_many_wait(in_thread: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parked agents look up seldom when there are many of them; a caller's thread does not wait for that."""
    made = crowd_module.Crowd()
    made.waiting.update(dict.fromkeys(range(1000 * MANY)))  # type: ignore[arg-type]
    monkeypatch.setattr(crowd_module, "_crowd", made)
    future: ReplyFuture[None] = ReplyFuture()
    waiting = in_thread(future.get)
    eventually(lambda: len(made.waiting) > 1000 * MANY)
    set_in(waiting.thread)
    assert isinstance(waiting.exception(BOUND), TimeLimitExceeded)


def test_one_that_comes_as_a_thread_gets_the_turn_does_not_keep_it(in_thread: Any, gate: Any) -> None:
    """It waits for the turn while the exception is set, and is given it."""
    turn, asked = Turn(), threading.Event()

    def step() -> None:
        asked.set()
        with turn:
            pass

    def hold() -> None:
        with turn:
            gate.hold()

    holding = in_thread(hold)
    gate.await_reached()
    waiting = in_thread(step)
    assert asked.wait(BOUND)
    set_in(waiting.thread)
    gate.open()
    holding.result(BOUND)
    assert isinstance(waiting.exception(BOUND), TimeLimitExceeded)
    with turn:
        assert turn.locked()
    assert not turn.locked()


def test_one_that_comes_at_the_end_of_an_agent_loses_no_outcome(
    make_pool: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It waits for the children that it has left; the exception ends that wait, and not its life."""
    gate = Gate()

    class Parent(Agent[str]):
        def run(self, query: Any) -> str:
            return "done"

        def on_end(self, outcome: Any) -> None:
            self.spawn(SpawnConfig(AgentManifest(), gate, agent=Held))  # born at the last moment
            gate.await_reached()

    pool = make_pool(max_concurrent=2, abort_timeout=BOUND)
    parent = pool.spawn(SpawnConfig(AgentManifest(), "", agent=Parent))
    eventually(lambda: parent.status == "parked")
    set_in(parent._cell.thread)
    eventually(lambda: gate.reached)
    gate.open()
    assert parent.result(BOUND) == "done"


def test_a_sender_that_waits_for_room(in_thread: Any) -> None:
    """Its message was not accepted; what was before it is read in order."""
    with AgentPool(inbox_capacity=1) as pool:
        inbox = pool.router.register(-1)
        pool.router.send(AgentMessage(0, -1, "first"))
        sending = in_thread(pool.router.send, AgentMessage(0, -1, "second"), None)
        eventually(lambda: crowd().waiting)
        set_in(sending.thread)
        assert isinstance(sending.exception(BOUND), TimeLimitExceeded)
        assert inbox.receive(BOUND).content == "first"
        assert inbox.receive_nowait() is None

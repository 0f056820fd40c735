"""Who comes first at the end of a long-lived actor: both winners of each race."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from actors import Actor, ActorDead, Backoff, RestartPolicy, supervise

from . import points
from .steps import Steps, in_order

pytestmark = pytest.mark.usefixtures("each_dispatcher")


class Ending(Actor):
    """Plays ``end`` once its cleanup is done."""

    def __init__(self, race: Steps, ended_in: list[int]) -> None:
        super().__init__()
        self.race, self.ended_in = race, ended_in

    def on_stop(self) -> None:
        self.ended_in.append(threading.get_ident())
        self.race.play("end")


@pytest.mark.parametrize("how", ["stop", "abort"])
@pytest.mark.parametrize("winner", ["watch", "end"])
def test_watch_against_the_end(winner: str, how: str, steps: Any, actor: Any, in_thread: Any) -> None:
    """Called once, after the cleanup: by the actor's thread, or at once by the one who comes too late to be told."""
    race = steps(*in_order(winner, "watch", "end"))
    ended_in: list[int] = []  # of a dispatcher's threads any, whichever the actor was in before
    ref = actor(Ending, race, ended_in)
    points.at_end_of(ref, race)
    called: list[tuple[int, bool, Any]] = []
    done = threading.Event()

    def told(watched: Any) -> None:
        called.append((threading.get_ident(), watched.is_alive(), watched))
        done.set()

    def watch() -> int:
        ref.watch(told)
        return threading.get_ident()

    watching = in_thread(race.part("watch", watch))
    ref.stop(block=False) if how == "stop" else ref.abort("enough")
    watcher = watching.result(10)
    assert done.wait(10)
    assert ref.actor_stopped.wait(10)
    ((thread, alive, watched),) = called
    assert (alive, watched) == (False, ref)
    assert thread == (watcher if winner == "end" else ended_in[0])


@pytest.mark.parametrize("winner", ["forget", "end"])
def test_forgetting_a_watch_against_the_end(winner: str, steps: Any, actor: Any, in_thread: Any) -> None:
    """Forgotten before the end it is not called; after it, it was."""
    race = steps(*in_order(winner, "forget", "end"))
    ref = actor(Ending, race, [])
    called: list[Any] = []
    forget = ref.watch(called.append)
    points.at_end_of(ref, race)
    forgetting = in_thread(race.part("forget", forget))
    assert ref.stop(timeout=10) is True
    forgetting.result(10)
    points.await_end_of(ref)
    assert called == ([] if winner == "forget" else [ref])


@pytest.mark.parametrize("end", ["abort", "stop"])
def test_an_end_during_the_backoff_of_an_actor(end: str, actor: Any, in_thread: Any) -> None:
    """An abort does not wait for the restart; neither does a stop hold what it accepted for ever: askers are told."""
    crashed = threading.Event()
    made: list[int] = []

    class Broken(Actor):
        def __init__(self) -> None:
            super().__init__()
            made.append(1)

        def on_receive(self, message: Any) -> Any:
            raise ValueError(message)

        def on_failure(self, *_: Any) -> None:
            crashed.set()

    backoff = Backoff(base=600.0, maximum=600.0) if end == "abort" else Backoff(base=0.01, maximum=0.01)
    ref = supervise(Broken, restart=RestartPolicy(max_restarts=1, backoff=backoff))
    ref.tell("words")
    assert crashed.wait(10)
    asking = in_thread(ref.ask, "unheard")
    if end == "abort":
        ref.abort("enough")
        with pytest.raises(ActorDead):
            asking.result(10)
    else:
        with pytest.raises((ActorDead, ValueError)):
            asking.result(10)
        ref.stop(timeout=10)
    assert ref.actor_stopped.wait(10)
    assert len(made) == (1 if end == "abort" else 2)

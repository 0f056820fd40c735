"""An ask that races a stop is always answered: by the handler, or by ``ActorDead``."""

from __future__ import annotations

import sys
import threading
from typing import Any

import pytest

from actors import Actor, ActorDead

from .steps import quick_switches

pytestmark = pytest.mark.usefixtures("each_dispatcher")

ROUNDS = 400
"""The benchmarks run 20,000."""


class Echo(Actor):
    """Answers with the message."""

    def on_receive(self, message: Any) -> Any:
        return message


@pytest.mark.parametrize("end", ["stop", "abort"])
def test_no_ask_that_races_an_end_stays_unanswered(end: str) -> None:
    """Each ends within the bound, as the reply or as ``ActorDead``, whoever is first; and the actor ends."""
    before = sys.getswitchinterval()
    answers: list[Any] = []
    with quick_switches():
        for number in range(ROUNDS):
            ref = Echo.start()
            together = threading.Barrier(2, timeout=10)

            def stop(ref: Any = ref, together: Any = together) -> None:
                together.wait()
                ref.abort() if end == "abort" else ref.stop(block=False)

            thread = threading.Thread(target=stop, daemon=True)
            thread.start()
            together.wait()
            future = ref.ask_future(number)
            try:
                answers.append(future.result(10))  # an AskTimeout is an ask that nobody answered
            except ActorDead as dead:
                answers.append(dead.message)
            thread.join(10)
            assert ref.actor_stopped.wait(10)
    assert answers == list(range(ROUNDS))
    assert sys.getswitchinterval() == before


def test_no_ask_of_many_that_race_a_stop_stays_unanswered() -> None:
    """Eight askers, each until it is refused: every reply is its own, and nobody waits for ever."""
    rounds, askers = 20, 8
    with quick_switches():
        for _ in range(rounds):
            ref = Echo.start()
            together = threading.Barrier(askers + 1, timeout=10)
            refused: list[int] = []
            wrong: list[Any] = []

            def ask(
                asker: int, ref: Any = ref, together: Any = together, refused: Any = refused, wrong: Any = wrong
            ) -> None:
                together.wait()
                for number in range(100_000):
                    try:
                        reply = ref.ask((asker, number), timeout=10)
                    except ActorDead:
                        refused.append(asker)
                        return
                    except BaseException as error:
                        wrong.append(error)
                        return
                    if reply != (asker, number):
                        wrong.append(reply)

            threads = [threading.Thread(target=ask, args=(asker,), daemon=True) for asker in range(askers)]
            for thread in threads:
                thread.start()
            together.wait()
            assert ref.stop(timeout=10) is True
            for thread in threads:
                thread.join(10)
            assert wrong == []
            assert sorted(refused) == list(range(askers))


def test_the_switch_interval_is_restored_also_by_a_failure() -> None:
    """What a test does to the whole process ends with it."""
    before = sys.getswitchinterval()
    with pytest.raises(KeyError), quick_switches(1e-6):
        assert sys.getswitchinterval() == pytest.approx(1e-6)
        raise KeyError
    assert sys.getswitchinterval() == before

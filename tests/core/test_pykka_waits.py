"""Whom stock Pykka leaves waiting, and we do not: what rows 1, 3, 4, 7 and 12 of the list of hazards say of waits."""

from __future__ import annotations

import queue
import subprocess
import sys
import threading
from typing import Any

import pykka
import pytest

from actors import Actor, ActorDead, AskTimeout
from actors.core.actors import reply as future_module
from actors.core.actors.reply import ReplyFuture
from actors.core.clock import Clock

from ..races import points
from ..races.steps import Steps

pytestmark = pytest.mark.usefixtures("each_dispatcher")


class Behaviour:
    """One behaviour for both kinds of actor: a message that can be called is called."""

    inbox_capacity = 1

    def on_receive(self, message: Any) -> Any:
        return message() if callable(message) else message


class Stock(Behaviour, pykka.ThreadingActor):
    """Pykka's own."""

    use_daemon_thread = True


class Ours(Behaviour, Actor):
    """Ours."""


@pytest.fixture
def ours() -> Any:
    """An actor of ours; it is aborted at the end."""
    ref = Ours.start()
    yield ref
    ref.abort()
    assert ref.actor_stopped.wait(10)


def test_1_an_ask_that_races_a_stop_is_never_answered_or_refused(ours: Any, in_thread: Any) -> None:
    """Stock: the asker looked when the actor lived, and waits for ever. Ours: it is told that the actor is dead."""
    stock = Stock.start()
    thread = next(t for t in threading.enumerate() if t.name.startswith("Stock-"))
    real = stock.actor_inbox

    class Inbox:
        """Pykka's inbox; the actor stops between the look and the put."""

        def put(self, envelope: Any) -> None:
            stock.actor_inbox = real
            stock.stop()
            thread.join(10)
            real.put(envelope)

    stock.actor_inbox = Inbox()
    reply = stock.ask("message", block=False)
    assert not thread.is_alive()
    with pytest.raises(pykka.Timeout):
        reply.get(timeout=0.01)  # nobody is left who could answer it

    race = Steps("stop", "ask")
    points.at_mailbox_of_actor(ours, race)
    asking = in_thread(race.part("ask", ours.ask), "message")  # it waits for ever, if need be
    in_thread(race.part("stop", ours.stop)).result(10)
    with pytest.raises(ActorDead) as info:
        asking.result(10)
    assert info.value.message == "message"
    race.verify()


def test_3_with_a_bounded_inbox_an_ask_waits_longer_than_it_was_told(ours: Any, gates: Any, in_thread: Any) -> None:
    """Stock: tell and ask(timeout=) wait for room as long as it takes. Ours: at once full, or one deadline."""

    class Bounded(Stock):
        @staticmethod
        def _create_actor_inbox() -> Any:
            return queue.Queue(maxsize=1)

    gate = gates()
    stock = Bounded.start()
    stock.tell(gate.hold)
    gate.await_reached()
    stock.tell("fills it")
    calls = [in_thread(stock.ask, "x", timeout=0.01), in_thread(stock.tell, "x")]
    for call in calls:
        with pytest.raises(TimeoutError):
            call.result(0.1)
    gate.open()
    assert calls[1].result(10) is None
    assert calls[0].exception(10) is None or isinstance(calls[0].exception(), pykka.Timeout)
    stock.stop(timeout=10)

    gate = gates()
    ours.tell(gate.hold)
    gate.await_reached()
    ours.tell("fills it")
    with pytest.raises(AskTimeout):
        in_thread(ours.ask, "x", timeout=0.01).result(10)
    with pytest.raises(AskTimeout):
        in_thread(ours.ask, "x", timeout=0).result(10)
    gate.open()


def exits() -> None:
    raise SystemExit("one handler")


def test_4_the_asker_of_a_handler_that_exits_waits_for_ever_or_is_told(ours: Any) -> None:
    """Stock: everything is stopped, and the one who asked is forgotten. Ours: it gets what the handler raised."""
    stock = Stock.start()
    reply = stock.ask(exits, block=False)
    assert stock.actor_stopped.wait(10)
    with pytest.raises(pykka.Timeout):
        reply.get(timeout=0.05)

    with pytest.raises(SystemExit):
        ours.ask(exits, timeout=10)
    assert ours.ask("alive", timeout=10) == "alive"


def test_7_several_futures_have_a_timeout_each_or_one_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stock: get_all of two that take 3 of 5 seconds each takes 6. Ours: the second one has 2 seconds left."""

    class Slow(Clock):
        at = 0.0

        def monotonic(self) -> float:
            return self.at

    clock = Slow()
    monkeypatch.setattr(future_module, "SYSTEM_CLOCK", clock)
    given: dict[str, list[Any]] = {"stock": [], "ours": []}

    def waits_3_seconds(cls: Any, kind: str) -> Any:
        class Future(cls):  # type: ignore[misc]
            def get(self, *, timeout: float | None = None) -> Any:
                given[kind].append(timeout)
                clock.at += 3.0
                return super().get(timeout=0)

        made = Future()
        made.set("value")
        return made

    pykka.get_all([waits_3_seconds(pykka.ThreadingFuture, "stock") for _ in range(2)], timeout=5.0)
    first, second = (waits_3_seconds(ReplyFuture, "ours") for _ in range(2))
    assert first.join(second).get(timeout=5.0) == ["value", "value"]
    assert given == {"stock": [5.0, 5.0], "ours": [5.0, 2.0]}


FORGOTTEN = """
import os, pykka, actors
class Forgotten({base}):
    dispatcher = "{dispatcher}"
    def on_receive(self, message):
        return message
    def on_stop(self):
        os.write(1, b"cleaned up\\n")
ref = Forgotten.start()
assert ref.ask("alive") == "alive"
os.write(1, b"main ends\\n")
"""


@pytest.mark.process
@pytest.mark.parametrize(
    ("base", "each_dispatcher"),
    [("pykka.ThreadingActor", "pinned"), ("actors.Actor", "pinned"), ("actors.Actor", "shared")],
    indirect=["each_dispatcher"],
)
def test_12_a_forgotten_actor_hangs_the_exit_or_not(base: str, each_dispatcher: str) -> None:
    """Stock: the process lives on after its main thread. Ours: it ends, and the cleanup has run."""
    program = FORGOTTEN.format(base=base, dispatcher=each_dispatcher)
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == b"main ends\n"
        if base == "pykka.ThreadingActor":
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(1.0)
        else:
            assert process.wait(30) == 0
            assert process.stdout.read() == b"cleaned up\n"
    finally:
        process.kill()
        process.wait(10)
        process.stdout.close()

"""Actors that are told of their silence, and actors that sleep: on either dispatcher."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from actors import Actor, Dispatcher
from actors.errors import ActorsError, Cancelled

from ..waiting import BOUND, Gate, eventually
from .timed_troupe import diary_of, do, held
from .troupe import Player, again, failing

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors import ActorRef

    from ..manual_alarm import ManualAlarm

# Silence --------------------------------------------------------------------------------------------------------


@pytest.fixture
def quiet(player: type[Player]) -> Any:
    """A class of players that are told after a second without a message."""

    def on_idle(self: Any) -> None:
        self.note("idle")

    return type("Quiet", (player,), {"receive_timeout": 1.0, "on_idle": on_idle})


def settled(ref: ActorRef[Any]) -> None:
    """Wait until it has done what it was woken for, without sending it anything."""
    mailbox = ref._cell.mailbox
    eventually(lambda: (mailbox._attendant or mailbox._getters) and mailbox.empty())


def test_silence_is_told_and_told_again(alarm: ManualAlarm, started: Any, quiet: Any) -> None:
    """After each period; a message begins a new one."""
    diary: list[Any] = []
    ref = started(quiet, diary)
    settled(ref)
    idle = (1, "idle")
    alarm.advance(0.9)
    settled(ref)
    ref.tell("told")
    settled(ref)
    alarm.advance(0.9)
    settled(ref)
    assert diary.count(idle) == 0
    alarm.advance(0.2)
    settled(ref)
    assert diary.count(idle) == 1
    alarm.advance(0.9)
    settled(ref)
    assert diary.count(idle) == 1
    alarm.advance(0.1)
    settled(ref)
    assert diary.count(idle) == 2
    ref.stop()
    assert not alarm.minded
    assert diary[-1] == (1, "stop")


def test_a_tick_is_a_message(alarm: ManualAlarm, started: Any, quiet: Any) -> None:
    """Who gets one each half second is never idle."""
    diary: list[Any] = []
    ref = started(quiet, diary)
    settled(ref)
    ref.tell_every(0.5, "tick")
    for _ in range(6):
        alarm.advance(0.5)
        settled(ref)
    assert [word for _, word in diary if word in ("tick", "idle")] == ["tick"] * 6


def test_a_message_that_is_there_comes_first(alarm: ManualAlarm, started: Any, quiet: Any, gate: Gate) -> None:
    """It came while the actor was at something that took longer: that was no silence."""
    diary: list[Any] = []
    ref = started(quiet, diary)
    held(ref, gate)
    alarm.advance(1.5)
    ref.tell("told")
    gate.open()
    settled(ref)
    alarm.advance(0.9)
    settled(ref)
    assert (1, "idle") not in diary
    alarm.advance(0.2)
    settled(ref)
    assert diary[-1] == (1, "idle")


def test_who_has_no_timeout_pays_nothing(alarm: ManualAlarm, started: Any, player: type[Player]) -> None:
    """No part, no entry in the alarm."""
    ref = started(player)
    diary_of(ref)
    assert ref._cell.parts is None
    assert not alarm.minded


def test_what_on_idle_raises_is_a_crash(alarm: ManualAlarm, started: Any, supervised: Any, quiet: Any) -> None:
    """Of the actor: it ends, or is made anew, and that one is told of its silence, too."""
    alone = started(type("Alone", (quiet,), {"on_idle": lambda _: 1 / 0}))
    settled(alone)
    diary: list[Any] = []
    ref = supervised(quiet, diary, idle=failing(1))
    settled(ref)
    alarm.advance(1.0)
    assert alone.actor_stopped.wait(BOUND)
    assert alone.how_ended == "crashed"
    assert "ZeroDivisionError" in str(alone.error)
    eventually(lambda: (2, "start") in diary)
    settled(ref)
    alarm.advance(1.0)
    eventually(lambda: (2, "idle") in diary)
    assert ref.dead_letters.total == 0
    assert (1, "failure") in diary


def test_a_crash_of_on_idle_without_a_restart_left_is_no_dead_letter(
    alarm: ManualAlarm, supervised: Any, quiet: Any
) -> None:
    """There is no message; the actor lives on."""
    diary: list[Any] = []
    ref = supervised(quiet, diary, idle=failing(1), restart=again(0))
    settled(ref)
    for _ in range(2):
        alarm.advance(1.0)
        settled(ref)
    assert diary[-2:] == [(1, "idle"), (1, "idle")]
    assert ref.dead_letters.total == 0


def test_on_idle_may_be_a_coroutine(alarm: ManualAlarm, started: Any, quiet: Any) -> None:
    """And its failure is a crash all the same."""
    told: Gate = Gate()

    async def on_idle(self: Any) -> None:
        told.note(self.life)
        if self.count:
            raise ValueError("boom")

    ref = started(type("Async", (quiet,), {"on_idle": on_idle}))
    settled(ref)
    alarm.advance(1.0)
    assert told.next() == 1
    ref.tell("told")
    eventually(lambda: ref._cell.actor.count == 1)
    settled(ref)
    alarm.advance(1.0)
    assert ref.actor_stopped.wait(BOUND)
    assert ref.how_ended == "crashed"


def test_an_idle_actor_may_stop_itself(alarm: ManualAlarm, started: Any, quiet: Any) -> None:
    """What it is mostly for."""
    ref = started(type("Passing", (quiet,), {"on_idle": Actor.stop}))
    settled(ref)
    alarm.advance(1.0)
    assert ref.actor_stopped.wait(BOUND)
    assert ref.how_ended == "stopped"
    assert not alarm.minded


# sleep ----------------------------------------------------------------------------------------------------------


def test_an_abort_ends_a_sleep(started: Any, player: type[Player], gates: Callable[[], Gate]) -> None:
    """By Cancelled, which is no crash; a stop does not."""
    seen, slept = gates(), gates()

    def nap(me: Any) -> None:
        seen.note()
        try:
            me.sleep(1000.0)
        except Cancelled as error:
            slept.note(str(error))
            raise

    ref = started(player)
    ref.tell(nap)
    seen.next()
    ref.abort("enough")
    assert slept.next() == "enough"
    assert ref.actor_stopped.wait(BOUND)
    assert ref.how_ended == "aborted"


def test_a_sleep_takes_its_time(started: Any, player: type[Player]) -> None:
    """And an aborted actor does not begin one."""
    ref = started(player)

    def nap(me: Any) -> float:
        begun = time.monotonic()
        me.sleep(0.02)
        me.sleep(0)
        return time.monotonic() - begun

    assert do(ref, nap) >= 0.02


def test_who_sleeps_on_a_dispatcher_counts_as_blocked(started: Any) -> None:
    """Its only worker runs others meanwhile."""
    crew = Dispatcher(workers=1, linger=0.01, stalled_after=None)
    cls = type("Shared", (Player,), {"dispatcher": crew})
    sleeper, other = started(cls), started(cls)
    sleeper.tell(lambda me: me.sleep(1000.0))
    eventually(lambda: crew.stats().blocked == 1)
    assert other.ask("here", timeout=BOUND) == "here"
    sleeper.abort()
    eventually(lambda: crew.stats().blocked == 0)


def test_a_coroutine_may_not_sleep(started: Any, player: type[Player]) -> None:
    """It would hold up all coroutines."""

    async def on_receive(self: Any, message: Any) -> Any:
        self.sleep(1.0)

    ref = started(type("Async", (player,), {"on_receive": on_receive}))
    with pytest.raises(ActorsError, match=r"await asyncio\.sleep"):
        ref.ask("x", timeout=BOUND)


def test_an_actor_that_is_told_its_silence_needs_a_thread_too(
    player: type[Player], monkeypatch: pytest.MonkeyPatch, alarm: ManualAlarm
) -> None:
    """Else it is not started."""
    monkeypatch.setattr(alarm, "_wake", lambda: False)
    with pytest.raises(RuntimeError, match="receive_timeout was not set"):
        type("Quiet", (player,), {"receive_timeout": 1.0}).start([])
    assert not alarm.minded

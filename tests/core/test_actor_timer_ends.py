"""A9: a timer ends with its actor, and with a restart of it: nothing comes after, and nothing is left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from actors import ActorDead, DeadLetterReason, Timer
from actors.core.actors.actor_timers import ActorTimers

from ..waiting import BOUND, Gate, eventually
from .timed_troupe import diary_of, do, held
from .troupe import Bomb, Player, again, failing_on

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..manual_alarm import ManualAlarm

# The end of the actor -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["stop", "abort", "crash"])
def test_timers_end_with_the_actor(end: str, alarm: ManualAlarm, started: Any, player: type[Player]) -> None:
    """However it ends: nothing of it stays in the alarm."""
    ref = started(player)
    timers = [ref.tell_later(1.0, "later"), ref.tell_every(1.0, "tick", key="k")]
    if end == "stop":
        ref.stop()
    elif end == "abort":
        ref.abort()
    else:
        ref.tell(Bomb())
    assert ref.actor_stopped.wait(BOUND)
    eventually(lambda: not alarm.minded)
    assert [timer.active for timer in timers] == [False, False]
    assert [timer.cancel() for timer in timers] == [False, False]
    alarm.advance(10.0)
    assert ref.dead_letters.total == 0


def test_what_was_sent_before_a_stop_is_handled(
    alarm: ManualAlarm, started: Any, player: type[Player], gate: Gate
) -> None:
    """It was accepted; nothing is after it."""
    diary: list[Any] = []
    ref = started(player, diary)
    held(ref, gate)
    ref.tell_later(1.0, "before")
    ref.tell_every(1.0, "tick", first=2.0)
    alarm.advance(1.0)
    ref.stop(block=False)
    alarm.advance(5.0)
    gate.open()
    assert ref.actor_stopped.wait(BOUND)
    assert [word for _, word in diary if isinstance(word, str)] == ["init", "start", "before", "stop"]
    assert ref.dead_letters.total == 0


def test_a_message_that_is_read_while_it_is_cancelled_is_no_dead_letter(
    alarm: ManualAlarm, started: Any, player: type[Player], gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who cancels has won, and has not come to the message yet."""
    ref, let_go = started(player), Timer.let_go
    held(ref, gate)
    timer = ref.tell_later(1.0, "later")
    alarm.advance(1.0)

    def let_go_late(self: Timer, timers: Any, **options: Any) -> None:
        gate.open()
        assert diary_of(ref) == []
        let_go(self, timers, **options)

    monkeypatch.setattr(Timer, "let_go", let_go_late)
    assert timer.cancel() is True
    assert diary_of(ref) == []
    assert ref.dead_letters.total == 0


def test_what_was_sent_before_an_abort_is_a_dead_letter(
    alarm: ManualAlarm, started: Any, player: type[Player], gate: Gate
) -> None:
    """As any accepted message; what was cancelled is none."""
    ref = started(player)
    held(ref, gate)
    for word in ("kept", "cancelled"):
        timer = ref.tell_later(1.0, word)
    alarm.advance(1.0)
    timer.cancel()
    ref.abort()
    gate.open()
    assert ref.actor_stopped.wait(BOUND)
    eventually(lambda: ref.dead_letters.total == 1)
    assert [(one.message, one.reason) for one in ref.dead_letters] == [("kept", DeadLetterReason.RECEIVER_ENDED)]


def test_after_the_end_a_reference_refuses(alarm: ManualAlarm, started: Any, player: type[Player]) -> None:
    """As it does a tell; also when it was told to stop."""
    ref = started(player)
    ref.stop()
    for set_one in (ref.tell_later, ref.tell_every):
        with pytest.raises(ActorDead, match="has stopped"):
            set_one(1.0, "late")
    assert not alarm.minded


def test_an_actor_that_stops_gets_timers_that_are_not_active(
    alarm: ManualAlarm, started: Any, player: type[Player]
) -> None:
    """Its last handlers need not look whether it was told to."""
    timers: list[Any] = []

    def set_one(me: Any) -> None:
        timers.append(me.tell_later(1.0, "late", key="k"))

    ref = started(player, stop=set_one)
    ref.tell(lambda me: (me.stop(), set_one(me)))
    assert ref.actor_stopped.wait(BOUND)
    assert [(timer.active, timer.cancel()) for timer in timers] == [(False, False)] * 2
    assert not alarm.minded
    assert ref.how_ended == "stopped"


# A restart ------------------------------------------------------------------------------------------------------


def test_timers_end_with_a_restart(alarm: ManualAlarm, supervised: Any, player: type[Player]) -> None:
    """Whoever set them; the new actor sets its own."""
    diary: list[Any] = []
    ref = supervised(player, diary, start=lambda me: me.tell_every(1.0, f"tick {me.life}", key="k"))
    diary_of(ref)
    timers = [ref.tell_later(9.0, "later"), do(ref, lambda me: me.tell_every(9.0, "own"))]
    ref.tell(Bomb(1))
    eventually(lambda: (2, "start") in diary)
    assert not any(timer.active for timer in timers)
    assert len(alarm.minded) == 1
    alarm.advance(1.0)
    assert diary_of(ref) == ["tick 2"]


def test_what_an_actor_sent_itself_does_not_reach_the_next_one(
    alarm: ManualAlarm, supervised: Any, player: type[Player], gate: Gate
) -> None:
    """It crashes while a tick and a late message are unread: they were the old one's."""
    ref = supervised(player)

    def crash(me: Any) -> None:
        if me.life == 1:
            gate.hold()
            raise ValueError("boom")

    ref.tell(crash)
    gate.await_reached()
    timers = [ref.tell_later(1.0, "later"), ref.tell_every(1.0, "tick")]
    alarm.advance(1.0)
    ref.tell("told")
    gate.open()
    assert diary_of(ref) == ["told"]
    assert ref.ask(Player.number) == 2
    assert not any(timer.active for timer in timers)
    assert not alarm.minded
    assert ref.dead_letters.total == 0


def test_a_tick_that_crashes_its_handler_is_tried_again(
    alarm: ManualAlarm, supervised: Any, player: type[Player]
) -> None:
    """As any message, by the next actor; and it may be poison."""
    ref = supervised(player, restart=again(2))
    once, always = Bomb(1), Bomb(100)
    ref.tell_every(1.0, once)
    alarm.advance(1.0)
    eventually(lambda: once.tries == 2)
    assert ref.ask(Player.number) == 2
    ref.tell_later(1.0, always)
    alarm.advance(1.0)
    eventually(lambda: ref.dead_letters.total == 1)
    (letter,) = ref.dead_letters
    assert (letter.message, letter.reason) == (always, DeadLetterReason.RESTARTS_USED_UP)


def test_one_that_cannot_be_made_anew_leaves_no_timers(
    alarm: ManualAlarm, supervised: Any, player: type[Player]
) -> None:
    """Its ``__init__`` has set some before it raised; so has ``on_failure`` of the old one."""
    diary: list[Any] = []
    hook = failing_on({2, 3})

    def init(me: Any) -> None:
        me.tell_every(1.0, f"tick {me.life}")
        hook(me)

    ref = supervised(player, diary, init=init, failure=lambda me: me.tell_every(1.0, "failure"), restart=again(4))
    ref.tell(Bomb(1))
    eventually(lambda: (4, "start") in diary)
    assert diary_of(ref) == []
    assert len(alarm.minded) == 1
    alarm.advance(1.0)
    assert diary_of(ref) == ["tick 4"]


# Races: for both winners ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("other", ["cancel", "abort", "stop", "restart"])
@pytest.mark.parametrize("winner", ["timer", "other"])
@pytest.mark.parametrize("kind", ["later", "every"])
def test_a_timer_that_fires_against_its_end(
    kind: str,
    winner: str,
    other: str,
    alarm: ManualAlarm,
    supervised: Any,
    player: type[Player],
    in_thread: Any,
    gates: Callable[[], Gate],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Just before its message is in the mailbox, or just after. Nothing is left in the alarm, whoever wins."""
    diary: list[Any] = []
    ref = supervised(player, diary)
    crash, fire = gates(), gates()
    bomb = Bomb(1)
    ref.tell(lambda me: (crash.hold(), bomb(me) if other == "restart" else None))
    crash.await_reached()
    real = ActorTimers.offer

    def offer(self: ActorTimers, tick: Any) -> Any:
        if winner == "other":
            fire.hold()
        put = real(self, tick)
        if winner == "timer":
            fire.hold()
        return put

    monkeypatch.setattr(ActorTimers, "offer", offer)
    timer = ref.tell_later(1.0, "tick") if kind == "later" else ref.tell_every(1.0, "tick")
    rung = in_thread(alarm.advance, 1.0)
    fire.await_reached()
    if other == "cancel":
        assert timer.cancel() is True
    elif other == "abort":
        ref.abort()
    elif other == "stop":
        ref.stop(block=False)
    crash.open()
    if other in ("abort", "stop"):
        assert ref.actor_stopped.wait(BOUND)
    elif other == "restart":
        eventually(lambda: (2, "start") in diary)
    else:
        diary_of(ref)
    fire.open()
    rung.result(BOUND)
    alarm.advance(10.0)
    is_handled = winner == "timer" and other == "stop"
    if other in ("cancel", "restart"):
        diary_of(ref)
    assert [word for _, word in diary if word == "tick"] == ["tick"] * is_handled
    eventually(lambda: ref.dead_letters.total == (winner == "timer" and other == "abort"))
    assert not timer.active
    assert not alarm.minded


def test_a_timer_that_is_set_against_the_end(
    alarm: ManualAlarm, started: Any, player: type[Player], in_thread: Any, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The actor ends between the look at its mailbox and the alarm: the timer is not active, and not in the alarm."""
    ref = started(player)
    real = alarm.mind

    def mind(whom: Any, at: float) -> bool:
        gate.hold()
        return real(whom, at)

    monkeypatch.setattr(alarm, "mind", mind)
    setting = in_thread(ref.tell_every, 1.0, "tick")
    gate.await_reached()
    ref.stop()
    gate.open()
    assert not setting.result(BOUND).active
    assert not alarm.minded

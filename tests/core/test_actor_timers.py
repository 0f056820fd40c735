"""Timers of actors: on either dispatcher, on a clock that the test moves."""

from __future__ import annotations

import datetime
import gc
import math
import threading
import time
import weakref
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from actors import DeadLetterReason
from actors.core.actors.actor_timers import ActorTimers
from actors.core.process import fork
from actors.core.waiting.crowd import crowd
from actors.errors import ForkedPoolError

from ..waiting import BOUND, Gate, eventually
from .timed_troupe import SharedPlayer, diary_of, diary_of_small, do, held
from .troupe import Player

if TYPE_CHECKING:
    from actors.actors import Timer

    from ..manual_alarm import ManualAlarm

# tell_later -----------------------------------------------------------------------------------------------------


def test_a_message_comes_later_and_once(alarm: ManualAlarm, started: Any, player: type[Player]) -> None:
    """Not before its time; then the timer has ended."""
    ref = started(player)
    timer: Timer = do(ref, lambda me: me.tell_later(1.0, "later"))
    alarm.advance(0.99)
    assert diary_of(ref) == []
    assert timer.active
    alarm.advance(0.02)
    assert diary_of(ref) == ["later"]
    assert not timer.active
    assert timer.cancel() is False
    alarm.advance(100.0)
    assert diary_of(ref) == ["later"]
    assert not alarm.minded


@pytest.mark.parametrize("place", ["on_start", "a handler", "a reference", "another thread"])
def test_it_may_be_set_from_anywhere(
    place: str, alarm: ManualAlarm, started: Any, player: type[Player], in_thread: Any
) -> None:
    """By the actor, and by everybody who has its reference."""
    hooks = {"start": lambda me: me.tell_later(1.0, "later")} if place == "on_start" else {}
    ref = started(player, **hooks)
    if place == "a handler":
        do(ref, lambda me: me.tell_later(1.0, "later"))
    elif place == "a reference":
        ref.tell_later(1.0, "later")
    elif place == "another thread":
        in_thread(ref.tell_later, 1.0, "later").result(BOUND)
    diary_of(ref)
    alarm.advance(1.0)
    assert diary_of(ref) == ["later"]


def test_a_delay_of_nothing_comes_at_once(alarm: ManualAlarm, started: Any, player: type[Player]) -> None:
    """But by the alarm: behind what was told before."""
    ref = started(player)
    ref.tell_later(0, "later")
    ref.tell("told")
    alarm.advance(0.0)
    assert diary_of(ref) == ["told", "later"]


def test_they_come_in_the_order_of_their_moments(alarm: ManualAlarm, started: Any, player: type[Player]) -> None:
    """Whichever was set first; of one moment the first that was set."""
    ref = started(player)
    for delay, word in ((3, "d"), (1, "a"), (Fraction(2), "b"), (2.0, "c")):
        ref.tell_later(delay, word)
    alarm.advance(3.0)
    assert diary_of(ref) == ["a", "b", "c", "d"]


def test_init_may_set_one(alarm: ManualAlarm, started: Any, player: type[Player]) -> None:
    """It counts from then; an actor that is never started keeps nothing in the alarm."""
    player([], init=lambda me: me.tell_every(1.0, "never"))
    assert not alarm.minded
    ref = started(player, init=lambda me: me.tell_later(1.0, "later"))
    eventually(lambda: alarm.minded)
    alarm.advance(1.0)
    assert diary_of(ref) == ["later"]


def test_one_of_init_may_be_cancelled_before_the_start(alarm: ManualAlarm, player: type[Player]) -> None:
    """It is not set then, and a late one is due at once."""
    actor = player([])
    gone, late = actor.tell_later(1.0, "gone"), actor.tell_later(2.0, "late")
    assert gone.cancel() is True
    alarm.jump(5.0)
    actor._start_actor_loop()
    assert diary_of(actor.actor_ref) == []
    alarm.advance(0.0)
    assert diary_of(actor.actor_ref) == ["late"]
    assert not late.active
    actor.actor_ref.stop()


# tell_every -----------------------------------------------------------------------------------------------------


def test_ticks_come_until_they_are_cancelled(alarm: ManualAlarm, started: Any, player: type[Player]) -> None:
    """The first one after an interval, unless it is said."""
    ref = started(player)
    timer = do(ref, lambda me: me.tell_every(2.0, "tick"))
    other = ref.tell_every(10.0, "other", first=0.5)
    for _ in range(12):
        alarm.advance(0.5)
        diary_of(ref)
    assert diary_of(ref) == ["other", "tick", "tick", "tick"]
    assert timer.active
    assert timer.cancel() is True
    assert timer.cancel() is False
    assert not timer.active
    alarm.advance(6.0)
    assert diary_of(ref)[4:] == ["other"]
    assert other.cancel() is True
    assert timer.skipped == other.skipped == 0
    assert not alarm.minded


def test_intervals_do_not_drift(alarm: ManualAlarm, started: Any, player: type[Player]) -> None:
    """A tick that was late moves none after it."""
    ref = started(player)
    timer = ref.tell_every(1.0, "tick")
    alarm.jump(1.7)
    assert diary_of(ref) == ["tick"]
    alarm.advance(0.29)
    assert diary_of(ref) == ["tick"]
    alarm.advance(0.02)
    assert diary_of(ref) == ["tick"] * 2
    assert timer.skipped == 0


def test_missed_ticks_count_once(alarm: ManualAlarm, started: Any, player: type[Player]) -> None:
    """The machine slept: one tick for all of them, the next one at its time."""
    ref = started(player)
    timer = ref.tell_every(1.0, "tick")
    alarm.jump(5.5)
    assert diary_of(ref) == ["tick"]
    assert timer.skipped == 4
    alarm.advance(0.51)
    assert diary_of(ref) == ["tick"] * 2


def test_an_actor_that_is_slow_gets_one_tick(
    alarm: ManualAlarm, started: Any, player: type[Player], gate: Gate
) -> None:
    """However many were due while it was at something else: none is sent while one is unread."""
    ref = started(player)
    held(ref, gate)
    timer = ref.tell_every(1.0, "tick")
    alarm.advance(5.5)
    gate.open()
    assert diary_of(ref) == ["tick"]
    assert timer.skipped == 4
    alarm.advance(1.0)
    assert diary_of(ref) == ["tick"] * 2


def test_a_tiny_interval_harms_nobody(alarm: ManualAlarm, started: Any, player: type[Player]) -> None:
    """Beyond what the clock can tell apart."""
    ref = started(player)
    timer = ref.tell_every(5e-324, "tick")
    alarm._take_new(alarm._heap)
    alarm._ring(alarm._heap, alarm.by_hand.at)
    assert diary_of(ref) == ["tick"]
    assert timer.cancel() is True


# A full mailbox -------------------------------------------------------------------------------------------------


def test_a_full_mailbox_skips_ticks(alarm: ManualAlarm, started: Any, small: type[Player], gate: Gate) -> None:
    """They are counted, and no dead letters; later ones come."""
    ref = started(small)
    held(ref, gate)
    ref.tell("fills it")
    timer = ref.tell_every(1.0, "tick")
    alarm.advance(3.0)
    assert timer.skipped == 3
    gate.open()
    assert diary_of_small(ref) == ["fills it"]
    alarm.advance(1.0)
    assert diary_of_small(ref) == ["fills it", "tick"]
    assert ref.dead_letters.total == 0


def test_a_full_mailbox_makes_a_dead_letter(alarm: ManualAlarm, started: Any, small: type[Player], gate: Gate) -> None:
    """At once; the actor is told by itself, and not by the alarm's thread."""
    told: list[Any] = []
    ref = started(small, undelivered=lambda me, letter: told.append((letter, me._cell.is_here())))
    held(ref, gate)
    ref.tell("fills it")
    timer = ref.tell_later(1.0, "later")
    alarm.advance(1.0)
    (letter,) = ref.dead_letters
    assert (letter.message, letter.reason) == ("later", DeadLetterReason.TIMER_FULL)
    assert not timer.active
    assert timer.cancel() is False
    assert told == []
    gate.open()
    assert diary_of_small(ref) == ["fills it"]
    assert told == [(letter, True)]


def test_the_end_tells_of_a_dead_letter_too(alarm: ManualAlarm, started: Any, small: type[Player], gate: Gate) -> None:
    """Of one that was made before it, and not told of yet."""
    told: list[Any] = []
    ref = started(small, undelivered=lambda _, letter: told.append(letter.message))
    held(ref, gate)
    ref.tell("fills it")
    ref.tell_later(1.0, "later")
    alarm.advance(1.0)
    ref.abort()
    gate.open()
    assert ref.actor_stopped.wait(BOUND)
    eventually(lambda: sorted(told) == ["fills it", "later"])


# Keys -----------------------------------------------------------------------------------------------------------


def test_a_key_replaces_an_earlier_timer(alarm: ManualAlarm, started: Any, player: type[Player]) -> None:
    """With an equal key, of the same actor, of either kind, whoever sets it."""
    ref, other = started(player), started(player)
    first = ref.tell_later(1.0, "first", key=("a", 1))
    elsewhere = other.tell_later(1.0, "elsewhere", key=("a", 1))
    beside = ref.tell_later(1.0, "beside", key="b")
    second = do(ref, lambda me: me.tell_every(1.0, "second", key=("a", 1)))
    third = ref.tell_later(1.5, "third", ("a", 1))
    assert [one.active for one in (first, second, third, beside, elsewhere)] == [False, False, True, True, True]
    assert first.cancel() is False
    alarm.advance(5.0)
    assert diary_of(ref) == ["beside", "third"]
    assert diary_of(other) == ["elsewhere"]
    assert not alarm.minded
    assert not ref._cell.part(ActorTimers)._keyed


def test_a_key_replaces_what_is_not_read_yet(
    alarm: ManualAlarm, started: Any, player: type[Player], gate: Gate
) -> None:
    """Of the earlier one nothing comes any more."""
    ref = started(player)
    held(ref, gate)
    ref.tell_later(1.0, "first", key="k")
    alarm.advance(1.0)
    ref.tell_later(1.0, "second", key="k")
    gate.open()
    alarm.advance(1.0)
    assert diary_of(ref) == ["second"]


def test_many_that_set_one_key_leave_one_timer(alarm: ManualAlarm, started: Any, in_thread: Any) -> None:
    """Nobody's entry is lost, whoever sets and cancels at the same time."""
    ref = started(Player)
    barrier = threading.Barrier(4)

    def work(seed: int) -> list[Timer]:
        barrier.wait(BOUND)
        made = []
        for n in range(300):
            made.append(ref.tell_later(1000.0, "k", key="k"))
            if (n + seed) % 3 == 0:
                made[max(0, n - seed % 2)].cancel()
        return made

    timers = [timer for done in [in_thread(work, n) for n in range(4)] for timer in done.result(BOUND)]
    part = ref._cell.part(ActorTimers)
    active = [timer for timer in timers if timer.active]
    assert len(active) <= 1
    assert list(part._live) == list(part._keyed.values()) == active == list(alarm.minded)
    last = ref.tell_later(1000.0, "k", key="k")
    assert [timer for timer in timers if timer.active] == []
    assert last.cancel() is True


def test_a_place_that_is_taken_out_in_error_is_put_back(alarm: ManualAlarm, started: Any) -> None:
    """What another thread may do between two steps: here by hand."""
    ref = started(Player)
    part = ref._cell.part(ActorTimers)
    earlier, later = ref.tell_later(9.0, "earlier"), ref.tell_later(9.0, "later", key="k")
    part._leave("k", earlier)
    assert part._keyed == {"k": later}
    latest = ref.tell_later(9.0, "latest")

    class Racing(dict[Any, Any]):
        """One comes while the place is empty."""

        def pop(self, *args: Any) -> Any:
            found = super().pop(*args)
            if found is later:
                self["k"] = latest
            return found

    part._keyed = Racing(k=later)
    part._leave("k", earlier)
    assert part._keyed == {"k": latest}
    assert (later.active, latest.active) == (False, True)
    assert alarm.minded.keys() == {earlier, latest}


# A cancel -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["later", "every"])
def test_a_cancel_reaches_what_is_not_read_yet(
    kind: str, alarm: ManualAlarm, started: Any, player: type[Player], gate: Gate
) -> None:
    """It lies in the mailbox; it is no dead letter either."""
    ref = started(player)
    held(ref, gate)
    timer = ref.tell_later(1.0, "tick") if kind == "later" else ref.tell_every(1.0, "tick")
    alarm.advance(1.0)
    assert timer.active
    assert timer.cancel() is True
    gate.open()
    assert diary_of(ref) == []
    assert ref.dead_letters.total == 0


def test_a_message_that_is_being_handled_cannot_be_cancelled(
    alarm: ManualAlarm, started: Any, player: type[Player], gate: Gate
) -> None:
    """It is a message like any other."""
    ref = started(player)
    timer = ref.tell_later(1.0, gate.hold)
    alarm.advance(1.0)
    gate.await_reached()
    assert not timer.active
    assert timer.cancel() is False


class Heavy:
    """Something that one can see the end of."""


@pytest.mark.parametrize("fires", [False, True])
def test_a_cancelled_timer_keeps_nothing(
    fires: bool, alarm: ManualAlarm, started: Any, player: type[Player], gate: Gate
) -> None:
    """Neither in the alarm nor in the mailbox, while somebody still has the timer."""
    ref = started(player)
    held(ref, gate)
    message, key = Heavy(), Heavy()
    seen = weakref.ref(message), weakref.ref(key)
    timer = ref.tell_later(1.0, message, key=key)
    if fires:
        alarm.advance(1.0)
    timer.cancel()
    del message, key
    gc.collect()
    assert [ref() for ref in seen] == [None, None]
    gate.open()


def test_a_message_that_was_handled_is_not_kept(alarm: ManualAlarm, started: Any, player: type[Player]) -> None:
    """By the timer, nor by the actor."""
    ref = started(player, handles=None)
    do(ref, lambda me: setattr(me, "on_receive", lambda message: message() if callable(message) else None))
    message = Heavy()
    seen = weakref.ref(message)
    timer = ref.tell_later(1.0, message)
    alarm.advance(1.0)
    ref.ask(int, timeout=BOUND)
    del message
    gc.collect()
    assert seen() is None
    assert not timer.active


# Threads --------------------------------------------------------------------------------------------------------


def test_without_a_thread_it_is_refused(
    started: Any, player: type[Player], monkeypatch: pytest.MonkeyPatch, alarm: ManualAlarm
) -> None:
    """Nothing is set that would never come."""
    ref = started(player)
    monkeypatch.setattr(alarm, "_wake", lambda: False)
    alarm._wakes_at = math.inf
    with pytest.raises(RuntimeError, match="no thread can be started for timers"):
        ref.tell_later(1.0, "later", key="k")
    assert not alarm.minded
    part = ref._cell.part(ActorTimers)
    assert not part._live
    assert not part._keyed


def test_by_the_real_clock(started: Any, player: type[Player]) -> None:
    """Without anything moved by hand; the alarm's thread does nothing of the actor's."""
    ref = started(player)
    heard: Any = Gate()
    begun = time.monotonic()
    ref.tell_later(0.02, lambda _: heard.note((time.monotonic(), threading.current_thread().name)))
    at, name = heard.next()
    assert at >= begun + 0.02
    assert "alarm" not in name
    timer = ref.tell_every(0.001, lambda _: heard.note())
    for _ in range(3):
        heard.next()
    assert timer.cancel() is True


def test_a_process_has_one_alarm(started: Any) -> None:
    """For the timers of all actors."""
    refs = [started(cls) for cls in (Player, SharedPlayer)]
    timers = [ref.tell_later(1000.0, "later") for ref in refs for _ in range(10)]
    assert sum(thread.name == "actors-alarm" for thread in threading.enumerate()) == 1
    assert crowd().alarm.minded.keys() >= set(timers)


def test_a_forked_child_is_refused(alarm: ManualAlarm, started: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everywhere; seen by the mark of the process, without forking one."""
    made: list[Any] = []
    ref = started(Player, start=made.append)
    timer = ref.tell_later(1.0, "later")
    diary_of(ref)
    monkeypatch.setattr(fork.mark(), "generation", fork.generation() + 1)
    for call in (
        partial(ref.tell_later, 1.0, "late"),
        partial(ref.tell_every, 1.0, "late"),
        partial(made[0].tell_later, 1.0, "late"),
        partial(made[0].tell_every, 1.0, "late"),
        timer.cancel,
        lambda: timer.active,
    ):
        with pytest.raises(ForkedPoolError):
            call()
    monkeypatch.undo()
    assert list(ref._cell.part(ActorTimers)._live) == [timer]


# Bad input ------------------------------------------------------------------------------------------------------

NO_NUMBERS = [None, "1", True, 1j, datetime.timedelta(seconds=1), []]
NO_TIMES = [-1, -0.001, math.inf, -math.inf, math.nan, 10**400]


@pytest.mark.parametrize("value", [*NO_NUMBERS, *NO_TIMES])
def test_what_is_no_time_is_refused(value: Any, alarm: ManualAlarm, started: Any) -> None:
    """With a sentence that says what to do; nothing is set."""
    ref = started()
    error = TypeError if value in NO_NUMBERS and value not in NO_TIMES else ValueError
    calls = [
        lambda me: me.tell_later(value, "x"),
        lambda me: me.tell_every(value, "x"),
        lambda me: me.sleep(value),
        lambda _: ref.tell_later(value, "x"),
        lambda _: ref.tell_every(value, "x"),
    ]
    if value is not None:
        calls.append(lambda me: me.tell_every(1.0, "x", first=value))
        with pytest.raises(error, match=r"Quiet.receive_timeout .*seconds"):
            type("Quiet", (Player,), {"receive_timeout": value}).start()
    for call in calls:
        with pytest.raises(error, match="seconds"):
            do(ref, call)
    assert not alarm.minded


def test_an_interval_of_nothing_is_refused(alarm: ManualAlarm, started: Any) -> None:
    """It would never end; a first tick at once, or a delay of nothing, is meant."""
    ref = started()
    with pytest.raises(ValueError, match="the interval of a timer must be above 0"):
        ref.tell_every(0, "x")
    with pytest.raises(ValueError, match=r"receive_timeout .* must be above 0"):
        type("Quiet", (Player,), {"receive_timeout": 0}).start()
    ref.tell_every(1.0, "x", first=0)
    assert len(alarm.minded) == 1


def test_a_key_that_is_none_is_refused(alarm: ManualAlarm, started: Any) -> None:
    """Before anything is done."""
    ref = started()
    for set_one in (ref.tell_later, ref.tell_every):
        with pytest.raises(TypeError, match=r"the key of a timer must be hashable, got \[1\]"):
            set_one(1.0, "x", key=[1])
    assert not alarm.minded

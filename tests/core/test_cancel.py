"""Cancel tokens and deadlines."""

from __future__ import annotations

import gc
import threading
import weakref
from typing import Any

import pytest

from actors.core.clock import Clock
from actors.core.waiting.cancel import CancelToken, Deadline
from actors.errors import Cancelled


class ManualClock(Clock):
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.at = 100.0
        self.monotonic = lambda: self.at  # type: ignore[method-assign]


# Deadlines ------------------------------------------------------------------------------------------------------


def test_a_deadline_is_a_moment_not_a_duration() -> None:
    """It is computed once; what is left shrinks to 0 and stays there."""
    clock = ManualClock()
    deadline = Deadline.after(5, clock)
    assert deadline.at == 105
    assert deadline.remaining() == 5
    assert not deadline.expired
    clock.at = 105
    assert deadline.remaining() == 0
    assert deadline.expired
    clock.at = 200
    assert deadline.remaining() == 0


def test_a_deadline_without_a_clock_uses_the_system_clock() -> None:
    """In the future now, in the past for a negative span."""
    assert 0 < Deadline.after(60).remaining() <= 60
    assert Deadline.after(-1).expired


# Tokens ---------------------------------------------------------------------------------------------------------


def test_a_new_token_lets_everybody_pass() -> None:
    """No cancel, no reason, no raise."""
    token = CancelToken()
    assert not token.cancelled
    assert token.reason == ""
    assert not token.timed_out
    token.check()


def test_a_cancel_is_seen_at_each_check_with_its_reason() -> None:
    """check raises again and again; the first reason stands."""
    token = CancelToken()
    assert token.cancel("enough") is True
    assert token.cancel("other") is False
    for _ in range(2):
        with pytest.raises(Cancelled, match="enough") as info:
            token.check()
        assert info.value.reason == "enough"
        assert not info.value.timed_out
    assert token.cancelled
    assert token.reason == "enough"


def test_except_exception_does_not_swallow_a_cancel() -> None:
    """Cancelled is no Exception."""
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        try:
            token.check()
        except Exception:
            pytest.fail("swallowed")


def test_a_passed_deadline_is_a_cancel() -> None:
    """Whoever looks first finds it, and it says that it was the time."""
    clock = ManualClock()
    token = CancelToken(Deadline(101, clock, "too slow"))
    assert not token.cancelled
    clock.at = 101
    seen: list[str] = []
    token.on_cancel(lambda: seen.append("called"))
    with pytest.raises(Cancelled, match="too slow") as info:
        token.check()
    assert info.value.timed_out
    assert token.timed_out
    assert seen == ["called"]


def test_a_cancel_before_the_deadline_is_no_timeout() -> None:
    """What came first stands, also when the moment comes later."""
    clock = ManualClock()
    token = CancelToken(Deadline(101, clock))
    token.cancel("by hand")
    clock.at = 200
    assert token.cancelled
    assert (token.reason, token.timed_out) == ("by hand", False)


# Callbacks ------------------------------------------------------------------------------------------------------


def test_callbacks_run_once_in_the_thread_that_cancels() -> None:
    """Registered before: at the cancel. Registered after: at once."""
    token = CancelToken()
    seen: list[Any] = []
    token.on_cancel(lambda: seen.append(threading.get_ident()))
    token.cancel()
    token.cancel()
    token.fire()
    assert seen == [threading.get_ident()]
    forget = token.on_cancel(lambda: seen.append("late"))
    assert seen[1:] == ["late"]
    forget()  # nothing to forget, and no error


def test_a_forgotten_callback_does_not_run() -> None:
    """Only that one is forgotten; forgetting twice, or after the cancel, does nothing."""
    token = CancelToken()
    seen: list[str] = []
    forget = token.on_cancel(lambda: seen.append("forgotten"))
    token.on_cancel(lambda: seen.append("kept"))
    forget()
    forget()
    token.cancel()
    forget()
    assert seen == ["kept"]


@pytest.mark.parametrize("first", ["registers", "cancels"])
def test_a_callback_that_is_registered_during_the_cancel_runs_once(first: str) -> None:
    """Whoever comes first calls it: the cancel that finds it, or who registers it and finds the token cancelled."""
    token = CancelToken()
    seen: list[str] = []

    class Callbacks(dict[Any, None]):
        def __setitem__(self, fn: Any, nothing: None) -> None:
            if first == "cancels":
                token.cancel("at the same moment")
                assert not seen
            super().__setitem__(fn, nothing)
            if first == "registers":
                token.cancel("at the same moment")
                assert seen

    token._callbacks = Callbacks()
    assert token.remind(lambda: seen.append("called")) is False
    assert seen == ["called"]
    assert token.remind(lambda: seen.append("late")) is False
    assert seen == ["called", "late"]


@pytest.mark.parametrize("is_cancelled", [False, True])
def test_what_was_called_or_forgotten_is_let_go(*, is_cancelled: bool) -> None:
    """Also when it holds the function that forgets it: no collector is needed."""

    class Holder:
        def __init__(self, token: CancelToken) -> None:
            self.forget = token.on_cancel(self.hear)

        def hear(self) -> None:
            """The cancel."""

    token = CancelToken()
    holder = Holder(token)
    ref = weakref.ref(holder)
    gc.disable()
    try:
        if is_cancelled:
            token.cancel()
        else:
            holder.forget()
        del holder
        assert ref() is None
    finally:
        gc.enable()


def test_a_failing_callback_keeps_the_cancel_from_nobody(log_lines: list[str]) -> None:
    """It is logged; the others run; cancel() does not raise."""
    token = CancelToken()
    seen: list[str] = []

    def fail() -> None:
        raise SystemExit

    token.on_cancel(fail)
    token.on_cancel(lambda: seen.append("second"))
    assert token.cancel()
    assert seen == ["second"]
    assert any("cancel callback failed" in line for line in log_lines)


def test_a_ctrl_c_in_a_callback_is_raised_when_all_were_told() -> None:
    """In the main thread it is the user's, not the callback's."""
    token = CancelToken()
    seen: list[str] = []

    def interrupted() -> None:
        raise KeyboardInterrupt

    token.on_cancel(interrupted)
    token.on_cancel(lambda: seen.append("second"))
    with pytest.raises(KeyboardInterrupt):
        token.cancel()
    assert seen == ["second"]
    assert token.cancelled


def test_a_mark_is_seen_before_it_is_fired() -> None:
    """mark() makes the cancel visible and wakes nobody; fire() wakes; a callback registered between runs at once."""
    token = CancelToken()
    seen: list[str] = []
    token.on_cancel(lambda: seen.append("early"))
    assert token.mark("marked") is True
    assert token.mark("again") is False
    assert token.cancelled
    assert seen == []
    token.on_cancel(lambda: seen.append("between"))
    assert seen == ["between"]
    token.fire()
    token.fire()
    assert seen == ["between", "early"]


def test_a_callback_may_use_the_token(in_thread: Any) -> None:
    """Callbacks run outside the lock."""
    token = CancelToken()
    seen: list[bool] = []
    token.on_cancel(lambda: token.on_cancel(lambda: seen.append(token.cancel("again"))))
    in_thread(token.cancel, "first").result(10)
    assert seen == [False]
    assert token.reason == "first"


# Cancel against complete ----------------------------------------------------------------------------------------


def test_a_cancel_and_a_forget_exclude_each_other(in_thread: Any, gate: Any) -> None:
    """The cancel first: the callback may still run although it is forgotten meanwhile, but once."""
    token = CancelToken()
    calls: list[str] = []

    def first() -> None:
        gate.hold()
        calls.append("first")

    token.on_cancel(first)
    forget = token.on_cancel(lambda: calls.append("second"))
    cancelling = in_thread(token.cancel)
    gate.await_reached()
    forget()  # the cancel is on its way
    gate.open()
    assert cancelling.result(10) is True
    assert calls == ["first", "second"]


def test_of_two_cancels_one_is_first(in_thread: Any) -> None:
    """Two threads cancel at the same step: one True, one False, and the reason is the winner's."""
    for _ in range(20):
        token = CancelToken()
        start = threading.Barrier(2)

        def cancel(reason: str, token: CancelToken = token, start: threading.Barrier = start) -> bool:
            start.wait(10)
            return token.cancel(reason)

        both = {reason: in_thread(cancel, reason) for reason in ("a", "b")}
        winners = [reason for reason, future in both.items() if future.result(10)]
        assert winners == [token.reason]


# Waiting --------------------------------------------------------------------------------------------------------


def test_a_wait_ends_at_the_cancel(in_thread: Any, eventually: Any) -> None:
    """wait() answers True as soon as somebody cancels, and forgets its callback."""
    token = CancelToken()
    waiting = in_thread(token.wait)
    eventually(lambda: bool(token._callbacks))
    token.cancel()
    assert waiting.result(10) is True
    assert token.wait(0) is True


def test_a_wait_runs_out() -> None:
    """False when nobody cancelled in time, and nothing is left registered."""
    token = CancelToken()
    assert token.wait(0) is False
    assert token.wait(0.001) is False
    assert token._callbacks == {}


@pytest.mark.parametrize("timeout", [None, 60.0])
def test_a_wait_ends_at_the_deadline(timeout: float | None) -> None:
    """The token's own deadline ends the wait, whether or not the wait has a longer bound."""
    token = CancelToken(Deadline.after(0.01))
    assert token.wait(timeout) is True
    assert token.timed_out


def test_a_wait_that_is_shorter_than_the_deadline_runs_out() -> None:
    """The nearer of the two bounds counts."""
    token = CancelToken(Deadline.after(60))
    assert token.wait(0.001) is False


# Children -------------------------------------------------------------------------------------------------------


def test_a_child_is_cancelled_with_its_parent_only() -> None:
    """Down, with the reason; not up."""
    parent = CancelToken()
    one, two = parent.child(), parent.child()
    one.cancel("only me")
    assert not parent.cancelled
    assert not two.cancelled
    parent.cancel("all", timed_out=True)
    assert (two.reason, two.timed_out) == ("all", True)
    assert (one.reason, one.timed_out) == ("only me", False)


def test_a_child_of_a_cancelled_token_is_born_cancelled() -> None:
    """It is never too late to hear it."""
    parent = CancelToken()
    parent.cancel("before")
    assert parent.child().reason == "before"


def test_a_child_has_its_parents_deadline() -> None:
    """The moment is handed down."""
    deadline = Deadline.after(60)
    assert CancelToken(deadline).child().deadline is deadline

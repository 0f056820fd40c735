"""The future of a reply: the first writer wins, and it bridges to the other kinds of future."""

from __future__ import annotations

import asyncio
import concurrent.futures
import gc
import sys
import threading
import traceback
from typing import Any

import pykka
import pytest

from actors.core.actors import reply as future_module
from actors.core.actors.actor import Actor
from actors.core.actors.envelope import Envelope, PykkaActorDead, Question, await_reply
from actors.core.actors.reply import PykkaAskTimeout, ReplyFuture
from actors.errors import ActorDead, AskTimeout, Cancelled

pytestmark = pytest.mark.usefixtures("each_dispatcher")


class Boom(Exception):
    """What goes wrong in these tests."""


# Settling -------------------------------------------------------------------------------------------------------


def test_a_value_is_read_any_number_of_times() -> None:
    """Reading takes nothing."""
    future: ReplyFuture[int] = ReplyFuture()
    assert not future.done()
    assert repr(future) == "<ReplyFuture pending>"
    future.set(7)
    assert future.done()
    assert repr(future) == "<ReplyFuture done>"
    assert future.get() == future.result() == future.get(timeout=0) == 7


def test_the_first_writer_wins() -> None:
    """Later writers change nothing and raise nothing; fail() tells them."""
    future: ReplyFuture[int] = ReplyFuture()
    future.set(1)
    future.set(2)
    assert future.fail(Boom()) is False
    assert future.get() == 1
    other: ReplyFuture[int] = ReplyFuture()
    assert other.fail(Boom("first")) is True
    other.set(1)
    with pytest.raises(Boom, match="first"):
        other.get()


def test_of_two_racing_writers_one_wins(in_thread: Any) -> None:
    """I2: two writers start at the same step; exactly one settles, and readers see that one only."""
    for _ in range(20):
        future: ReplyFuture[int] = ReplyFuture()
        start = threading.Barrier(2)

        def write(n: int, future: ReplyFuture[int] = future, start: threading.Barrier = start) -> bool:
            start.wait(10)
            return future.fail(Boom(n))

        writers = [in_thread(write, n) for n in (0, 1)]
        won = [writer.result(10) for writer in writers]
        assert sorted(won) == [False, True]
        with pytest.raises(Boom, match=str(won.index(True))):
            future.get()


def test_an_error_is_raised_fresh_from_the_original() -> None:
    """Each get raises a new object of the same class, chained to the original, whose traceback stays its own."""
    future: ReplyFuture[None] = ReplyFuture()
    original = Boom("words", 7)
    future.fail(original)
    seen = []
    for _ in range(2):
        with pytest.raises(Boom) as info:
            future.get()
        assert info.value.args == ("words", 7)
        assert info.value.__cause__ is original
        seen.append(info.value)
    assert seen[0] is not seen[1]
    assert original.__traceback__ is None


def test_an_error_keeps_the_cause_that_it_had() -> None:
    """``raise ... from`` of the handler is not replaced."""
    future: ReplyFuture[None] = ReplyFuture()
    original = Boom()
    original.__cause__ = KeyError("deep")
    future.fail(original)
    with pytest.raises(Boom) as info:
        future.get()
    assert info.value.__cause__ is original.__cause__


def test_an_error_shows_the_handlers_lines_whatever_its_cause() -> None:
    """In the original, which is its cause; or at the end of its own traceback, when it has a cause of its own."""

    def handler(cause: Exception | None) -> None:
        raise Boom("words") from cause

    for cause in (None, KeyError("deep")):
        future: ReplyFuture[None] = ReplyFuture()
        with pytest.raises(Boom) as raised:
            handler(cause)
        future.fail(raised.value)
        with pytest.raises(Boom) as info:
            future.get()
        shown = info.value.__cause__ if cause is None else info.value
        assert shown is not None
        assert traceback.extract_tb(shown.__traceback__)[-1].name == "handler"
        assert "".join(traceback.format_exception(info.value)).count("in handler") == 1


def test_an_error_that_cannot_be_copied_is_raised_itself() -> None:
    """A class that refuses copies still arrives."""

    class Stubborn(Exception):
        def __copy__(self) -> None:
            raise RuntimeError

    future: ReplyFuture[None] = ReplyFuture()
    original = Stubborn()
    future.fail(original)
    with pytest.raises(Stubborn) as info:
        future.get()
    assert info.value is original
    original.__traceback__ = None


def test_set_exception_takes_exc_info_or_the_one_being_handled() -> None:
    """Pykka's form works, with and without an argument."""
    given: ReplyFuture[None] = ReplyFuture()
    given.set_exception((Boom, Boom("given"), None))
    with pytest.raises(Boom, match="given"):
        given.get()
    handled: ReplyFuture[None] = ReplyFuture()
    try:
        raise Boom("handled")
    except Boom:
        handled.set_exception()
    with pytest.raises(Boom, match="handled"):
        handled.get()


def test_set_exception_without_an_exception_is_a_usage_error() -> None:
    """There is nothing to set: ValueError, and the future stays open."""
    future: ReplyFuture[None] = ReplyFuture()
    with pytest.raises(ValueError, match="no exception"):
        future.set_exception()
    assert not future.done()


# Waiting --------------------------------------------------------------------------------------------------------


def test_a_reader_waits_for_the_writer(in_thread: Any, eventually: Any) -> None:
    """A blocked reader gets the value; so does a second one."""
    future: ReplyFuture[str] = ReplyFuture()
    readers = [in_thread(future.get), in_thread(future.result, 10)]
    eventually(lambda: len(future._waiters or ()) == 2)
    future.set("there")
    assert [reader.result(10) for reader in readers] == ["there"] * 2


def test_a_reader_gives_up_in_time_and_may_come_back() -> None:
    """AskTimeout, which is also Pykka's and the built-in timeout; nothing is lost by it."""
    future: ReplyFuture[int] = ReplyFuture()
    for kind in (AskTimeout, pykka.Timeout, TimeoutError):
        with pytest.raises(kind, match=r"within 0\.001 s"):
            future.get(timeout=0.001)
    assert future._waiters == []
    future.set(1)
    assert future.get(timeout=0) == 1


def test_a_value_that_arrives_before_the_reader_lines_up_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settled between the first look and the line: the reader does not wait."""
    future: ReplyFuture[int] = ReplyFuture()
    waiter = future_module.Waiter

    def settle_first() -> Any:
        future.set(1)
        return waiter()

    monkeypatch.setattr(future_module, "Waiter", settle_first)
    assert future.get() == 1


def test_a_value_that_arrives_just_as_the_time_runs_out_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wait runs out, the writer is faster than the reader's last look: the value is returned."""
    future: ReplyFuture[int] = ReplyFuture()

    def late(*_: Any) -> bool:
        future.set(1)
        return False

    monkeypatch.setattr(future_module, "wait_for", late)
    assert future.get(timeout=5) == 1


# Reply against the timeout of the ask ---------------------------------------------------------------------------


def test_the_timeout_wins_against_the_reply() -> None:
    """The asker gives up: the ask is settled as timed out, and the late reply is dropped."""
    future: ReplyFuture[str] = ReplyFuture()
    with pytest.raises(AskTimeout, match=r"somebody did not reply within 0\.001 s"):
        await_reply(future, 0.001, "somebody")
    future.set("late")
    with pytest.raises(AskTimeout):
        future.get()


def test_the_reply_wins_against_the_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reply comes after the wait ran out and before the asker settles: the reply is returned."""
    future: ReplyFuture[str] = ReplyFuture()
    real = ReplyFuture.fail

    def reply_first(self: ReplyFuture[str], error: BaseException) -> bool:
        self.set("just in time")
        return real(self, error)

    monkeypatch.setattr(ReplyFuture, "fail", reply_first)
    assert await_reply(future, 0.001, "somebody") == "just in time"


def test_a_handler_that_has_not_begun_skips_an_ask_that_was_given_up() -> None:
    """After the asker's timeout the handler is not called for it."""
    future: ReplyFuture[str] = ReplyFuture()
    with pytest.raises(AskTimeout):
        await_reply(future, 0, "somebody")
    calls: list[Any] = []
    Question("message", future).answer(calls.append)
    assert calls == []


def test_an_envelope_answers_with_what_its_handler_does() -> None:
    """Reply, error and abort each settle the ask."""
    replied: ReplyFuture[Any] = ReplyFuture()
    Question(20, replied).answer(lambda n: n + 1)
    assert replied.get() == 21

    failed: ReplyFuture[Any] = ReplyFuture()

    def fail(_: Any) -> None:
        raise SystemExit("even this")

    Question(1, failed).answer(fail)
    with pytest.raises(SystemExit, match="even this"):
        failed.get()

    aborted: ReplyFuture[Any] = ReplyFuture()

    def cancelled(_: Any) -> None:
        raise Cancelled("enough")

    Question("message", aborted).answer(cancelled)
    with pytest.raises(ActorDead, match="enough") as info:
        aborted.get()
    assert info.value.message == "message"


def test_a_refused_ask_carries_its_message_and_a_refused_tell_has_nobody_to_tell() -> None:
    """ActorDead is also Pykka's ActorDeadError."""
    future: ReplyFuture[Any] = ReplyFuture()
    Question("message", future).refuse("gone")
    with pytest.raises(pykka.ActorDeadError, match="gone") as info:
        future.get()
    assert isinstance(info.value, PykkaActorDead)
    assert info.value.message == "message"
    Envelope("tell").refuse("gone")


# Callbacks ------------------------------------------------------------------------------------------------------


def test_callbacks_run_once_after_the_value_is_there() -> None:
    """Registered before: at the settling, in order. Registered after: at once."""
    future: ReplyFuture[int] = ReplyFuture()
    seen: list[Any] = []
    future.add_done_callback(lambda f: seen.append(("a", f.get(timeout=0))))
    future.add_done_callback(lambda f: seen.append(("b", f.done())))
    assert seen == []
    future.set(1)
    future.set(2)
    assert seen == [("a", 1), ("b", True)]
    future.add_done_callback(lambda f: seen.append(("c", f.get())))
    assert seen[2:] == [("c", 1)]


def test_a_failing_callback_is_logged_and_harms_nobody(log_lines: list[str]) -> None:
    """Neither the one who settles nor the other callbacks notice, whatever it raises."""
    future: ReplyFuture[int] = ReplyFuture()
    seen: list[int] = []

    def fail(_: Any) -> None:
        raise SystemExit("callback")

    future.add_done_callback(fail)
    future.add_done_callback(lambda f: seen.append(f.get()))
    future.set(1)
    assert seen == [1]
    assert any("callback failed" in line and "SystemExit" in line for line in log_lines)


def test_a_callback_may_use_the_future(in_thread: Any) -> None:
    """Callbacks run outside the lock: registering another one from inside works."""
    future: ReplyFuture[int] = ReplyFuture()
    seen: list[int] = []
    future.add_done_callback(lambda f: f.add_done_callback(lambda g: seen.append(g.get())))
    in_thread(future.set, 3).result(10)
    assert seen == [3]


# Pykka's hooks --------------------------------------------------------------------------------------------------


def test_map_filter_reduce_and_join_work() -> None:
    """Pykka's derived futures give what they give there."""
    one: ReplyFuture[Any] = ReplyFuture()
    many: ReplyFuture[Any] = ReplyFuture()
    mapped = one.map(lambda n: n + 10)
    filtered = many.filter(lambda n: n > 1)
    reduced = many.reduce(lambda a, b: a + b)
    joined = one.join(many)
    one.set(30)
    many.set([1, 2, 3])
    assert mapped.get() == 40
    assert filtered.get() == [2, 3]
    assert reduced.get() == 6
    assert joined.get() == [30, [1, 2, 3]]
    assert mapped.get() == 40, "a second get answers too"


def test_a_mapped_function_runs_once() -> None:
    """The result of the hook is kept."""
    calls: list[int] = []
    future: ReplyFuture[int] = ReplyFuture()
    future.set(1)
    mapped = future.map(calls.append)
    mapped.get()
    mapped.get()
    assert calls == [1]


def test_a_slow_map_blocks_no_other_reader(in_thread: Any, gate: Any) -> None:
    """While one reader runs the function another may look at the future, and even settle it."""
    future: ReplyFuture[int] = ReplyFuture()
    future.set(1)

    def slow(n: int) -> int:
        gate.hold()
        return n

    mapped = future.map(slow)
    reader = in_thread(mapped.get)
    gate.await_reached()
    assert in_thread(mapped.done).result(10) is False
    gate.open()
    assert reader.result(10) == 1


def test_the_error_of_a_future_with_a_hook_is_raised() -> None:
    """A mapped future that somebody fails raises that error; it does not answer None."""
    future: ReplyFuture[int] = ReplyFuture()
    mapped = future.map(lambda n: n)
    assert mapped.fail(Boom("settled"))  # type: ignore[attr-defined]
    with pytest.raises(Boom, match="settled"):
        mapped.get()


# Bridges --------------------------------------------------------------------------------------------------------


def test_it_bridges_to_concurrent_futures() -> None:
    """The copy is settled as this one is, whichever way, and can be waited for with others."""
    good: ReplyFuture[int] = ReplyFuture()
    bad: ReplyFuture[int] = ReplyFuture()
    copies = [good.to_concurrent(), bad.to_concurrent()]
    assert all(copy.running() for copy in copies)
    assert not copies[0].cancel(), "a running one cannot be cancelled"
    good.set(1)
    bad.fail(Boom("bad"))
    done, waiting = concurrent.futures.wait(copies, timeout=10)
    assert not waiting
    assert len(done) == 2
    assert copies[0].result() == 1
    with pytest.raises(Boom, match="bad"):
        copies[1].result()


def test_it_can_be_awaited_without_blocking_the_loop() -> None:
    """While one task awaits the reply another one of the same loop settles it."""

    async def main() -> int:
        future: ReplyFuture[int] = ReplyFuture()

        async def settle() -> None:
            future.set(5)

        task = asyncio.create_task(settle())
        value = await asyncio.wait_for(asyncio.ensure_future(_await(future)), 10)
        await task
        return value

    assert asyncio.run(main()) == 5


async def _await(future: Any) -> Any:
    return await future


def test_a_mapped_future_can_be_awaited() -> None:
    """``await ref.ask_future(...).map(fn)`` gives the mapped value; nobody has to call get() first."""

    async def main() -> int:
        future: ReplyFuture[int] = ReplyFuture()
        future.set(1)
        mapped = future.map(lambda n: n + 1)
        return await asyncio.wait_for(_await(mapped), 0.5)  # type: ignore[no-any-return]

    assert asyncio.run(main()) == 2


def test_a_mapped_future_calls_back_when_its_source_is_there() -> None:
    """Callbacks and the concurrent copy of a mapped future are served like those of any other."""
    future: ReplyFuture[int] = ReplyFuture()
    mapped = future.map(lambda n: n + 1)
    copy = mapped.to_concurrent()  # type: ignore[attr-defined]
    future.set(1)
    assert copy.result(0.5) == 2


def test_a_mapped_future_is_not_cancelled_with_the_actor_that_settles_it() -> None:
    """The reply of a handler that was aborted meanwhile is there: its listeners get the value, not a Cancelled."""

    class Aborted(Actor):
        def on_receive(self, message: Any) -> Any:
            listening.wait(10)
            self.actor_ref.abort("meanwhile")
            return message

    listening = threading.Event()
    ref = Aborted.start()
    copy = ref.ask_future(1).map(lambda n: n + 1).to_concurrent()
    listening.set()
    assert copy.result(10) == 2
    assert ref.actor_stopped.wait(10)


def test_a_join_with_a_foreign_future_waits_for_it_too() -> None:
    """A listener does not turn a stock future that is not there yet into an error for ever."""
    ours: ReplyFuture[int] = ReplyFuture()
    stock: Any = pykka.ThreadingFuture()
    joined: Any = ours.join(stock)
    joined.add_done_callback(lambda _: None)
    ours.set(1)
    stock.set(2)
    assert list(joined.get(timeout=10)) == [1, 2]


def test_one_deadline_holds_for_all_joined_futures() -> None:
    """The timeout of a join is that of the whole."""
    never: list[ReplyFuture[int]] = [ReplyFuture() for _ in range(3)]
    with pytest.raises(AskTimeout):
        never[0].join(*never[1:]).get(timeout=0.01)


def test_an_error_of_a_source_is_the_error_of_what_is_derived() -> None:
    """Whoever listens, and whoever asks, gets it."""
    future: ReplyFuture[int] = ReplyFuture()
    mapped: Any = future.map(lambda n: n)
    copy = mapped.to_concurrent()
    future.fail(Boom("source"))
    with pytest.raises(Boom, match="source"):
        copy.result(10)
    with pytest.raises(Boom, match="source"):
        mapped.get(timeout=0)


def test_a_joined_future_calls_back_when_all_are_there() -> None:
    """Not when the first is."""
    one: ReplyFuture[int] = ReplyFuture()
    two: ReplyFuture[int] = ReplyFuture()
    copy = one.join(two).to_concurrent()
    one.set(1)
    assert not copy.done()
    two.set(2)
    assert copy.result(10) == [1, 2]


def test_a_settled_future_keeps_its_target_no_longer() -> None:
    """What it waited for is let go of."""

    class Target:
        pass

    target: Any = Target()
    future: ReplyFuture[int] = ReplyFuture(target)
    before = sys.getrefcount(target)
    future.set(1)
    gc.collect()
    assert sys.getrefcount(target) == before - 1


def test_the_pykka_timeout_is_an_ask_timeout() -> None:
    """Code for Pykka and code for us catch the same error."""
    assert issubclass(PykkaAskTimeout, AskTimeout)
    assert issubclass(PykkaAskTimeout, pykka.Timeout)

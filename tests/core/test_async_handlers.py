"""Handlers that are coroutines: on both dispatchers, all on one private loop."""

from __future__ import annotations

import asyncio
import concurrent.futures
import gc
import threading
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

import pytest
from loguru import logger

from actors import Actor, ActorRef, RestartPolicy, supervise
from actors.actors import Dispatcher, Piped
from actors.core.actors import actor_life, loop_host
from actors.core.actors.actor_cell import COROUTINE
from actors.core.process.event_loop import Room, private_loop
from actors.core.process.loop_thread import LoopLost
from actors.core.waiting.wait_graph import current
from actors.errors import ActorDead, ActorsError, DeadlockError

from ..waiting import BOUND, Gate, eventually

Start = Callable[..., ActorRef[Any]]


class Runs(Actor):
    """A message is an async function of the actor, which is awaited; anything else is noted and comes back."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Any] = []

    async def on_receive(self, message: Any) -> Any:
        await asyncio.sleep(0)
        if callable(message):
            return await message(self)
        self.seen.append(message)
        return message


@pytest.fixture(params=["pinned", "shared"])
def start(request: pytest.FixtureRequest) -> Iterator[Start]:
    """Starts actors on one dispatcher, of one worker, and aborts them at the end."""
    made: list[ActorRef[Any]] = []
    dispatcher = Dispatcher(workers=1, linger=0.0) if request.param == "shared" else request.param

    def make(cls: type[Actor] = Runs, *, supervised: RestartPolicy | None = None, **attributes: Any) -> ActorRef[Any]:
        cls = type(cls.__name__, (cls,), {"dispatcher": dispatcher, **attributes})
        made.append(cls.start() if supervised is None else supervise(cls, restart=supervised))
        return made[-1]

    yield make
    for ref in made:
        ref.abort()
        assert ref.actor_stopped.wait(10)


def hangs(log: list[str], *, swallows: bool = False) -> Any:
    """A message that waits for ever, and notes the cancel."""

    async def hang(me: Any) -> None:
        while True:
            log.append("begun")
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                log.append("cancelled")
                if not swallows:
                    raise

    return hang


def test_one_message_at_a_time(start: Start) -> None:
    """I4, I5: although each gives way to others in between."""
    log: list[int] = []

    async def twice(number: int) -> int:
        log.append(number)
        await asyncio.sleep(0.001)
        log.append(number)
        return number

    ref = start()
    asked = [ref.ask_future(lambda _, number=number: twice(number)) for number in range(5)]
    assert [one.get(timeout=5) for one in asked] == [0, 1, 2, 3, 4]
    assert log == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]


def test_one_that_awaits_holds_no_worker(start: Start) -> None:
    """Many wait at once for one another, on one worker."""
    waiting, all_there = [], threading.Event()

    async def meet(_: Any) -> str:
        waiting.append(1)
        if len(waiting) == 20:
            all_there.set()
        while not all_there.is_set():
            await asyncio.sleep(0.001)
        return "met"

    asked = [start().ask_future(meet) for _ in range(20)]
    assert [one.get(timeout=5) for one in asked] == ["met"] * 20


def test_what_it_raises_is_as_of_any_handler(start: Start) -> None:
    """An asker is told; a told message crashes it, is tried again, and is poison in the end."""

    async def boom(_: Any) -> None:
        await asyncio.sleep(0)
        raise ValueError("boom")

    ref = start(supervised=RestartPolicy(max_restarts=1))
    with pytest.raises(ValueError, match="boom"):
        ref.ask(boom, timeout=5)
    ref.tell(boom)
    assert ref.ask(3, timeout=5) == 3
    assert [str(letter.reason) for letter in ref.dead_letters] == ["poison"]
    lone = start()
    lone.tell(boom)
    assert lone.actor_stopped.wait(5)
    assert "boom" in str(lone.error)


def test_a_coroutine_that_raises_a_generators_end_has_failed(start: Start) -> None:
    """It is an error as any: the asker is told, and the actor lives on."""

    async def raises(_: Any) -> None:
        raise GeneratorExit

    ref = start()
    with pytest.raises(RuntimeError, match="GeneratorExit"):
        ref.ask(raises, timeout=5)
    assert ref.ask(3, timeout=5) == 3


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
def test_what_would_end_the_loop_ends_the_actor_alone(start: Start, error: type[BaseException]) -> None:
    """Others go on, on the same loop."""

    async def leave(_: Any) -> None:
        raise error

    ref, other, loop = start(), start(), private_loop(Room.ACTORS)
    ref.tell(leave)
    assert ref.actor_stopped.wait(5)
    assert other.ask(3, timeout=5) == 3
    assert private_loop(Room.ACTORS) is loop


def test_one_that_cancels_itself_has_failed(start: Start) -> None:
    """That is no cancel of the actor, nor of who asked."""

    async def cancel(_: Any) -> None:
        raise asyncio.CancelledError

    async def cancel_task(_: Any) -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(0)

    ref = start()
    for message in (cancel, cancel_task):
        with pytest.raises(ActorsError, match="by itself"):
            ref.ask(message, timeout=5)
    assert ref.ask(3, timeout=5) == 3
    ref.tell(cancel)
    assert ref.actor_stopped.wait(5)
    assert str(ref.how_ended) == "crashed"


# The abort ------------------------------------------------------------------------------------------------------


def test_an_abort_cancels_it(start: Start) -> None:
    """Its cleanup runs, then on_stop, then the actor has ended; who asked is told."""
    log: list[str] = []

    class Stops(Runs):
        async def on_stop(self) -> None:
            await asyncio.sleep(0)
            log.append("stopped")

    ref = start(Stops)
    asked = ref.ask_future(hangs(log))
    eventually(lambda: log)
    ref.abort("enough")
    assert ref.actor_stopped.wait(5)
    assert log == ["begun", "cancelled", "stopped"]
    assert str(ref.how_ended) == "aborted"
    with pytest.raises(ActorDead, match="enough"):
        asked.get(timeout=5)


def test_a_stop_waits_for_it(start: Start) -> None:
    """As for any handler."""
    ref = start()
    asked = ref.ask_future(lambda me: asyncio.sleep(0.01, "done"))
    ref.stop()
    assert asked.get(timeout=5) == "done"


def test_one_that_swallows_the_cancel_is_left_to_itself(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its actor ends in bounded time, and what it does later is outside of any handler. The loop goes on."""
    monkeypatch.setattr(actor_life, "CLEANUP", 0.05)
    log: list[str] = []
    errors: list[BaseException] = []
    go = threading.Event()

    async def swallow(me: Any) -> None:
        await hangs(log)(me)

    async def stubborn(me: Any) -> None:
        try:
            await swallow(me)
        except asyncio.CancelledError:
            while not go.is_set():
                await asyncio.sleep(0.001)
            try:
                me.stash()
            except ActorsError as error:
                errors.append(error)

    ref, other, loop = start(), start(), private_loop(Room.ACTORS)
    ref.tell(stubborn)
    eventually(lambda: log)
    ref.abort()
    assert ref.actor_stopped.wait(5)
    go.set()
    eventually(lambda: errors)
    assert other.ask(3, timeout=5) == 3
    assert private_loop(Room.ACTORS) is loop


def test_one_that_blocks_the_loop_is_left_behind_with_it(
    start: Start, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When its actor is aborted; what ran beside it is lost, and says so. Others get a new loop."""
    monkeypatch.setattr(actor_life, "CLEANUP", 0.05)

    async def block(_: Any) -> None:
        gate.hold()

    other = start()
    log: list[str] = []
    beside = other.ask_future(hangs(log))
    eventually(lambda: log)  # what has not begun is begun on the next loop
    ref, loop = start(), private_loop(Room.ACTORS)
    ref.tell(block)
    gate.await_reached()
    ref.abort()
    assert ref.actor_stopped.wait(BOUND)
    with pytest.raises(LoopLost):
        beside.get(timeout=BOUND)
    assert other.ask(3, timeout=BOUND) == 3
    assert private_loop(Room.ACTORS) is not loop
    gate.open()


def test_one_that_is_cancelled_before_it_begins_never_does(start: Start, gate: Gate) -> None:
    """The loop comes to it after the abort; its asker is told, and what was told is a dead letter (I1)."""

    async def block(_: Any) -> None:
        gate.hold()

    log: list[str] = []
    other, ref, told = start(), start(), start()
    blocked = other.ask_future(block)
    gate.await_reached()
    asked = ref.ask_future(hangs(log))
    told.tell("unread")
    eventually(lambda: COROUTINE in told._cell._lazies)
    told.abort()
    eventually(lambda: COROUTINE in ref._cell._lazies)
    run = ref._cell._lazies[COROUTINE]
    ref.abort()
    eventually(lambda: run._call is not None and run._call.given_up)
    gate.open()
    assert ref.actor_stopped.wait(5)
    with pytest.raises(ActorDead):
        asked.get(timeout=5)
    assert blocked.get(timeout=5) is None
    assert log == []
    assert told.actor_stopped.wait(5)
    assert [letter.message for letter in told.dead_letters] == ["unread"]


def test_a_loop_that_ends_loses_what_ran_on_it(start: Start) -> None:
    """That fails; what it had not begun is begun on the next one."""

    async def end(_: Any) -> None:
        asyncio.get_running_loop().stop()
        await asyncio.Event().wait()

    ref = start()
    with pytest.raises(LoopLost, match="stopped"):
        ref.ask(end, timeout=5)
    assert ref.ask(3, timeout=5) == 3


def test_who_holds_the_loop_is_reported(start: Start, gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once, with its stack; not by the alarm, as a log that blocks would hold up all timers."""
    monkeypatch.setattr(loop_host, "STALLED_AFTER", 0.04)
    ref = start()
    told: list[str] = []
    logger.enable("actors")
    sink = logger.add(lambda line: told.append(str(line)), format="{thread.name}: {message}")

    async def hold_the_loop(_: Any) -> None:
        gate.hold()

    async def lose_the_loop(_: Any) -> None:
        asyncio.get_running_loop().stop()
        await asyncio.Event().wait()

    with pytest.raises(LoopLost):
        ref.ask(lose_the_loop, timeout=5)  # the next loop's host begins to look anew
    try:
        ref.tell(hold_the_loop)
        eventually(lambda: any("has held the event loop" in line for line in told))
        gate.open()
        assert ref.ask(3, timeout=5) == 3
    finally:
        logger.remove(sink)
        logger.disable("actors")
    (line,) = [line for line in told if "has held the event loop" in line]
    assert "hold_the_loop" in line
    assert not line.startswith("actors-alarm")


# Waits ----------------------------------------------------------------------------------------------------------


def test_it_awaits_what_it_asks(start: Start) -> None:
    """Another async actor's reply, on the same loop."""
    ref, other = start(), start()

    async def pass_on(_: Any) -> Any:
        return await other.ask_future(3)

    async def both(_: Any) -> Any:
        return await asyncio.gather(other.ask_future(1), other.ask_future(2))

    assert ref.ask(pass_on, timeout=5) == 3
    assert ref.ask(both, timeout=5) == [1, 2]


@pytest.mark.parametrize("timeout", [None, 5])
def test_a_wait_that_would_block_the_loop_is_refused(start: Start, timeout: float | None) -> None:
    """An ask, or the result of one; the one that is asked does not handle it."""
    ref, other = start(), start()

    async def ask(_: Any) -> Any:
        return other.ask(3, timeout)

    async def get(_: Any) -> Any:
        return other.ask_future(hangs([])).get(timeout=timeout)

    for message in (ask, get):
        with pytest.raises(DeadlockError, match="await what it waits for"):
            ref.ask(message, timeout=5)

    async def in_a_thread(_: Any) -> Any:
        return await asyncio.to_thread(start().ask, 4)

    assert ref.ask(in_a_thread, timeout=5) == 4


def test_an_await_takes_part_in_the_search_for_circles(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    """Of itself, and of another that waits for it. The loop does not complain of an answer that nobody has read."""
    ref = start()

    async def ask_itself(me: Any) -> Any:
        return await me.actor_ref.ask_future(1)

    with pytest.raises(DeadlockError, match=r"circle|itself"):
        ref.ask(ask_itself, timeout=5)

    other, begun = start(), threading.Event()

    async def ask_other(_: Any) -> Any:
        return await other.ask_future(ask_back)

    async def ask_back(_: Any) -> Any:
        begun.set()
        return await ref.ask_future(1)

    with pytest.raises(DeadlockError, match="circle"):
        ref.ask(ask_other, timeout=5)
    assert begun.is_set()
    assert ref.ask(2, timeout=5) == 2
    assert other.ask(lambda me: asyncio.sleep(0, me.seen), timeout=5) == []
    gc.collect()
    assert [record.getMessage() for record in caplog.records if record.name == "asyncio"] == []


def test_a_thread_that_waits_for_one_that_awaits_it_is_told(start: Start) -> None:
    """A plain handler asks back one whose coroutine awaits it."""

    class Plain(Actor):
        def on_receive(self, message: Any) -> Any:
            return message()

    ref, plain = start(), start(Plain)

    async def ask_plain(_: Any) -> Any:
        return await plain.ask_future(lambda: ref.ask(1))

    with pytest.raises(DeadlockError, match="circle"):
        ref.ask(ask_plain, timeout=5)


# Inside it --------------------------------------------------------------------------------------------------------


def test_all_that_a_handler_may_do_it_may_do(start: Start) -> None:
    """Stash, become, defer and pipe; also after an await, and in tasks that it has begun."""

    class Busy(Actor):
        async def on_receive(self, message: Any) -> Any:
            await asyncio.sleep(0)
            if message == "work":
                self.become(self.busy)
                self.reply = self.defer_reply()
                self.pipe(asyncio.sleep(0.01, "worked"), tag="work")
                return None
            return message

        async def busy(self, message: Any) -> Any:
            await asyncio.sleep(0)
            if isinstance(message, Piped):
                self.unbecome()
                self.unstash_all()
                self.reply.set(message.unwrap())
                return None
            return await asyncio.create_task(self.later())

        async def later(self) -> None:
            assert current() is self._cell
            self.stash()

    ref = start(Busy)
    work = ref.ask_future("work")
    asked = [ref.ask_future(number) for number in range(3)]
    assert work.get(timeout=5) == "worked"
    assert [one.get(timeout=5) for one in asked] == [0, 1, 2]


def test_another_coroutine_on_the_loop_is_outside(start: Start) -> None:
    """What the actor pipes, and a handler of another actor."""
    ref, other = start(), start()
    me = other.ask(lambda me: asyncio.sleep(0, me), timeout=5)

    async def reach_over(_: Any) -> None:
        me.stash()

    async def beside(me: Any) -> None:
        async def stash() -> None:
            me.stash()

        me.pipe(stash())
        await asyncio.sleep(0.01)

    held = other.ask_future(hangs([]))
    with pytest.raises(ActorsError, match="handlers of actor Runs"):
        ref.ask(reach_over, timeout=5)
    ref.tell(beside)
    eventually(lambda: ref.ask(lambda me: asyncio.sleep(0, me.seen), timeout=5))
    (piped,) = ref.ask(lambda me: asyncio.sleep(0, me.seen), timeout=5)
    assert isinstance(piped.error, ActorsError)
    assert not held.done()


def test_a_future_that_it_returns_is_followed(start: Start) -> None:
    """As of a plain handler."""
    future: concurrent.futures.Future[str] = concurrent.futures.Future()
    ref = start()
    asked = ref.ask_future(lambda me: asyncio.sleep(0, future))
    assert ref.ask(3, timeout=5) == 3
    future.set_result("late")
    assert asked.get(timeout=5) == "late"


WHO: ContextVar[str] = ContextVar("who", default="nobody")


def test_context_variables_reach_it_and_the_next_handler(start: Start) -> None:
    """Those of who has started it, and what it sets; nobody else sees that."""
    token = WHO.set("starter")
    try:
        ref, other = start(), start()
    finally:
        WHO.reset(token)

    async def become(name: str) -> str:
        former = WHO.get()
        WHO.set(name)
        return former

    assert ref.ask(lambda _: become("first"), timeout=5) == "starter"
    assert ref.ask(lambda _: become("second"), timeout=5) == "first"
    assert other.ask(lambda _: become("x"), timeout=5) == "starter"
    assert WHO.get() == "nobody"


def test_what_is_piped_is_cancelled_at_the_end(start: Start) -> None:
    """By a stop as by an abort."""
    for end in ("stop", "abort"):
        log: list[str] = []
        ref = start()

        async def pipes(me: Any, log: list[str] = log) -> None:
            me.pipe(hangs(log)(me))

        ref.ask(pipes, timeout=5)
        eventually(lambda log=log: log)
        getattr(ref, end)()
        eventually(lambda log=log: log == ["begun", "cancelled"])


def test_what_is_piped_after_the_end_is_cancelled(start: Start) -> None:
    """Nobody is there for it."""
    log: list[str] = []
    ref = start()
    kept: list[Any] = []

    async def keeps(me: Any) -> None:
        kept.append(me)

    ref.ask(keeps, timeout=5)
    ref.stop()
    kept[0].pipe(hangs(log)(None))
    eventually(lambda: [letter.message.value for letter in ref.dead_letters] == [None])
    assert log in ([], ["begun", "cancelled"])


# on_start and on_stop ---------------------------------------------------------------------------------------------


def test_on_start_and_on_stop_may_be_coroutines(start: Start) -> None:
    """The first message waits for the one, the end for the other."""
    log: list[str] = []

    class Opens(Actor):
        async def on_start(self) -> None:
            await asyncio.sleep(0.005)
            log.append("started")

        def on_receive(self, message: Any) -> Any:
            log.append(message)

        async def on_stop(self) -> None:
            await asyncio.sleep(0.005)
            log.append("stopped")

    ref = start(Opens)
    ref.tell("message")
    ref.stop()
    assert log == ["started", "message", "stopped"]


def test_an_on_start_that_fails_is_a_crash(start: Start) -> None:
    """It is tried again, as long as restarts are left."""
    tries: list[int] = []

    class Opens(Runs):
        async def on_start(self) -> None:
            await asyncio.sleep(0)
            tries.append(1)
            if len(tries) < 3:
                raise ValueError("not yet")

    assert start(Opens, supervised=RestartPolicy(max_restarts=3)).ask(3, timeout=5) == 3
    assert len(tries) == 3
    tries.clear()
    lone = start(Opens)
    assert lone.actor_stopped.wait(5)
    assert "not yet" in str(lone.error)


def test_an_on_stop_that_fails_harms_nobody(start: Start) -> None:
    """The actor has ended."""

    class Stops(Runs):
        async def on_stop(self) -> None:
            raise ValueError("at the end")

    ref = start(Stops)
    ref.stop()
    assert str(ref.how_ended) == "stopped"

"""Workers that actors share: who runs, who waits, and what becomes of both when something goes wrong."""

from __future__ import annotations

import ctypes
import gc
import itertools
import os
import threading
import weakref
from typing import TYPE_CHECKING, Any

import pytest

import actors
from actors import Actor, ActorDead, DeadlockError, Dispatcher, DispatcherExhausted, blocking, supervise
from actors.core.actors.actor_cell import ActorEnd
from actors.core.dispatching import dispatcher as dispatcher_module, stall_watch
from actors.core.dispatching.shift import Shift
from actors.core.waiting.crowd import crowd
from actors.core.waiting.waiter import Waiter

from ..process.program import FORKING, run
from ..waiting import BOUND, Gate, comes_true, eventually
from .troupe import FOR_EVER, Bomb, again, rests

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Make = Callable[..., Dispatcher]


class Doing(Actor):
    """A message that can be called is called with the actor."""

    inbox_capacity = None

    def on_receive(self, message: Any) -> Any:
        return message(self) if callable(message) else message


@pytest.fixture
def doing(gates: Any) -> Iterator[Callable[..., Any]]:
    """``doing(dispatcher, **hooks)`` starts an actor on it; aborted at the end of the test."""
    made: list[Any] = []

    def start(dispatcher: Dispatcher, **hooks: Any) -> Any:
        made.append(type("Doing", (Doing,), {"dispatcher": dispatcher, **hooks}).start())
        return made[-1]

    yield start
    for ref in made:
        ref.abort()
    for ref in made:
        assert ref.actor_stopped.wait(BOUND)


def at_rest(dispatcher: Dispatcher) -> None:
    """All of its workers have gone home, and each token is back in its place."""

    def state() -> Any:
        stats = dispatcher.stats()
        tokens = len(dispatcher._places), len(dispatcher._room), len(dispatcher._debts)
        return (stats.workers, stats.blocked, stats.ready), tokens

    expected = (0, 0, 0), (dispatcher.workers, dispatcher.max_blocked, 0)
    if not comes_true(lambda: state() == expected):
        assert state() == expected


# Workers ------------------------------------------------------------------------------------------------------------


def test_at_most_so_many_handlers_run(make_dispatcher: Make, doing: Any, gates: Any) -> None:
    """The others stand in line, and nobody waits while one does."""
    dispatcher = make_dispatcher(3)
    gate = gates()
    for number in range(5):
        doing(dispatcher).tell(lambda _, number=number: gate.arrive(number))
    assert {gate.next() for _ in range(3)} <= set(range(5))
    eventually(lambda: dispatcher.stats().ready == 2)
    assert dispatcher.stats().workers == 3
    gate.open()
    at_rest(dispatcher)
    assert dispatcher.stats().handled == 5


def test_an_actor_with_many_messages_goes_to_the_end_of_the_line(make_dispatcher: Make, doing: Any, gates: Any) -> None:
    """After *throughput* messages the next actor is handled."""
    dispatcher = make_dispatcher(1, throughput=2)
    gate, heard = gates(), []
    holder, busy, other = doing(dispatcher), doing(dispatcher), doing(dispatcher)
    holder.tell(gate.hold)
    gate.await_reached()
    for number in range(5):
        busy.tell(lambda _, number=number: heard.append(number))
    other.tell(lambda _: heard.append("other"))
    gate.open()
    busy.ask("all", timeout=BOUND)
    assert heard == [0, 1, "other", 2, 3, 4]


def test_two_that_talk_seldom_change_threads(make_dispatcher: Make, doing: Any) -> None:
    """A worker that is done takes the next actor itself, before the one that was called is awake."""
    dispatcher = make_dispatcher(4)
    threads: list[int] = []
    done = threading.Event()
    left, right = doing(dispatcher), doing(dispatcher)

    def ball(number: int, here: Any, there: Any) -> Callable[[Any], None]:
        def strike(_: Any) -> None:
            threads.append(threading.get_ident())
            there.tell(ball(number - 1, there, here)) if number else done.set()

        return strike

    left.tell(ball(1000, left, right))
    assert done.wait(BOUND)
    changes = sum(one != other for one, other in itertools.pairwise(threads))
    assert changes < 200


def test_threads_end_when_there_is_nothing_to_do(make_dispatcher: Make, doing: Any) -> None:
    """After *linger* seconds; the actors live on, and are handled again."""
    dispatcher = make_dispatcher(2)
    ref = doing(dispatcher)
    thread = ref.ask(lambda _: threading.current_thread(), timeout=BOUND)
    assert thread.daemon
    eventually(lambda: not thread.is_alive())
    assert ref.ask("again", timeout=BOUND) == "again"


def test_actors_that_nobody_knows_are_kept(make_dispatcher: Make) -> None:
    """As by a thread: until they end. Then the dispatcher goes, too."""
    gone: list[str] = []

    def begin() -> tuple[Any, Any]:
        class Kept(Actor):
            dispatcher = make_dispatcher(1)

            def on_stop(self) -> None:
                gone.append("stopped")

        actor = Kept()
        actor._start_actor_loop()
        return weakref.ref(actor), weakref.ref(Kept.dispatcher)

    actor, dispatcher = begin()
    gc.collect()
    assert actor() is not None
    actor().stop()
    eventually(lambda: gone == ["stopped"])
    eventually(lambda: dispatcher() not in dispatcher_module._in_use)
    eventually(lambda: gc.collect() is not None and dispatcher() is None)


# Waits --------------------------------------------------------------------------------------------------------------


def test_a_chain_of_asks_on_one_worker(make_dispatcher: Make, doing: Any) -> None:
    """Each that waits gives its place to the next one."""
    dispatcher = make_dispatcher(1)
    refs = [doing(dispatcher) for _ in range(20)]

    def down(number: int) -> Callable[[Any], int]:
        return lambda _: 0 if number == len(refs) else 1 + refs[number].ask(down(number + 1))

    assert refs[0].ask(down(1), timeout=BOUND) == 19
    at_rest(dispatcher)


def test_one_wait_too_many(make_dispatcher: Make, doing: Any) -> None:
    """It raises, and what it would have waited for is not handled later; the others go on."""
    dispatcher = make_dispatcher(1, max_blocked=2)
    refs = [doing(dispatcher) for _ in range(4)]
    handled: list[Any] = []

    def last(_: Any) -> str:
        try:
            refs[3].ask(lambda _: handled.append("late"))
        except DispatcherExhausted as error:
            return f"refused: {error}"
        return "waited"

    answer = refs[0].ask(lambda _: refs[1].ask(lambda _: refs[2].ask(last)), timeout=BOUND)
    assert "refused: 2 handlers of" in answer
    assert refs[3].ask("alive", timeout=BOUND) == "alive"
    assert not handled
    at_rest(dispatcher)


WAITS: dict[str, Callable[[Any, Any], Any]] = {
    "an ask": lambda _, other: other.ask("words"),
    "a future": lambda _, other: other.ask_future("words").get(),
    "a stop": lambda _, other: other.stop(),
    "its own cancel": lambda me, _: me.cancel_token.wait(BOUND),
    "blocking": lambda _, __: blocking().__enter__(),
}


@pytest.mark.parametrize("wait", WAITS)
def test_nobody_may_wait(make_dispatcher: Make, doing: Any, wait: str) -> None:
    """With ``max_blocked=0``, whatever a handler waits for. What is there already is no wait."""
    dispatcher = make_dispatcher(2, max_blocked=0)
    me, other = doing(dispatcher), doing(dispatcher)
    hold = Gate()
    other.tell(hold.hold)
    hold.await_reached()
    try:
        with pytest.raises(DispatcherExhausted):
            me.ask(lambda actor: WAITS[wait](actor, other), timeout=BOUND)
    finally:
        hold.open()
    settled = me.ask_future("there")
    settled.get(timeout=BOUND)
    assert me.ask(lambda _: settled.get(), timeout=BOUND) == "there"
    at_rest(dispatcher)


def test_a_wait_for_room_that_is_one_too_many(make_dispatcher: Make, doing: Any, gate: Any) -> None:
    """It is told that it was refused, and then its message is not there."""
    dispatcher = make_dispatcher(2, max_blocked=0)
    me, other = doing(dispatcher), doing(dispatcher, inbox_capacity=1)
    other.tell(gate.hold)
    gate.await_reached()
    other.tell("fills it")
    with pytest.raises(DispatcherExhausted):
        me.ask(lambda _: other.tell("no room", timeout=None), timeout=BOUND)
    assert len(other.actor_inbox) == 1
    gate.open()


def test_steps_of_our_own_are_never_refused(make_dispatcher: Make, doing: Any) -> None:
    """A pool that is opened and closed in a handler waits for the ends of its agents, also where nobody may wait."""
    dispatcher = make_dispatcher(1, max_blocked=0)

    def work(_: Any) -> Any:
        with actors.AgentPool(abort_timeout=2.0) as pool:
            handle = pool.submit(int)
            handle_done = threading.Event()
            handle.add_done_callback(lambda _: handle_done.set())
            assert handle_done.wait(BOUND)
        return handle.status

    assert doing(dispatcher).ask(work, timeout=BOUND) == "completed"
    woken = Waiter()
    timer = threading.Timer(0.01, woken.wake)
    timer.start()
    assert doing(dispatcher).ask(lambda _: woken.wait(BOUND), timeout=BOUND) is True
    timer.join()
    at_rest(dispatcher)


def test_a_circle_is_refused_at_once(make_dispatcher: Make, doing: Any) -> None:
    """As everywhere, also where nobody else might wait."""
    dispatcher = make_dispatcher(1, max_blocked=1)
    left, right = doing(dispatcher), doing(dispatcher)
    with pytest.raises(DeadlockError):
        left.ask(lambda me: right.ask(lambda _: left.ask("back")), timeout=BOUND)
    with pytest.raises(DeadlockError):
        left.ask(lambda me: me.actor_ref.ask("myself"), timeout=BOUND)
    at_rest(dispatcher)


def test_who_went_on_without_a_place_is_made_up_for(make_dispatcher: Make, doing: Any, gates: Any) -> None:
    """Its place was taken meanwhile: two run for a while, and then whoever is done first goes home."""
    dispatcher = make_dispatcher(1)
    waiting, working, asked = doing(dispatcher), doing(dispatcher), doing(dispatcher)
    answer, work, goes_on = gates(), gates(), gates()
    waiting.tell(lambda _: (blocked(answer), goes_on.arrive()))
    answer.await_reached()
    working.tell(work.hold)
    work.await_reached()  # it has the place
    answer.open()
    goes_on.await_reached()
    assert len(dispatcher._debts) == 1
    asked.tell("words")
    eventually(lambda: dispatcher.stats().ready == 1)
    work.open()  # it goes home
    eventually(lambda: dispatcher.stats().workers == 1)
    assert dispatcher.stats().ready == 1
    goes_on.open()
    at_rest(dispatcher)
    assert dispatcher.stats().handled == 3


def test_a_place_is_given_back_also_beside_a_debt(make_dispatcher: Make) -> None:
    """One went on without a place, and waits again: so two places are free when the last worker has left."""
    dispatcher = make_dispatcher(1)
    first, second = (Shift(dispatcher, 1) for _ in range(2))
    dispatcher._places.pop()
    wait = first.block()
    dispatcher._places.pop()  # the second one comes
    first.unblock(wait)
    wait = first.block()
    assert (len(dispatcher._places), len(dispatcher._debts)) == (1, 1)
    dispatcher._take_turns(second)  # the line is empty: it leaves
    assert (len(dispatcher._places), len(dispatcher._debts)) == (2, 1)
    first.unblock(wait)
    assert dispatcher._goes_home(first) is False
    assert (len(dispatcher._places), len(dispatcher._debts)) == (0, 0)
    dispatcher._take_turns(first)
    assert (len(dispatcher._places), len(dispatcher._room)) == (1, dispatcher.max_blocked)


def blocked(gate: Any) -> None:
    """Wait at *gate* so that another runs in our place."""
    with blocking():
        gate.hold()


# blocking -----------------------------------------------------------------------------------------------------------


def test_blocks_may_be_nested(make_dispatcher: Make, doing: Any) -> None:
    """They count as one."""
    dispatcher = make_dispatcher(1)

    def nested(_: Any) -> list[int]:
        seen = []
        with blocking():
            with blocking(), pytest.raises(KeyError), blocking():
                seen.append(dispatcher.stats().blocked)
                raise KeyError
            seen.append(dispatcher.stats().blocked)
        return [*seen, dispatcher.stats().blocked]

    assert doing(dispatcher).ask(nested, timeout=BOUND) == [1, 1, 0]
    at_rest(dispatcher)


def test_a_block_does_nothing_where_there_is_no_dispatcher(make_dispatcher: Make) -> None:
    """In the main thread, and in an actor with a thread of its own."""
    ref = Doing.start()

    def block(_: Any) -> str:
        with blocking():
            return "done"

    assert block(None) == ref.ask(block, timeout=BOUND) == "done"
    ref.stop()


@pytest.mark.parametrize("left", ["never", "by another thread", "by a later message", "by the collector"])
def test_a_block_that_is_not_left_ends_with_its_handler(make_dispatcher: Make, doing: Any, left: str) -> None:
    """A generator or a coroutine may be left anywhere: the next handler counts again, and nothing is counted twice."""
    dispatcher = make_dispatcher(1)
    ref, other = doing(dispatcher), doing(dispatcher)
    kept: list[Any] = []

    def within() -> Iterator[None]:
        with blocking():
            yield

    def enter(_: Any) -> None:
        kept.append(within())
        next(kept[0])

    def leave(_: Any = None) -> None:
        next(kept[0], None)

    ref.ask(enter, timeout=BOUND)
    if left == "by another thread":
        leave()
    elif left == "by a later message":
        ref.ask(lambda _: blocked_in(leave), timeout=BOUND)
    elif left == "by the collector":
        other.ask(lambda _: kept.clear(), timeout=BOUND)
    assert ref.ask(lambda _: dispatcher.stats().blocked, timeout=BOUND) == 0
    at_rest(dispatcher)


@pytest.mark.parametrize("throughput", [1, 32])
def test_a_block_that_is_not_left_does_not_count_for_the_next_message(
    make_dispatcher: Make, doing: Any, gate: Any, throughput: int
) -> None:
    """Of the same turn, or of the next one."""
    dispatcher = make_dispatcher(1, throughput=throughput)
    ref, kept = doing(dispatcher), []
    ref.tell(gate.hold)
    gate.await_reached()
    ref.tell(lambda _: kept.append(blocking()) or kept[0].__enter__())
    seen = ref.ask_future(lambda _: dispatcher.stats().blocked)
    gate.open()
    assert seen.get(timeout=BOUND) == 0
    at_rest(dispatcher)


def blocked_in(leave: Callable[[], None]) -> None:
    """Leave an old block while a new one is entered: the new one stays."""
    with blocking():
        leave()
        assert crowd().compensated[threading.get_ident()].is_blocked  # type: ignore[attr-defined]


# Faults -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, GeneratorExit, MemoryError])
@pytest.mark.parametrize("where", ["on_receive", "on_start", "on_stop", "on_failure", "on_undelivered"])
def test_whatever_is_raised_the_workers_stay(
    make_dispatcher: Make, doing: Any, where: str, error: type[BaseException]
) -> None:
    """The actor ends; its worker goes on, and no place is lost."""
    dispatcher = make_dispatcher(1)

    def fail(*_: Any) -> None:
        raise error

    hooks = {where: fail}
    if where == "on_failure":
        hooks["on_receive"] = fail
    ref = doing(dispatcher, **hooks)
    if where in ("on_receive", "on_failure"):
        ref.tell("words")
    elif where == "on_undelivered":
        held = Gate()
        ref.tell(held.hold)
        held.await_reached()
        ref.tell("unread")
        ref.abort()
        held.open()
    elif where == "on_stop":
        ref.stop(timeout=BOUND)
    assert ref.actor_stopped.wait(BOUND)
    assert doing(dispatcher).ask("alive", timeout=BOUND) == "alive"
    at_rest(dispatcher)


def test_a_turn_that_breaks_off_ends_its_actor(
    make_dispatcher: Make, doing: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A defect of ours, or what somebody has set in the thread between two messages: all who wait are told."""
    dispatcher = make_dispatcher(1)
    ref, other = doing(dispatcher), doing(dispatcher)
    held, ends = Gate(), []
    ref.watch(lambda ended: ends.append(ended.how_ended))
    ref.tell(lambda actor: (held.hold(), monkeypatch.setattr(type(actor._cell), "_failed", lambda *_: 1 / 0), bad()))
    held.await_reached()
    unread = ref.ask_future("unread")
    held.open()
    with pytest.raises(ActorDead):
        unread.get(timeout=BOUND)
    assert ref._cell.ended.get(timeout=BOUND) is ActorEnd.CRASHED
    assert ends == ["crashed"]
    monkeypatch.undo()
    assert other.ask("alive", timeout=BOUND) == "alive"
    at_rest(dispatcher)


def bad() -> None:
    """What every handler may do."""
    raise ValueError("bad")


def test_who_asked_the_message_in_hand_is_told_when_the_turn_breaks_off(
    make_dispatcher: Make, doing: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would wait for ever."""
    dispatcher = make_dispatcher(1)
    ref = doing(dispatcher)
    ref.ask("warm", timeout=BOUND)
    monkeypatch.setattr(type(ref._cell), "_failed", lambda *_: 1 / 0)
    with pytest.raises(ActorDead):
        ref.ask(lambda _: bad(), timeout=BOUND)
    at_rest(dispatcher)


def test_a_worker_that_fails_between_two_actors(
    make_dispatcher: Make, doing: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever it had in hand is taken by the next one."""
    dispatcher = make_dispatcher(1)
    refs = [doing(dispatcher) for _ in range(3)]
    cell_class = type(refs[0]._cell)
    real, faults = cell_class.claim, [ZeroDivisionError(), SystemExit()]

    def claim(cell: Any) -> bool:
        if faults:
            raise faults.pop()
        return real(cell)

    monkeypatch.setattr(cell_class, "claim", claim)
    futures = [ref.ask_future(number) for number, ref in enumerate(refs)]
    assert [future.get(timeout=BOUND) for future in futures] == [0, 1, 2]
    at_rest(dispatcher)


@pytest.mark.parametrize("when", ["begins", "leaves"])
def test_a_worker_that_fails_at_its_ends(
    make_dispatcher: Make, doing: Any, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """Nobody believes for ever that it is coming, and its place is another's."""
    dispatcher = make_dispatcher(1)
    ref = doing(dispatcher)
    faults = [MemoryError()]
    name = "_come" if when == "begins" else "_serve"
    real = getattr(Dispatcher, name)

    def fail(*args: Any) -> Any:
        if faults:
            raise faults.pop()
        return real(*args)

    monkeypatch.setattr(Dispatcher, name, fail)
    assert ref.ask("words", timeout=BOUND) == "words"
    assert not dispatcher._is_coming
    at_rest(dispatcher)


def test_an_exception_that_is_set_in_a_worker(make_dispatcher: Make, doing: Any) -> None:
    """It is the handler's; none of the others notices."""
    dispatcher = make_dispatcher(1)
    ref, other = doing(dispatcher), doing(dispatcher)

    def long(_: Any) -> None:
        ident = ctypes.c_ulong(threading.get_ident())
        assert ctypes.pythonapi.PyThreadState_SetAsyncExc(ident, ctypes.py_object(TimeoutError)) == 1
        for _ in range(1000):
            pass

    with pytest.raises(TimeoutError):
        ref.ask(long, timeout=BOUND)
    assert ref.ask("alive", timeout=BOUND) == other.ask("alive", timeout=BOUND) == "alive"
    at_rest(dispatcher)


# Threads that cannot be started -------------------------------------------------------------------------------------


class NoThreads:
    """While it is entered no thread can be started, but that of the alarm."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, also_alarm: bool = False) -> None:
        self._patch = monkeypatch
        self._also_alarm = also_alarm

    def __enter__(self) -> None:
        real = threading.Thread.start

        def start(thread: threading.Thread) -> None:
            if self._also_alarm or thread.name != "actors-alarm":
                raise RuntimeError("can't start new thread")
            real(thread)

        self._patch.setattr(threading.Thread, "start", start)

    def __exit__(self, *_: object) -> None:
        self._patch.undo()


def test_what_was_told_waits_for_a_thread(make_dispatcher: Make, doing: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is another try soon: nobody need tell anything again."""
    monkeypatch.setattr(dispatcher_module, "RETRY", 0.01)
    dispatcher = make_dispatcher(1)
    ref = doing(dispatcher)
    with NoThreads(monkeypatch):
        future = ref.ask_future("words")
        assert (len(dispatcher._places), dispatcher._is_coming) == (1, False)
    assert future.get(timeout=BOUND) == "words"
    at_rest(dispatcher)


def test_a_start_without_a_thread_leaves_nothing(
    make_dispatcher: Make, monkeypatch: pytest.MonkeyPatch, eventually: Any
) -> None:
    """One that has to begin with something, when there is nobody who would begin it."""
    dispatcher = make_dispatcher(1)
    made: list[Any] = []

    class Beginning(Doing):
        def __init__(self) -> None:
            super().__init__()
            made.append(self.actor_ref)

        def on_start(self) -> None:
            made.append("begun")

    Beginning.dispatcher = dispatcher
    with NoThreads(monkeypatch), pytest.raises(RuntimeError, match="can't start new thread"):
        Beginning.start()
    assert (made[0].how_ended, made[0].is_alive()) == ("crashed", False)
    assert not dispatcher.cells()
    eventually(lambda: not dispatcher._line)  # the entry is dropped by the next worker
    assert len(made) == 1


def test_a_wait_for_which_no_other_can_be_started(
    make_dispatcher: Make, doing: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It waits all the same, and whoever stands in line is taken when a thread can be had."""
    monkeypatch.setattr(dispatcher_module, "RETRY", 0.01)
    dispatcher = make_dispatcher(1)
    me, other = doing(dispatcher), doing(dispatcher)
    held = Gate()
    me.tell(held.hold)
    held.await_reached()
    answer = me.ask_future(lambda _: other.ask("words"))
    with NoThreads(monkeypatch):
        held.open()
        eventually(lambda: dispatcher.stats().blocked == 1)
    assert answer.get(timeout=BOUND) == "words"
    at_rest(dispatcher)


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_a_start_of_a_thread_that_is_interrupted(
    make_dispatcher: Make, doing: Any, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    """Who told is told, and what was told is handled."""
    monkeypatch.setattr(dispatcher_module, "RETRY", 0.01)
    dispatcher = make_dispatcher(1)
    ref, heard = doing(dispatcher), threading.Event()
    real, faults = dispatcher._crew.start, [error(), error()]  # the second for the second try of the mailbox

    def start(job: Any) -> None:
        if faults:
            raise faults.pop()
        real(job)

    dispatcher._crew.start = start  # type: ignore[method-assign]
    with pytest.raises(error):
        ref.tell(lambda _: heard.set())
    assert heard.wait(BOUND)
    at_rest(dispatcher)


LOCKS: dict[str, Callable[[Any, Any], Any]] = {
    "the crew's": lambda dispatcher, _: dispatcher._crew._lock,
    "the dispatcher's": lambda dispatcher, _: dispatcher._lock,
    "the mailbox's": lambda _, ref: ref._mailbox._lock,
    "its token's": lambda _, ref: ref._cell.token._lock,
    "that of its end": lambda _, ref: ref._cell.ended._lock,
}


class AtEnd:
    """Calls a function when it is collected."""

    def __init__(self, fn: Callable[[], object]) -> None:
        self.fn: Callable[[], object] = fn

    def __del__(self) -> None:
        fn, self.fn = self.fn, int
        fn()


@pytest.mark.parametrize("lock", LOCKS)
def test_a_finalizer_starts_tells_and_ends_under_any_lock(make_dispatcher: Make, doing: Any, lock: str) -> None:
    """A collection comes at any moment, and a signal's handler, too: in a thread that holds each of the locks."""
    dispatcher = make_dispatcher(2)
    ref, other, made = doing(dispatcher), doing(dispatcher), []
    heard = threading.Event()

    def work() -> None:
        made.append(doing(dispatcher, on_start=lambda _: None))
        ref.tell(lambda _: heard.set())
        made[0].stop(block=False)
        other.abort()
        ref.stop(block=False)

    with LOCKS[lock](dispatcher, ref):
        AtEnd(work).__del__()
    assert heard.wait(BOUND)
    assert made[0]._cell.ended.get(timeout=BOUND) == "stopped"
    assert other._cell.ended.get(timeout=BOUND) == "aborted"
    assert ref._cell.ended.get(timeout=BOUND) == "stopped"
    at_rest(dispatcher)


# Starts, stops, aborts ----------------------------------------------------------------------------------------------

STEPS = ("adopt", "attend", "begin")


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", STEPS)
def test_an_interrupted_start_of_a_shared_actor(
    make_dispatcher: Make, monkeypatch: pytest.MonkeyPatch, step: str, after: bool
) -> None:
    """Ctrl-C comes at any step: who waits is told of the end, and nobody keeps it."""
    dispatcher = make_dispatcher(1)
    made: list[Any] = []

    class Noted(Doing):
        def __init__(self) -> None:
            super().__init__()
            made.append(self.actor_ref)
            owner: Any = self._cell.mailbox if step == "attend" else dispatcher
            name = "attend" if step == "attend" else step
            real = getattr(type(owner), name)

            def interrupted(me: Any, *args: Any) -> Any:
                result = real(me, *args) if after else None
                if me is owner:
                    monkeypatch.undo()
                    raise KeyboardInterrupt
                return result if after else real(me, *args)

            monkeypatch.setattr(type(owner), name, interrupted)

    if step == "begin":
        Noted.on_start = lambda self: made.append("begun")  # type: ignore[method-assign]
    Noted.dispatcher = dispatcher
    with pytest.raises(KeyboardInterrupt):
        Noted.start()
    ref = made[0]
    assert ref._cell.ended.get(timeout=BOUND) in ("aborted", "crashed")
    with pytest.raises(ActorDead):
        ref.ask("words", timeout=BOUND)
    eventually(lambda: not dispatcher.cells())
    at_rest(dispatcher)


def test_an_interrupted_tell_is_handled(make_dispatcher: Make, doing: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C comes when the message is in and nobody was called yet."""
    dispatcher = make_dispatcher(1)
    ref, heard = doing(dispatcher), threading.Event()
    real = Dispatcher._call_one

    def interrupted(me: Dispatcher, **kwargs: Any) -> None:
        if me is dispatcher:
            monkeypatch.setattr(Dispatcher, "_call_one", real)
            raise KeyboardInterrupt
        real(me, **kwargs)

    monkeypatch.setattr(Dispatcher, "_call_one", interrupted)
    with pytest.raises(KeyboardInterrupt):
        ref.tell(lambda _: heard.set())
    assert heard.wait(BOUND)


@pytest.mark.parametrize("end", ["stop", "abort"])
def test_the_end_of_one_in_a_backoff(make_dispatcher: Make, end: str) -> None:
    """It is laid down for a long time, without a worker; both ends are seen at once."""
    dispatcher = make_dispatcher(1)
    cls = type("Resting", (Doing,), {"dispatcher": dispatcher})
    ref = supervise(cls, restart=again(3, backoff=FOR_EVER))
    ref.tell(Bomb())
    eventually(lambda: rests(ref))
    at_rest(dispatcher)
    later = ref.ask_future("later")
    ref.stop(block=False) if end == "stop" else ref.abort()
    assert ref._cell.ended.get(timeout=BOUND) == ("stopped" if end == "stop" else "aborted")
    if end == "stop":
        assert later.get(timeout=BOUND) == "later"
    else:
        with pytest.raises(ActorDead):
            later.get(timeout=BOUND)
    at_rest(dispatcher)
    assert not any(rest for rest in crowd().alarm.minded if type(rest).__name__ == "_Rest")


def test_a_hook_set_on_the_actor_itself_is_called(make_dispatcher: Make) -> None:
    """Not only one of its class."""
    seen: list[str] = []

    class Own(Actor):
        dispatcher = make_dispatcher(1)

        def __init__(self) -> None:
            super().__init__()
            self.on_start = lambda: seen.append("start")  # type: ignore[method-assign]
            self.on_stop = lambda: seen.append("stop")  # type: ignore[method-assign]

    Own.start().stop(timeout=BOUND)
    assert seen == ["start", "stop"]


def test_who_runs_elsewhere_is_not_here(make_dispatcher: Make, doing: Any) -> None:
    """After its end the thread is others': a context that was copied in its handler is nobody's there."""
    from contextvars import copy_context

    dispatcher = make_dispatcher(1)
    ref, other = doing(dispatcher), doing(dispatcher)
    context = ref.ask(lambda _: copy_context(), timeout=BOUND)
    ref.stop(timeout=BOUND)
    eventually(lambda: not ref._cell.is_here())
    from actors.core.waiting.wait_graph import current

    assert other.ask(lambda _: (ref._cell.is_here(), context.run(current)), timeout=BOUND) == (False, None)


# Stalls -------------------------------------------------------------------------------------------------------------


def test_a_handler_that_stands_is_told_once(make_dispatcher: Make, doing: Any, gate: Any, log_lines: Any) -> None:
    """With its stack; one that waits is not."""
    dispatcher = make_dispatcher(2, stalled_after=0.04)
    doing(dispatcher).tell(lambda _: blocked(gate))
    doing(dispatcher).tell(gate.hold)
    eventually(lambda: any("has been in one handler" in line for line in log_lines))
    looks = threading.Event()
    assert not looks.wait(0.1)  # several looks later
    told = [line for line in log_lines if "has been in one handler" in line]
    assert len(told) == 1
    assert "in arrive" in told[0]
    assert "in blocked" not in told[0]
    gate.open()
    eventually(lambda: not dispatcher._is_watched)


def test_many_short_messages_are_no_stall(make_dispatcher: Make) -> None:
    """Each handler that ends, and each wait, is progress."""
    shift = Shift(make_dispatcher(1), 32)
    seen = [shift.progress]
    shift.handled += 1
    seen.append(shift.progress)
    shift.unblock(shift.block())
    seen.append(shift.progress)
    shift.turns += 1
    seen.append(shift.progress)
    assert seen == [0, 1, 2, 3]


def test_a_log_that_raises_ends_no_watch(make_dispatcher: Make, doing: Any, gate: Any, monkeypatch: Any) -> None:
    """Whoever waits for a moment is told all the same."""
    told = threading.Event()
    dispatcher = make_dispatcher(2, stalled_after=0.04)

    def fail(*_: Any) -> None:
        told.set()
        raise OSError("no space left on device")

    monkeypatch.setattr(stall_watch.StallWatch, "_tell", fail)
    doing(dispatcher).tell(gate.hold)
    assert told.wait(BOUND)
    rung = threading.Event()

    class Moment:
        def ring(self) -> None:
            rung.set()

    crowd().alarm.mind(Moment(), 0.0)
    assert rung.wait(BOUND)
    gate.open()
    eventually(lambda: not dispatcher._is_watched)


# The end of the program ---------------------------------------------------------------------------------------------


@pytest.fixture
def ending(make_dispatcher: Make) -> Iterator[Dispatcher]:
    """A dispatcher that thinks that the program ends."""
    dispatcher = make_dispatcher(2)
    yield dispatcher
    dispatcher._ends = False


def test_the_end_of_the_program_ends_who_would_notice(ending: Dispatcher, doing: Any, gate: Any) -> None:
    """One in a handler, one with a cleanup, one that is watched; one that just lies there is left, but told nothing."""
    stopped: list[str] = []
    idle, busy = doing(ending), doing(ending)
    cleaning = doing(ending, on_stop=lambda _: stopped.append("cleaned"))
    watched = doing(ending)
    watched.watch(lambda _: stopped.append("watched"))
    reply = busy.ask_future(lambda me: (gate.note(), me.cancel_token.wait(None), me.cancel_token.check()))
    gate.await_reached()
    ending.mark_at_exit()
    ending.abort_at_exit()
    ending.end_at_exit()
    assert sorted(stopped) == ["cleaned", "watched"]
    with pytest.raises(ActorDead):
        reply.get(timeout=0)
    assert [ref.how_ended for ref in (idle, busy, cleaning, watched)] == [None, *["aborted"] * 3]
    with pytest.raises(ActorDead):
        idle.ask("anybody there?", timeout=BOUND)
    assert idle._cell.ended.get(timeout=BOUND) == "aborted"


def test_at_the_end_of_the_program_nobody_ends_before_all_are_marked(ending: Dispatcher, doing: Any) -> None:
    """Else whoever waits for it is told of its end, and takes that for a failure of its own."""
    asked, asking = doing(ending), doing(ending)
    watched = asked.watch(lambda _: None)
    ending.mark_at_exit()
    assert asking.ask("still here", timeout=BOUND) == "still here"
    ending.abort_at_exit()
    with pytest.raises(ActorDead):
        asking.ask("and now?", timeout=BOUND)
    watched()


def test_nothing_is_started_at_the_end_of_the_program(ending: Dispatcher, doing: Any) -> None:
    """Also where others still live: nobody would end it."""
    doing(ending).ask("alive", timeout=BOUND)
    ending.mark_at_exit()
    with pytest.raises(RuntimeError, match="the program is ending"):
        doing(ending)
    assert len(ending.cells()) <= 1


def test_the_end_of_the_program_waits_no_longer_than_it_may(
    ending: Dispatcher, doing: Any, gate: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For a cleanup that hangs."""
    monkeypatch.setattr(dispatcher_module, "EXIT_TIMEOUT", 0.01)
    ref = doing(ending)
    ref.tell(gate.hold)
    gate.await_reached()
    ending.mark_at_exit()
    ending.abort_at_exit()
    ending.end_at_exit()
    assert ref.is_alive()
    gate.open()


# Forks --------------------------------------------------------------------------------------------------------------

FORKS = """
import os, sys, threading
from actors import Actor, Dispatcher, ForkedPoolError, blocking
own = Dispatcher(1, linger=0.05)

class Doing(Actor):
    dispatcher = own
    def on_receive(self, message):
        return message(self) if callable(message) else message

def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())

def refused(fn):
    try:
        fn()
    except ForkedPoolError:
        return "refused"

def child():
    "The same class in the child: a dispatcher that begins anew; the parent's actors are not there."
    say("child", refused(lambda: peer.ask(1, timeout=5)), refused(lambda: peer.stop()), own.stats().handled)
    new = Doing.start()
    say("child", new.ask("new", timeout=5), new.ask(lambda _: Doing.start().ask("newer", timeout=5), timeout=5))
    new.stop(timeout=5)
    say("child", own.stats().blocked, len(own._room))

peer = Doing.start()
"""


@pytest.mark.process
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no fork")
@pytest.mark.parametrize("where", ["outside", "in a handler", "in a block", "in on_stop"])
def test_a_forked_child_begins_anew(where: str) -> None:
    """With a class-level dispatcher, wherever it was forked; what stood in the parent's line is not handled twice."""
    program = {
        "outside": """
old = Doing.start(); old.ask(1)
with own._lock:
    pid = os.fork()
if not pid:
    child(); os._exit(0)
os.waitpid(pid, 0)
say("parent", old.ask("alive", timeout=5))
""",
        "in a handler": """
def fork(_):
    global pid
    pid = os.fork()
    if pid:
        return pid
    child()
def work(_):
    say("parent" if os.getpid() == main else "child", "handles")
main = os.getpid()
old = Doing.start(); other = Doing.start(); held = threading.Event()
old.tell(lambda _: held.wait(5)); future = old.ask_future(fork); other.tell(work); held.set()
pid = future.get(timeout=10)
os.waitpid(pid, 0)
say("parent", old.ask("alive", timeout=5))
""",
        "in a block": """
def last(worker):
    worker.join()
    say("child", len(own._places), len(own._room))
def fork(_):
    with blocking():
        pid = os.fork()
        if not pid:
            child()
            threading.Thread(target=last, args=(threading.current_thread(),)).start()
    return pid
old = Doing.start()
os.waitpid(old.ask(fork, timeout=10), 0)
say("parent", old.ask("alive", timeout=5))
""",
        "in on_stop": """
def fork(actor):
    global pid
    pid = os.fork()
    if not pid:
        child()
Doing.on_stop = fork
old = Doing.start(); told = []
old.watch(lambda ref: say("watcher"))
Doing.on_stop = fork
old.stop(timeout=10)
Doing.on_stop = Actor.on_stop
os.waitpid(pid, 0)
""",
    }[where]
    if where == "in on_stop":
        program = program.replace("child()", "Doing.on_stop = Actor.on_stop; child()")
    lines = run(FORKS + program, options=FORKING).clean()
    told = [line for line in lines if line.startswith("child")]
    last = ["child 1 256"] if where == "in a block" else []
    assert told == ["child refused refused 0", "child new newer", "child 0 256", *last]
    others = [line for line in lines if not line.startswith("child")]
    expected = {
        "in a handler": ["parent alive", "parent handles"],
        "in on_stop": ["watcher"],
    }
    assert sorted(others) == expected.get(where, ["parent alive"])


# What is made of a bad word -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"workers": 0}, ValueError),
        ({"workers": True}, TypeError),
        ({"workers": 1.5}, TypeError),
        ({"throughput": 0}, ValueError),
        ({"max_blocked": -1}, ValueError),
        ({"linger": -1.0}, ValueError),
        ({"linger": float("nan")}, ValueError),
        ({"stalled_after": 0}, ValueError),
        ({"stalled_after": float("nan")}, ValueError),
    ],
    ids=str,
)
def test_numbers_that_make_no_sense(options: Any, error: type[Exception]) -> None:
    """They are refused where they are given."""
    with pytest.raises(error, match="of a dispatcher must be"):
        Dispatcher(**options)


@pytest.mark.parametrize(("word", "error"), [("own", ValueError), (None, TypeError), (4, TypeError)])
def test_an_unknown_dispatcher(word: Any, error: type[Exception]) -> None:
    """Refused at the start, and nothing is left of it."""
    cls = type("Lost", (Doing,), {"dispatcher": word})
    with pytest.raises(error, match=r"Lost\.dispatcher"):
        cls.start()


def test_the_shared_one_is_made_once(in_thread: Any) -> None:
    """Also by two at once."""
    both = [in_thread(dispatcher_module.shared_dispatcher) for _ in range(2)]
    assert both[0].result(BOUND) is both[1].result(BOUND) is dispatcher_module.shared_dispatcher()

"""Circles of waiting: who waits for whom, and who is refused."""

from __future__ import annotations

import threading
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

import pytest

from actors.core.actors.actor import Actor, ActorRef
from actors.core.supervision.as_completed import AsCompleted
from actors.core.waiting import wait_graph as member_module
from actors.core.waiting.wait_graph import WaitMember, WaitNode, current, enter, refuse_circle, wait_for
from actors.core.waiting.waiter import Waiter
from actors.errors import AskTimeout, Cancelled, DeadlockError

if TYPE_CHECKING:
    from collections.abc import Callable


class Fake(WaitMember):
    """Somebody who waits, without a thread."""

    def __init__(self, label: str, parent: Fake | None = None, *, here: bool = True) -> None:
        self.waits: list[tuple[WaitNode, Waiter]] = []
        self.name = label
        self.parent = parent
        self.here = here
        self.waited: list[Any] = []

    @property
    def label(self) -> str:
        return self.name

    def check(self) -> None:
        """Never cancelled."""

    def is_here(self) -> bool:
        return self.here

    def is_below(self, other: WaitMember) -> bool:
        return other is self or (self.parent is not None and self.parent.is_below(other))

    def wait(self, waiter: Waiter, timeout: float | None, on: str, target: WaitMember | None) -> bool:
        self.waited.append((timeout, on, target))
        return True


class Forwarder(Actor):
    """Asks somebody else before it answers."""

    def on_receive(self, message: Any) -> Any:
        if callable(message):
            return message(self)
        return message


# The search -----------------------------------------------------------------------------------------------------


def test_a_wait_for_itself_or_an_ancestor_is_refused() -> None:
    """The path names both ends."""
    grandparent = Fake("top")
    child = Fake("child", Fake("middle", grandparent))
    with pytest.raises(DeadlockError, match="child -> top") as info:
        child.watch(grandparent, Waiter())
    assert info.value.path == ("child", "top")
    assert child.waits == [], "a refused wait is not noted"
    with pytest.raises(DeadlockError, match="for itself"):
        child.watch(child, Waiter())


def test_a_circle_of_any_length_is_refused_with_its_path() -> None:
    """a -> b -> c -> a is found by whoever closes it."""
    a, b, c = Fake("a"), Fake("b"), Fake("c")
    a.watch(b, Waiter())
    b.watch(c, Waiter())
    with pytest.raises(DeadlockError, match="a circle of waiting") as info:
        c.watch(a, Waiter())
    assert info.value.path == ("c", "a", "b", "c")
    assert c.waits == []


def test_a_wait_that_is_over_closes_no_circle() -> None:
    """Its thread may not have run yet: neither the other's old wait nor one's own is held against one."""
    a, b = Fake("a"), Fake("b")
    answered = Waiter()
    a.watch(b, answered)
    answered.wake()
    b.watch(a, Waiter())
    assert a.targets() == ()
    late = Waiter()
    late.wake()
    a.watch(b, late)  # what it is about to wait for is there already


def test_waiting_side_by_side_is_no_circle() -> None:
    """Two ways to the same member, and a circle that I am not in, are not mine to refuse."""
    a, b, c, d = Fake("a"), Fake("b"), Fake("c"), Fake("d")
    b.waits = [(d, Waiter())]
    c.waits = [(d, Waiter()), (b, Waiter())]
    d.waits = [(d, Waiter())]  # somebody else's business
    gate = Waiter()
    a.watch(b, gate)
    a.watch(c, Waiter())
    assert a.targets() == (b, c)
    a.unwatch(b, gate)
    a.unwatch(b, gate)
    assert a.targets() == (c,)


def test_of_two_who_close_a_circle_at_once_one_sees_it() -> None:
    """Each notes its wait before it looks: whatever the order of the looks, one of them is refused."""
    a, b = Fake("a"), Fake("b")
    a.waits.append((b, Waiter()))
    b.waits.append((a, Waiter()))
    for me, other in ((a, b), (b, a)):
        with pytest.raises(DeadlockError):
            refuse_circle(me, other)


# Who runs here --------------------------------------------------------------------------------------------------


def test_the_main_thread_is_no_member(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its waits are plain ones."""
    assert current() is None
    waiter = Waiter()
    assert wait_for(waiter, 0, "nothing") is False
    waiter.wake()
    assert wait_for(waiter, 10, "nothing") is True


def test_a_member_waits_its_own_way() -> None:
    """wait_for passes everything on to the member whose thread this is."""
    me, target = Fake("me"), Fake("target")

    def inside() -> bool:
        enter(me)
        assert current() is me
        return wait_for(Waiter(), 5, "tea", target)

    assert copy_context().run(inside) is True
    assert me.waited == [(5, "tea", target)]
    assert current() is None, "the context is as it was"


def test_a_context_that_was_copied_to_another_thread_is_no_member() -> None:
    """A user's own thread with an agent's context waits plainly."""
    me = Fake("me", here=False)

    def inside() -> bool:
        enter(me)
        assert current() is None
        return wait_for(Waiter(), 0, "tea")

    assert copy_context().run(inside) is False
    assert me.waited == []


# Real circles ---------------------------------------------------------------------------------------------------


def actors_that_forward(count: int) -> list[ActorRef[Forwarder]]:
    return [Forwarder.start() for _ in range(count)]


@pytest.fixture
def forwarders() -> Any:
    """Starts actors, and aborts them at the end."""
    made: list[ActorRef[Forwarder]] = []

    def make(count: int) -> list[ActorRef[Forwarder]]:
        made.extend(actors_that_forward(count))
        return made[-count:]

    yield make
    for ref in made:
        ref.abort()
        assert ref.actor_stopped.wait(10)


def test_an_actor_that_asks_itself_is_refused_at_once(forwarders: Any) -> None:
    """No hang: DeadlockError, and the actor lives on."""
    (ref,) = forwarders(1)
    with pytest.raises(DeadlockError, match="Forwarder -> actor Forwarder"):
        ref.ask(lambda me: me.actor_ref.ask("hello"), timeout=10)
    assert ref.ask("still there", timeout=10) == "still there"


def test_an_actor_that_waits_for_its_own_end_is_refused(forwarders: Any) -> None:
    """stop() on oneself from inside a handler would wait for ever."""
    (ref,) = forwarders(1)
    with pytest.raises(DeadlockError):
        ref.ask(lambda me: me.actor_ref.stop(), timeout=10)
    assert ref.actor_stopped.wait(10), "it stops nevertheless"


def test_a_circle_of_actors_is_refused_at_once_with_its_path(forwarders: Any) -> None:
    """a asks b, b asks c, c asks a: c is refused, and its error travels back along the asks."""
    a, b, c = forwarders(3)
    with pytest.raises(DeadlockError) as info:
        a.ask(lambda _: b.ask(lambda _: c.ask(lambda _: a.ask("home"))), timeout=10)
    assert info.value.path == ("actor Forwarder",) * 4


def test_an_actor_that_asks_itself_with_a_full_mailbox_is_refused_at_once() -> None:
    """The wait for room in one's own mailbox is part of the ask: nobody else will ever make room."""

    class Narrow(Forwarder):
        inbox_capacity = 1

    ref = Narrow.start()

    def fill_and_ask(me: Narrow) -> Any:
        me.actor_ref.tell("fills the mailbox")
        return me.actor_ref.ask("me", timeout=0.3)

    try:
        with pytest.raises(DeadlockError):
            ref.ask(fill_and_ask, timeout=10)
    finally:
        ref.abort()
        assert ref.actor_stopped.wait(10)


def test_a_wait_for_room_is_part_of_a_circle(gate: Any, eventually: Any) -> None:
    """a waits for room at b to ask it, and b asks a: b is refused at once, else both would wait for ever."""

    class Narrow(Forwarder):
        inbox_capacity = 1

    a, b = Narrow.start(), Narrow.start()
    errors: list[BaseException] = []

    def ask_back(_: Any) -> None:
        gate.hold()
        try:
            a.ask("back", timeout=1.0)
        except BaseException as error:
            errors.append(error)

    try:
        b.tell(ask_back)
        gate.await_reached()
        b.tell("fills the mailbox")
        a.tell(lambda _: b.ask("forth", timeout=5.0))
        eventually(lambda: bool(b._mailbox._putters))
        gate.open()
        eventually(lambda: errors)
        assert [type(error) for error in errors] == [DeadlockError]
    finally:
        for ref in (a, b):
            ref.abort()
            assert ref.actor_stopped.wait(10)


def test_an_ask_that_was_refused_as_a_circle_is_not_handled_later(forwarders: Any) -> None:
    """The asker was told that it failed: handling it after that would do it twice, once it asks elsewhere."""
    (ref,) = forwarders(1)
    handled: list[str] = []
    with pytest.raises(DeadlockError):
        ref.ask(lambda me: me.actor_ref.ask(lambda _: handled.append("later")), timeout=10)
    assert ref.ask("after it", timeout=10) == "after it"
    assert handled == []


def test_an_agent_that_waits_for_itself_is_refused(supervise: Any, start: Any) -> None:
    """handle.outcome() of oneself is a DeadlockError, and the agent may go on."""
    supervisor = supervise()
    mine: list[Any] = []
    ready = threading.Event()

    def run(cell: Any) -> str:
        assert ready.wait(10)
        with pytest.raises(DeadlockError, match="agent 1"):
            mine[0].outcome()
        return "went on"

    handle = start(supervisor, run)
    mine.append(handle)
    ready.set()
    assert handle.result(10) == "went on"


def test_a_child_that_waits_for_its_parent_is_refused(supervise: Any, start: Any) -> None:
    """An ancestor cannot end before its child does."""
    supervisor = supervise()

    def run(cell: Any) -> Any:
        return start(supervisor, lambda _: supervisor.wait_ended(cell, None), parent=cell).outcome(10)

    outcome = start(supervisor, run).result(10)
    assert outcome.status == "crashed"
    assert outcome.error.type_name == "actors.errors.DeadlockError"


def test_agents_that_wait_for_each_other_are_refused(supervise: Any, start: Any, eventually: Any) -> None:
    """1 waits for 2; 2 asks for 1's outcome: 2 is refused, so 1 gets its outcome."""
    supervisor = supervise()
    handles: list[Any] = []
    ready = threading.Event()
    waits = threading.Event()

    def first(cell: Any) -> Any:
        assert ready.wait(10)
        waits.set()
        return handles[1].outcome(10).status

    def second(cell: Any) -> None:
        assert waits.wait(10)
        eventually(lambda: handles[0]._cell.waits)
        handles[0].outcome()

    handles += [start(supervisor, first), start(supervisor, second)]
    ready.set()
    assert handles[0].result(10) == "crashed"
    assert "agent 2 (job) -> agent 1 (job) -> agent 2 (job)" in str(handles[1].outcome(10).error)


def test_a_circle_through_an_actor_and_an_agent_is_refused(supervise: Any, start: Any, forwarders: Any) -> None:
    """An agent asks an actor that waits for the agent's outcome."""
    supervisor = supervise()
    (ref,) = forwarders(1)
    mine: list[Any] = []
    ready = threading.Event()

    def run(cell: Any) -> Any:
        assert ready.wait(10)
        return ref.ask(lambda _: mine[0].outcome())

    handle = start(supervisor, run)
    mine.append(handle)
    ready.set()
    outcome = handle.outcome(10)
    assert outcome.error.type_name == "actors.errors.DeadlockError"


def test_an_agent_that_waits_for_the_next_of_itself_is_refused(supervise: Any, start: Any) -> None:
    """as_completed over one's own handle can never yield: refused at once, like outcome()."""
    supervisor = supervise()
    mine: list[Any] = []
    ready = threading.Event()

    def run(cell: Any) -> Any:
        assert ready.wait(10)
        return AsCompleted(mine).next(0.3)

    handle = start(supervisor, run)
    mine.append(handle)
    ready.set()
    assert handle.outcome(10).error.type_name == "actors.errors.DeadlockError"


def test_who_closes_a_circle_through_a_wait_for_the_next_is_refused(
    supervise: Any, start: Any, eventually: Any
) -> None:
    """1 waits for the next outcome, and only 2 could be it; then 2 waits for 1: refused at once."""
    supervisor = supervise()
    handles: list[Any] = []
    ready = threading.Event()

    def first(cell: Any) -> Any:
        assert ready.wait(10)
        return supervisor.owed.next(10).status

    def second(cell: Any) -> Any:
        assert ready.wait(10)
        eventually(lambda: handles[0].status == "parked")
        return handles[0].outcome(0.5)

    handles += [start(supervisor, first), start(supervisor, second)]
    ready.set()
    assert handles[0].result(10) == "crashed"
    assert handles[1].outcome(10).error.type_name == "actors.errors.DeadlockError"


def test_receiving_is_never_part_of_a_circle(supervise: Any, start: Any) -> None:
    """Two agents that wait for each other's messages are not refused: anybody might send."""
    supervisor = supervise()

    def run(cell: Any) -> Any:
        return supervisor.pool.router.open(cell).get(10)

    one, two = start(supervisor, run), start(supervisor, run)
    for handle in (one, two):
        supervisor.pool.router.open(handle._cell).offer("at last")
    assert [one.result(10), two.result(10)] == ["at last"] * 2


# A cancel ends a wait -------------------------------------------------------------------------------------------


def test_an_abort_ends_an_actors_ask(forwarders: Any, gate: Any, eventually: Any) -> None:
    """An actor that waits for a reply is cancelled there; whoever asked it learns that it was aborted."""
    slow, asker = forwarders(2)
    slow.tell(lambda _: gate.hold())
    future = asker.ask_future(lambda _: slow.ask("never answered in time"))
    eventually(lambda: bool(asker._cell.waits))
    asker.abort("enough")
    with pytest.raises(Exception, match="cancelled while it handled the message"):
        future.get(timeout=10)
    gate.open()
    assert asker._cell.waits == []


def test_a_cancel_before_the_wait_is_seen_at_its_start(forwarders: Any) -> None:
    """An aborted actor cannot begin to wait."""
    (ref,) = forwarders(1)
    seen: list[str] = []

    def run(me: Any) -> None:
        me.actor_ref.abort("now")
        try:
            wait_for(Waiter(), 10, "tea")
        except Cancelled as error:
            seen.append(error.reason)
            raise

    ref.tell(run)
    assert ref.actor_stopped.wait(10)
    assert seen == ["now"]


def test_the_timeout_of_a_wait_that_is_no_circle_stands(forwarders: Any, gate: Any) -> None:
    """Asking somebody who is only busy runs into the timeout, not into a DeadlockError."""
    busy, asker = forwarders(2)
    busy.tell(lambda _: gate.hold())
    with pytest.raises(AskTimeout):
        asker.ask(lambda _: busy.ask("hello", timeout=0.01), timeout=10)
    gate.open()


def test_the_module_holds_no_state_of_its_own() -> None:
    """Who runs is in the context, nowhere else."""
    enter_in: Callable[[], Any] = lambda: enter(Fake("x"))  # noqa: E731
    copy_context().run(enter_in)
    assert member_module.current() is None

"""``actors.dump()``: what do the actors of the process do?"""

from __future__ import annotations

import pickle
import signal
import threading
from typing import TYPE_CHECKING, Any

import pytest

import actors
from actors import Actor, ActorDump, ActorsDump, Backoff, Dispatcher, ReplyFuture, RestartPolicy, supervise
from actors.core.waiting.wait_graph import wait_for
from actors.core.waiting.waiter import Waiter

from ..manual_alarm import ManualClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DISPATCHERS = ["pinned", "shared"]


class Clerk(Actor):
    """Does what it is sent: a function of itself."""

    inbox_capacity = 8

    def on_receive(self, message: Any) -> Any:
        return message(self)


@pytest.fixture(params=DISPATCHERS)
def on(request: pytest.FixtureRequest) -> Any:
    """``on(cls)`` is that class on each of the dispatchers."""
    chosen = request.param if request.param == "pinned" else Dispatcher(workers=2, linger=0.0, name="crew")
    return lambda cls: type(cls.__name__, (cls,), {"dispatcher": chosen})


@pytest.fixture
def started(gates: Any) -> Iterator[Callable[..., Any]]:
    """Starts actors, which are stopped at the end."""
    refs: list[Any] = []

    def start(cls: type[Actor], *args: Any) -> Any:
        refs.append(cls.start(*args))
        return refs[-1]

    yield start
    for ref in refs:
        ref.abort()
    for ref in refs:
        ref.stop()


@pytest.fixture
def doors(started: Any, gates: Any) -> Any:
    """Gates that are opened before the actors are stopped."""
    return gates


def only(kind: str = "Clerk", **options: Any) -> ActorDump:
    """The one actor of that class."""
    (found,) = (actor for actor in actors.dump(**options).actors if actor.kind == kind)
    return found


def among(*kinds: str, **options: Any) -> ActorsDump:
    """The picture of the actors of those classes: other tests may have left some that nobody stopped."""
    dump = actors.dump(**options)
    return ActorsDump(dump.dispatchers, tuple(actor for actor in dump.actors if actor.kind in kinds))


# One actor in each state ----------------------------------------------------------------------------------------


def test_an_idle_one(started: Any, on: Any, eventually: Any) -> None:
    """No stack; since when where it has a thread, as nobody notes it for one that has none."""
    started(on(Clerk)).ask(lambda _: None)
    eventually(lambda: only().state == "idle")
    actor = only()
    pinned = actor.dispatcher is None
    assert (actor.name, actor.handles, actor.inbox_depth, actor.inbox_capacity) == ("Clerk", None, 0, 8)
    assert (actor.restarts, actor.waits_for, actor.stack, actor.depth, actor.pool) == (0, (), "", 0, None)
    assert (actor.seconds is not None and actor.seconds >= 0) == pinned
    assert str(actor) == (
        f"actor Clerk: idle, {actor.seconds:.1f} s, 0 unread" if pinned else "actor Clerk: idle, 0 unread"
    )


def test_one_that_handles(started: Any, on: Any, doors: Any) -> None:
    """The message, what it has not read, and the stack of whoever runs it, without what is the library's."""
    door = doors()
    ref = started(on(Clerk))
    ref.tell(door.hold)
    door.await_reached()
    ref.tell(lambda _: None)
    actor = only()
    assert (actor.state, actor.handles, actor.inbox_depth) == ("handling", "method", 1)
    assert actor.seconds is not None
    assert actor.seconds >= 0
    lines = actor.stack.splitlines()
    assert lines[0].endswith("in on_receive")
    assert "return message(self)" in lines[1]
    assert "actors/core" not in actor.stack.replace("tests/core", "")
    assert str(actor).startswith(f"actor Clerk: handling method, {actor.seconds:.1f} s, 1 of 8 unread\n    File ")
    door.open()


def test_since_when_a_handler_runs_on_a_dispatcher(started: Any, doors: Any) -> None:
    """From the first look on: the second dump knows that it is the same turn."""
    door = doors()

    class Shared(Clerk):
        dispatcher = Dispatcher(workers=1, linger=0.0, stalled_after=None)

    started(Shared).tell(door.hold)
    door.await_reached()
    first = only("Shared").seconds
    second = only("Shared").seconds
    assert first == 0.0
    assert second is not None
    assert second > 0.0
    door.open()


def test_one_that_waits_for_another(started: Any, on: Any, doors: Any, eventually: Any) -> None:
    """By its label, at the top and below its own line."""
    door = doors()
    desk, other = started(on(Clerk)), started(type("Store", (Clerk,), {}))
    other.tell(door.hold)
    desk.tell(lambda _: other.ask(lambda _: None))
    eventually(lambda: only().state == "waiting")
    eventually(lambda: only().waits_for == ("actor Store",))
    dump = among("Clerk", "Store")
    assert dump.waits == (("actor Clerk", "actor Store"),)
    text = str(dump)
    assert "who waits for whom: actor Clerk -> actor Store" in text
    assert "waiting (handling function)" in text
    assert "\n  waits for actor Store\n" in text
    assert "other.ask(lambda _: None)" in only().stack
    door.open()


def test_who_waits_for_one_of_several_of_a_name(started: Any, on: Any, doors: Any, eventually: Any) -> None:
    """The last digits of their urns tell them apart; others need none."""
    door = doors()
    first, second, _ = (started(on(Clerk)) for _ in range(3))
    one, other = first.actor_urn[-6:], second.actor_urn[-6:]
    second.tell(door.hold)
    first.tell(lambda _: second.ask(lambda _: None))
    eventually(lambda: among("Clerk").waits)
    assert (dump := among("Clerk")).waits == ((f"actor Clerk ({one})", f"actor Clerk ({other})"),)
    assert {actor.urn for actor in dump.actors} == {one, other, ""}
    assert f"\n  waits for actor Clerk ({other})\n" in str(dump)
    door.open()


def test_one_that_waits_for_nobody_in_particular(started: Any, on: Any, eventually: Any) -> None:
    """A wait through the library is one."""
    waiter = Waiter()
    started(on(Clerk)).tell(lambda _: wait_for(waiter, 10, "the test"))
    eventually(lambda: only().state == "waiting")
    assert only().waits_for == ()
    waiter.wake()


@pytest.mark.parametrize("wait", ["a thread", "a coroutine"])
def test_since_when_one_waits(
    wait: str, started: Any, on: Any, eventually: Any, doors: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not since when it is at the message; and after that, of one with a thread, since then again."""
    before, after, clock, waiter, gone = doors(), doors(), ManualClock(), Waiter(), ReplyFuture()
    for module in ("actors.pinned_cell", "actors.shared_cell", "actors.actor_look", "dispatching.shift"):
        monkeypatch.setattr(f"actors.core.{module}.SYSTEM_CLOCK", clock)

    def work(_: Any) -> None:
        before.hold()
        wait_for(waiter, None, "the test")
        after.hold()

    async def work_later(_: Any) -> None:
        before.hold()
        await gone

    (ref := started(on(Clerk))).tell(work if wait == "a thread" else work_later)
    before.await_reached()
    clock.at += 100.0
    before.open()
    eventually(lambda: only().state == "waiting")
    clock.at += 3.0
    assert only().seconds in ((3.0,) if wait == "a thread" else (3.0, 103.0))
    waiter.wake()
    if wait == "a thread":
        after.await_reached()
        clock.at += 1.0
        assert only().seconds == (104.0 if ref.actor_class.dispatcher == "pinned" else 0.0)
        after.open()
    gone.set()


def test_one_that_blocks(started: Any, doors: Any, eventually: Any) -> None:
    """With ``blocking()`` on a dispatcher, which counts it."""
    door = doors()
    crew = Dispatcher(workers=1, linger=0.0, name="blocked")

    def block(_: Any) -> None:
        with actors.blocking():
            door.hold()

    started(type("Clerk", (Clerk,), {"dispatcher": crew})).tell(block)
    door.await_reached()
    assert only().state == "waiting"
    (crewed,) = (one for one in actors.dump().dispatchers if one.name == "blocked")
    assert (crewed.size, crewed.actors, crewed.stats.blocked, crewed.stats.workers) == (1, 1, 1, 1)
    assert str(crewed) == "dispatcher blocked: 1 of 1 worker, 1 blocked, 0 ready, 1 handled, 1 actor"
    door.open()


def test_one_in_line(started: Any, doors: Any) -> None:
    """Its worker is another's."""
    door = doors()
    crewed = type("Clerk", (Clerk,), {"dispatcher": Dispatcher(workers=1, linger=0.0)})
    started(type("First", (crewed,), {})).tell(door.hold)
    door.await_reached()
    started(crewed).tell(lambda _: None)
    actor = only()
    assert (actor.state, actor.inbox_depth, actor.handles, actor.stack) == ("ready", 1, None, "")
    door.open()


def test_one_that_starts(started: Any, on: Any, doors: Any) -> None:
    """In ``on_start``, with its stack."""
    door = doors()

    class Slow(Clerk):
        def on_start(self) -> None:
            door.hold()

    started(on(Slow))
    door.await_reached()
    assert only("Slow").state == "starting"
    assert "in on_start" in only("Slow").stack
    door.open()


def test_one_that_stops(started: Any, on: Any, doors: Any) -> None:
    """In ``on_stop``; one that handles what it has accepted does that."""
    handles, stops = doors(), doors()

    class Slow(Clerk):
        def on_stop(self) -> None:
            stops.hold()

    ref = started(on(Slow))
    ref.tell(handles.hold)
    handles.await_reached()
    ref.stop(block=False)
    assert only("Slow").state == "handling"
    handles.open()
    stops.await_reached()
    assert only("Slow").state == "stopping"
    assert "in on_stop" in only("Slow").stack
    stops.open()


def test_one_that_restarts(on: Any, eventually: Any) -> None:
    """In so many seconds, and for the how manieth time."""
    ref = supervise(on(Clerk), restart=RestartPolicy(max_restarts=2, backoff=Backoff(base=60.0)))
    ref.tell(lambda _: 1 / 0)
    eventually(lambda: only().state == "restarting" and only().restarts == 1)
    actor = only()
    assert actor.seconds is not None
    assert -70 < actor.seconds < 0
    assert str(actor) == f"actor Clerk: restarting in {-actor.seconds:.1f} s, 0 unread, 1 restart"
    ref.abort()
    ref.stop()


def test_one_that_has_ended_is_not_there(on: Any) -> None:
    """Nor is anything else of it."""
    ref = on(Clerk).start()
    ref.stop()
    assert [actor for actor in actors.dump().actors if actor.kind == "Clerk"] == []


# The tree -------------------------------------------------------------------------------------------------------


def family(started: Any, *kinds: str) -> list[Any]:
    """Actors, each the child of the one before."""
    cells: list[Any] = []
    for kind in kinds:
        cell = started(type(kind, (Clerk,), {"dispatcher": "shared"}))._cell
        cell.parent = cells[-1] if cells else None
        cells.append(cell)
    return cells


def test_children_stand_below_their_parents(started: Any) -> None:
    """By their names, and as deep as they are."""
    _, child, grandchild = family(started, "Top", "Middle", "Low")
    child.name = "db"
    dump = among("Top", "Middle", "Low")
    assert [(actor.name, actor.kind, actor.depth) for actor in dump.actors] == [
        ("Top", "Top", 0),
        ("db", "Middle", 1),
        ("Low", "Low", 2),
    ]
    assert str(dump).endswith(
        "\nactor Top: idle, 0 unread\n  actor db (Middle): idle, 0 unread\n    actor Low: idle, 0 unread"
    )
    for cell in child, grandchild:
        cell.parent = None


def test_children_stand_as_they_were_started(started: Any, doors: Any) -> None:
    """Whatever their names and classes are, and whether they do something or not."""
    classes, door = [type(name, (Clerk,), {"dispatcher": "shared"}) for name in ("Zebra", "Ape", "Cow")], doors()
    (parent := started(type("Keeper", (Clerk,), {"dispatcher": "shared"}))).ask(
        lambda me: [me.start_child(cls, name=f"{n}") for n, cls in enumerate((*classes, *[classes[0]] * 11))]
    )
    parent.ask(lambda me: me.children["2"]).tell(door.hold)
    door.await_reached()
    dump = among("Keeper", "Zebra", "Ape", "Cow")
    assert [actor.name for actor in dump.actors[1:-1]] == [*map(str, range(12))]
    assert (dump.actors[-1].is_group, dump.actors[-1].count) == (True, 2)
    door.open()


def test_a_deep_tree_is_drawn(started: Any) -> None:
    """Without a limit of calls, and not ever further to the right."""
    cells = family(started, *["Deep"] * 1_200)
    dump = among("Deep")
    assert [actor.depth for actor in dump.actors] == list(range(1_200))
    last = str(dump).splitlines()[-1]
    assert last == " " * 40 + "(level 1199) actor Deep: idle, 0 unread"
    for cell in cells:
        cell.parent = None


def test_idle_siblings_are_counted(started: Any, doors: Any) -> None:
    """Of each class the first ten, and how many more; who does something is always told, and first."""
    door = doors()
    shared = type("Account", (Clerk,), {"dispatcher": Dispatcher(workers=1, linger=0.0)})
    busy = started(shared)
    busy.tell(door.hold)
    door.await_reached()
    for _ in range(1_500):
        started(shared)
    dump = among("Account")
    assert len(dump) == 1_501
    lines = str(dump).splitlines()
    assert len(dump.actors) == 12
    assert lines[0] == "1,501 actors: 1,500 idle, 1 handling"
    assert lines[-2:] == ["actor Account: idle, 0 unread", "... and 1,499 more idle Account"]  # ten are the same
    assert sum("idle, 0 unread" in line for line in lines) == 1
    assert dump.actors[0].state == "handling"
    (group,) = (actor for actor in dump.actors if actor.is_group)
    assert (group.count, group.state, group.kind) == (1_490, "idle", "Account")
    assert len(among("Account", most=None).actors) == 1_501
    assert [actor.count for actor in among("Account", most=0).actors] == [1, 1_500]
    html = dump._repr_html_()
    assert "1,490 more idle Account" in html
    assert "handling" in html
    door.open()


def test_actors_of_a_pool_stand_below_it(started: Any, make_pool: Any) -> None:
    """Last, and set off."""
    started(type("Outside", (Clerk,), {}))
    pool = make_pool(name="team")
    parent = pool.start_actor(type("Inside", (Clerk,), {}))
    child = started(type("Below", (Clerk,), {}))
    child._cell.parent = parent._cell
    text = str(among("Outside", "Inside", "Below"))
    order = [line.split(":")[0] for line in text.splitlines() if "actor " in line or "pool" in line]
    assert order == ["actor Outside", "pool team", "  actor Inside", "    actor Below"]
    assert {actor.pool for actor in actors.dump().actors if actor.kind in ("Inside", "Below")} == {"team"}
    assert child.ask(lambda me: me.pool) is pool
    child._cell.parent = None


# Safe at any moment ---------------------------------------------------------------------------------------------


class Hostile:
    """Whatever is asked of it raises."""

    def __repr__(self) -> str:
        raise SystemExit

    __str__ = __getattr__ = __eq__ = __hash__ = __repr__  # type: ignore[assignment]


def test_nothing_of_a_user_is_called_or_moves_a_cursor(started: Any, doors: Any) -> None:
    """Names and messages are escaped; of a message of a class of one's own the class is told."""
    door = doors()

    class Strange(Actor):
        def on_receive(self, message: Any) -> None:
            door.hold()

    Strange.__name__ = "Ev\x1b[31mil\n"
    Hostile.__qualname__ = "Ho\rstile"
    ref = started(Strange)
    ref.tell(Hostile())
    door.await_reached()
    text = str(actors.dump())
    assert "actor Ev\\x1b[31mil\\n: handling Ho\\rstile" in text
    assert "\x1b" not in text + actors.dump()._repr_html_()
    door.open()


@pytest.mark.parametrize(
    ("message", "told"),
    [("a\x1b\n", "'a\\x1b\\n'"), (5, "5"), (None, "None"), ({"a": 1}, "dict"), ("x" * 99, "'" + "x" * 15)],
)
def test_plain_messages_are_told(started: Any, doors: Any, message: Any, told: str) -> None:
    """Short ones; of a container its class, as what is in it is not looked at."""
    door = doors()

    class Strict(Actor):
        def on_receive(self, _: Any) -> None:
            door.hold()

    started(Strict).tell(message)
    door.await_reached()
    handles = only("Strict").handles
    assert handles is not None
    assert handles.startswith(told)
    assert len(handles) <= 40
    door.open()


def test_a_proxy_call_is_told_by_its_name(started: Any, doors: Any) -> None:
    """Not as a class of Pykka's."""
    door = doors()

    class Proxied(Actor):
        def method(self) -> None:
            door.hold()

    called = started(Proxied).proxy().method()
    door.await_reached()
    assert only("Proxied").handles == "method()"
    door.open()
    called.get()


def test_it_can_be_asked_in_a_handler_and_in_a_signal_handler(started: Any, on: Any) -> None:
    """Also of the one that asks."""
    ref = started(on(Clerk))
    told = ref.ask(lambda _: actors.dump())
    assert [actor.state for actor in told.actors if actor.kind == "Clerk"] == ["handling"]
    seen: list[Any] = []
    before = signal.signal(signal.SIGUSR1, lambda *_: seen.append(actors.dump()))
    try:
        signal.raise_signal(signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert [actor.kind for actor in seen[0].actors if actor.kind == "Clerk"] == ["Clerk"]


def test_it_can_be_asked_while_actors_come_and_go(on: Any, in_thread: Any) -> None:
    """From several threads at once, and each picture can be drawn."""
    done = threading.Event()

    def look() -> int:
        count = 0
        while not done.is_set():
            str(actors.dump())
            count += 1
        return count

    looks = [in_thread(look) for _ in range(2)]
    kind = on(Clerk)
    for _ in range(60):
        ref = kind.start()
        ref.tell(lambda _: None)
        ref.stop()
    done.set()
    assert all(one.result(10) > 0 for one in looks)


def test_it_is_a_record(started: Any) -> None:
    """It can be pickled, and is true, however few there are."""
    started(Clerk)
    dump = among("Clerk")
    assert pickle.loads(pickle.dumps(dump)) == dump
    assert bool(actors.ActorsDump((), ()))
    assert str(actors.ActorsDump((), ())) == "0 actors"


@pytest.mark.parametrize(("most", "error"), [(-1, ValueError), (1.5, TypeError), (True, TypeError), ("all", TypeError)])
def test_what_is_no_number_is_refused(most: Any, error: type[Exception]) -> None:
    """It says what it may be."""
    with pytest.raises(error, match="most must be"):
        actors.dump(most=most)

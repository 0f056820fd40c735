"""Children of actors: a child's life is inside its parent's."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from actors import Actor, ActorEnd, ActorsError, Backoff, Dispatcher, RestartPolicy
from actors.core.actors import children
from actors.core.dispatching import dispatcher as dispatching
from actors.errors import ActorDead, DeadlockError

from ..waiting import Gate, eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors import ActorRef

AGAIN = RestartPolicy(3, 60.0, Backoff(base=0.0))


@pytest.fixture(autouse=True)
def _threads_end_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(dispatching._shared, "shared", Dispatcher(name="shared", linger=0.0))


@pytest.fixture(params=["pinned", "shared"])
def kind(request: pytest.FixtureRequest) -> Any:
    """A class of actors that log what happens to them, and do what they are told to."""

    class Logging(Actor):
        dispatcher = request.param

        def __init__(self, name: str, log: list[Any], **hooks: Any) -> None:
            super().__init__()
            self.name, self.log, self.hooks = name, log, hooks

        def on_start(self) -> None:
            self.log.append(("start", self.name))
            self.hooks.get("on_start", lambda _: None)(self)

        def on_stop(self) -> None:
            self.log.append(("stop", self.name))
            self.hooks.get("on_stop", lambda _: None)(self)

        def on_failure(self, *_: Any) -> None:
            self.log.append(("failure", self.name))

        def on_child_ended(self, ref: ActorRef[Any], reason: ActorEnd) -> None:
            self.log.append(("ended", ref, reason))
            self.hooks.get("on_child_ended", lambda *_: None)(self, ref)

        def on_receive(self, message: Any) -> Any:
            return message(self) if callable(message) else message

    return Logging


def family(kind: Any, log: list[Any], count: int = 3, **hooks: Any) -> ActorRef[Any]:
    """A parent with so many children, ``1``, ``2``, ..."""

    def on_start(me: Any) -> None:
        for number in range(1, count + 1):
            me.start_child(kind, str(number), log, name=str(number), **hooks)

    ref: ActorRef[Any] = kind.start("parent", log, on_start=on_start)
    ref.ask(None)
    return ref


def crash(_: Any) -> None:
    raise ValueError("boom")


def kids(ref: ActorRef[Any]) -> dict[str, ActorRef[Any]]:
    found: dict[str, ActorRef[Any]] = ref.ask(lambda me: dict(me.children))
    return found


# Beginning ------------------------------------------------------------------------------------------------------


def test_a_child_knows_its_parent_and_a_parent_its_children(kind: Any) -> None:
    """By names that are given, or made."""
    log: list[Any] = []
    parent = kind.start("parent", log)
    given = parent.ask(lambda me: me.start_child(kind, "a", log, name="given"))
    made = [parent.ask(lambda me: me.start_child(kind, "b", log)) for _ in range(2)]
    assert kids(parent) == {"given": given, "Logging-1": made[0], "Logging-2": made[1]}
    assert given.ask(lambda me: me.parent) is parent
    assert parent.ask(lambda me: me.parent) is None
    assert parent.ask(lambda me: me.start_child(kind, "c", log, name="Logging-3")).is_alive()
    parent.ask(lambda me: me.start_child(kind, "d", log))
    assert list(kids(parent)) == ["given", "Logging-1", "Logging-2", "Logging-3", "Logging-4"]
    with pytest.raises(TypeError):
        parent.ask(lambda me: me.children)["x"] = given
    assert parent.stop()


def test_two_living_children_cannot_have_one_name(kind: Any) -> None:
    """The name of one that has ended may be given again."""
    log: list[Any] = []
    parent = family(kind, log, 1)
    with pytest.raises(ValueError, match="a living child named '1'"):
        parent.ask(lambda me: me.start_child(kind, "again", log, name="1"))
    assert ("start", "again") not in log
    kids(parent)["1"].stop()
    again = parent.ask(lambda me: me.start_child(kind, "again", log, name="1"))
    assert kids(parent) == {"1": again}
    parent.stop()


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda me, _: me.start_child(object), TypeError, "subclass of actors.Actor"),
        (lambda me, kind: me.start_child(kind, "x", [], name=7), TypeError, "must be a str"),
        (lambda me, kind: me.start_child(kind, "x", [], name=""), ValueError, "must not be empty"),
        (lambda me, kind: me.start_child(kind, "x", [], restart=3), TypeError, "RestartPolicy"),
        (lambda me, kind: me.start_child(kind), TypeError, "missing"),
    ],
)
def test_what_cannot_be_a_child_is_refused(kind: Any, call: Any, error: Any, text: str) -> None:
    """And leaves nothing behind."""
    parent = kind.start("parent", [])
    with pytest.raises(error, match=text):
        parent.ask(lambda me: call(me, kind))
    assert kids(parent) == {}
    parent.stop()


@pytest.mark.parametrize("seconds", [-1, float("nan")])
def test_a_stop_timeout_that_is_none_is_refused(kind: Any, seconds: float) -> None:
    """Where the child is started."""
    odd = type("Odd", (kind,), {"stop_timeout": seconds})
    parent = kind.start("parent", [])
    with pytest.raises(ValueError, match="stop_timeout of Odd"):
        parent.ask(lambda me: me.start_child(odd, "x", []))
    parent.stop()


def test_start_child_is_for_handlers(kind: Any) -> None:
    """Not for other threads, ``__init__`` or ``on_stop``."""
    log: list[Any] = []
    refused: list[str] = []

    def attempt(me: Any) -> None:
        try:
            me.start_child(kind, "stray", log)
        except ActorsError as error:
            refused.append(str(error))

    class Early(kind):  # type: ignore[misc]
        def __init__(self, *args: Any, **hooks: Any) -> None:
            super().__init__(*args, **hooks)
            attempt(self)

    parent = Early.start("parent", log, on_stop=attempt)
    actor = parent.ask(lambda me: me)
    attempt(actor)
    parent.stop()
    attempt(actor)
    assert ["outside its handlers" in text for text in refused] == [True, True, False, True]
    assert "on_stop starts no children" in refused[2]
    assert log == [("start", "parent"), ("stop", "parent")]


def test_a_coroutine_may_start_children(kind: Any) -> None:
    """It is a handler, wherever it runs."""
    log: list[Any] = []

    async def begin(me: Any) -> Any:
        return me.start_child(kind, "child", log)

    parent = kind.start("parent", log)
    child = parent.ask(begin, timeout=10)
    assert child.ask("hello") == "hello"
    parent.stop()
    assert not child.is_alive()


def test_one_whose_init_fails_is_no_child(kind: Any) -> None:
    """The parent gets the error."""

    class Broken(kind):  # type: ignore[misc]
        def __init__(self) -> None:
            raise KeyError("no")

    parent = kind.start("parent", [])
    with pytest.raises(KeyError):
        parent.ask(lambda me: me.start_child(Broken))
    assert kids(parent) == {}
    parent.stop()


def test_a_child_may_be_supervised(kind: Any) -> None:
    """Its restart is no end; without a policy a crash ends it."""
    log: list[Any] = []
    parent = kind.start("parent", log)
    child = parent.ask(lambda me: me.start_child(kind, "child", log, restart=AGAIN))
    crashes = [crash]
    child.tell(lambda me: crashes.pop()(me) if crashes else None)
    assert child.ask(lambda me: me.parent) is parent
    assert log == [("start", "parent"), ("start", "child"), ("failure", "child"), ("start", "child")]
    other = parent.ask(lambda me: me.start_child(kind, "other", log))
    other.tell(crash)
    eventually(lambda: ("ended", other, ActorEnd.CRASHED) in log)
    parent.stop()
    assert log[-2:] == [("stop", "child"), ("stop", "parent")]


# Being told of an end -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", list(ActorEnd))
def test_a_parent_is_told_how_a_child_ended(kind: Any, reason: ActorEnd) -> None:
    """Between two messages; it is no child then, and its name is free."""
    log: list[Any] = []
    restarted: list[Any] = []

    def on_child_ended(me: Any, ref: ActorRef[Any]) -> None:
        assert (dict(me.children), ref.is_alive(), ref.how_ended) == ({}, False, reason)
        restarted.append(me.start_child(kind, "next", log, name="child"))

    parent = kind.start("parent", log, on_child_ended=on_child_ended)
    child = parent.ask(lambda me: me.start_child(kind, "child", log, name="child"))
    {"stopped": child.stop, "aborted": child.abort, "crashed": lambda: child.tell(crash)}[reason]()
    eventually(lambda: restarted)
    assert log.count(("ended", child, reason)) == 1
    assert kids(parent) == {"child": restarted[0]}
    parent.stop()
    assert log.count(("ended", child, reason)) == 1
    assert ("ended", restarted[0], ActorEnd.STOPPED) not in log, "one that ends with its parent"


def test_whoever_has_waited_for_the_end_finds_the_parent_told(kind: Any) -> None:
    """What is asked after a stop is handled after ``on_child_ended``."""
    log: list[Any] = []
    parent = family(kind, log, 1)
    child = kids(parent)["1"]
    child.stop()
    assert parent.ask(lambda me: me.log[-1]) == ("ended", child, ActorEnd.STOPPED)
    parent.stop()


def test_on_child_ended_may_be_a_coroutine(kind: Any) -> None:
    """The next message waits for it."""
    log: list[Any] = []

    class Awaiting(kind):  # type: ignore[misc]
        async def on_child_ended(self, ref: ActorRef[Any], reason: ActorEnd) -> None:
            await asyncio.sleep(0)
            self.log.append(reason)

    parent = family(Awaiting, log, 1)
    kids(parent)["1"].stop()
    assert parent.ask(lambda me: me.log[-1]) is ActorEnd.STOPPED
    parent.stop()


def test_on_child_ended_that_raises_is_a_crash(kind: Any) -> None:
    """As a handler of a tell."""
    log: list[Any] = []
    parent = kind.start("parent", log, on_child_ended=crash_of_a_hook)
    child = parent.ask(lambda me: me.start_child(kind, "child", log))
    child.stop()
    assert parent.actor_stopped.wait(10)
    assert parent.how_ended is ActorEnd.CRASHED


def crash_of_a_hook(*_: Any) -> None:
    raise ValueError("boom")


# Ending (A5) ----------------------------------------------------------------------------------------------------

ENDS: dict[str, Callable[[ActorRef[Any]], object]] = {
    "stopped": lambda ref: ref.stop(block=False),
    "aborted": lambda ref: ref.abort(),
    "crashed": lambda ref: ref.tell(crash),
}


@pytest.mark.parametrize("end", ENDS)
def test_children_end_before_their_parent_the_youngest_first(kind: Any, end: str) -> None:
    """However the parent ends; what they had accepted is handled."""
    log: list[Any] = []
    parent = family(kind, log)
    refs = kids(parent)
    refs["2"].tell(lambda me: me.log.append("handled"))
    ENDS[end](parent)
    assert parent.actor_stopped.wait(10)
    assert parent.how_ended == end
    assert not any(ref.is_alive() for ref in refs.values())
    assert [ref.how_ended for ref in refs.values()] == [ActorEnd.STOPPED] * 3
    expected = [("stop", "3"), ("stop", "2"), ("stop", "1"), ("stop", "parent")]
    if end == "crashed":
        expected = [("failure", "parent"), *expected[:3]]
    assert [entry for entry in log if entry[0] in ("stop", "failure")] == expected
    assert "handled" in log
    assert not any(entry[0] == "ended" for entry in log)


@pytest.mark.parametrize("whose", ["parent", "child"])
def test_a_child_that_takes_too_long_is_aborted(kind: Any, whose: str) -> None:
    """After ``stop_timeout`` of the parent, or of its own class; then the parent goes on."""
    log: list[Any] = []
    waiting = Gate()
    quick = type("Quick", (kind,), {"stop_timeout": 0.02})
    parents, childs = (quick, kind) if whose == "parent" else (kind, quick)

    def wait(me: Any) -> None:
        waiting.note()
        me.cancel_token.wait(10)
        me.log.append("cancelled")

    parent = parents.start("parent", log)
    child = parent.ask(lambda me: me.start_child(childs, "child", log))
    child.tell(wait)
    waiting.await_reached()
    parent.stop()
    assert child.how_ended is ActorEnd.ABORTED
    assert log[-3:] == ["cancelled", ("stop", "child"), ("stop", "parent")]


def test_a_child_that_never_looks_is_left_behind(
    kind: Any, gate: Gate, monkeypatch: pytest.MonkeyPatch, log_lines: list[str]
) -> None:
    """Its parent goes on and says so; when it ends after all, nobody is told."""
    monkeypatch.setattr(children, "ABORT_TIMEOUT", 0.02)
    log: list[Any] = []
    parent = type("Quick", (kind,), {"stop_timeout": 0.02}).start("parent", log)
    child = parent.ask(lambda me: me.start_child(kind, "child", log, name="deaf"))
    child.tell(gate.hold)
    gate.await_reached()
    parent.stop()
    assert log[-1] == ("stop", "parent")
    assert child.is_alive()
    assert any("actor deaf has not ended, and actor Quick goes on without it" in line for line in log_lines)
    gate.open()
    assert child.actor_stopped.wait(10)
    assert child.how_ended is ActorEnd.ABORTED
    assert log[-1] == ("stop", "child")


def test_an_abort_takes_the_time_of_those_that_are_left(kind: Any, gates: Callable[[], Gate]) -> None:
    """A parent that waits for its children, and is aborted: they are aborted, too."""
    log: list[Any] = []
    waiting = gates()

    def wait(me: Any) -> None:
        waiting.note()
        me.cancel_token.wait(10)

    parent = family(kind, log)
    refs = kids(parent)
    for ref in (refs["1"], refs["3"]):
        ref.tell(wait)
        waiting.next()
    parent.stop(block=False)
    eventually(lambda: not refs["3"].actor_inbox.is_open)
    parent.abort()
    assert parent.actor_stopped.wait(10)
    assert [refs[name].how_ended for name in "321"] == [ActorEnd.ABORTED] * 3


def test_a_grandchild_ends_before_its_grandparent(kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when the child in between has no time left: it is not left behind while it ends its own."""
    monkeypatch.setattr(children, "ABORT_TIMEOUT", 0.05)
    log: list[Any] = []
    waiting = Gate()
    quick = type("Quick", (kind,), {"stop_timeout": 0.02})

    def wait(me: Any) -> None:
        waiting.note()
        me.cancel_token.wait(10)

    grandparent = quick.start("grandparent", log)
    parent = grandparent.ask(lambda me: me.start_child(kind, "parent", log))
    child = parent.ask(lambda me: me.start_child(kind, "child", log))
    child.tell(wait)
    waiting.await_reached()
    grandparent.stop()
    assert (child.how_ended, parent.how_ended) == (ActorEnd.ABORTED, ActorEnd.STOPPED)
    assert parent.actor_stopped.is_set()
    assert log[-3:] == [("stop", "child"), ("stop", "parent"), ("stop", "grandparent")]


def test_the_children_of_one_that_crashed_end_before_it_is_made_anew(kind: Any) -> None:
    """Its ``on_start`` starts them again, by the same names."""
    log: list[Any] = []
    parents: list[Any] = []

    class Parent(kind):  # type: ignore[misc]
        def on_start(self) -> None:
            super().on_start()
            for number in (1, 2):
                self.start_child(kind, str(number), self.log)

    class Root(kind):  # type: ignore[misc]
        def on_start(self) -> None:
            parents.append(self.start_child(Parent, "parent", self.log, restart=AGAIN))

    root = Root.start("root", log)
    root.ask(None)
    (parent,) = parents
    before = kids(parent)
    assert all(ref.ask(1) == 1 for ref in before.values())  # both have begun
    crashes = [crash]
    parent.tell(lambda me: crashes.pop()(me) if crashes else None)
    after = kids(parent)
    assert list(before) == list(after) == ["Logging-1", "Logging-2"]
    assert not any(ref.is_alive() for ref in before.values())
    assert all(ref.ask(1) == 1 for ref in after.values())
    middle = log[log.index(("failure", "parent")) : log.index(("start", "parent"), 2)]
    assert middle == [("failure", "parent"), ("stop", "2"), ("stop", "1")]
    assert not any(entry[0] == "ended" for entry in log)
    root.stop()
    assert not any(ref.is_alive() for ref in after.values())


def test_a_child_that_asks_its_ending_parent_is_told_at_once(kind: Any, gates: Callable[[], Gate]) -> None:
    """Neither waits for the other until a time has passed."""
    log: list[Any] = []
    gate = gates()

    def ask_parent(me: Any) -> None:
        parent = me.parent
        gate.hold()
        try:
            parent.ask("you", timeout=10)
        except (ActorDead, DeadlockError) as error:
            me.log.append(type(error).__mro__[1 if isinstance(error, ActorDead) else 0])

    parent = family(kind, log, 1)
    child = kids(parent)["1"]
    child.tell(ask_parent)
    gate.await_reached()
    parent.tell(crash)
    eventually(lambda: ("failure", "parent") in log and not parent.actor_inbox.is_open)
    gate.open()
    assert parent.actor_stopped.wait(10)
    assert child.how_ended is ActorEnd.STOPPED
    assert log[-2:] == [ActorDead, ("stop", "1")]


@pytest.mark.parametrize("first", ["child", "parent"])
def test_a_child_that_waits_for_the_end_of_its_parent_is_found(
    kind: Any, first: str, gates: Callable[[], Gate]
) -> None:
    """A circle, whoever of the two waits first."""
    log: list[Any] = []
    gate = gates()

    def stop_parent(me: Any) -> None:
        gate.hold()
        try:
            me.parent.stop()
        finally:
            me.log.append("told")

    parent = family(kind, log, 1)
    child = kids(parent)["1"]
    child.tell(stop_parent)
    gate.await_reached()
    if first == "child":
        in_parent = gates()
        parent.tell(in_parent.hold)
        gate.open()
        eventually(lambda: child._cell.waits)
        in_parent.open()
    else:
        parent.stop(block=False)
        eventually(lambda: not child.actor_inbox.is_open)
        gate.open()
    assert parent.actor_stopped.wait(10)
    assert child.how_ended is (ActorEnd.CRASHED if first == "parent" else ActorEnd.ABORTED)
    assert "told" in log


def test_a_child_that_asks_a_parent_about_to_be_made_anew_is_refused(kind: Any, gates: Callable[[], Gate]) -> None:
    """It would wait for the one that waits for its end: a circle."""
    log: list[Any] = []
    gate = gates()

    def ask_parent(me: Any) -> None:
        gate.hold()
        try:
            me.parent.ask("you", timeout=10)
        except DeadlockError:
            me.log.append("refused")

    class Root(kind):  # type: ignore[misc]
        def on_start(self) -> None:
            self.child = self.start_child(kind, "middle", self.log, restart=AGAIN)

    root = Root.start("root", log)
    middle = root.ask(lambda me: me.child)
    child = middle.ask(lambda me: me.start_child(kind, "child", log))
    child.tell(ask_parent)
    gate.await_reached()
    crashes = [crash]
    middle.tell(lambda me: crashes.pop()(me) if crashes else None)
    eventually(lambda: not child.actor_inbox.is_open)
    gate.open()
    assert middle.ask("alive", timeout=10) == "alive"
    assert log[-3:] == ["refused", ("stop", "child"), ("start", "middle")]
    root.stop()


# Races ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", ["crash", "stop"])
def test_a_child_crashes_while_its_parent_stops(kind: Any, first: str, gates: Callable[[], Gate]) -> None:
    """Whoever is first, the child has ended before its parent."""
    log: list[Any] = []
    in_parent, in_child = gates(), gates()
    parent = family(kind, log, 1)
    child = kids(parent)["1"]
    if first == "crash":
        parent.tell(in_parent.hold)
        in_parent.await_reached()
        child.tell(crash)
        assert child.actor_stopped.wait(10)
        in_parent.open()
        parent.stop()
    else:
        child.tell(in_child.hold)
        child.tell(crash)
        in_child.await_reached()
        parent.stop(block=False)
        eventually(lambda: not child.actor_inbox.is_open)
        in_child.open()
        assert parent.actor_stopped.wait(10)
    assert child.how_ended is ActorEnd.CRASHED
    assert parent.how_ended is ActorEnd.STOPPED
    assert log[-1] == ("stop", "parent")
    assert (("ended", child, ActorEnd.CRASHED) in log) is (first == "crash")


# Many -----------------------------------------------------------------------------------------------------------


class Deep(Actor):
    """Has a child that has a child, and so on."""

    dispatcher = "shared"

    def __init__(self, depth: int, made: list[Any]) -> None:
        super().__init__()
        self.depth, self.made = depth, made

    def on_start(self) -> None:
        if self.depth:
            self.start_child(Deep, self.depth - 1, self.made)
        self.made.append(self.actor_ref)


def test_a_deep_tree_ends() -> None:
    """Without recursion."""
    made: list[Any] = []
    root = Deep.start(1000, made)
    eventually(lambda: len(made) == 1001)
    root.stop()
    assert not any(ref.is_alive() for ref in made)


def test_a_thousand_parents_end_at_once() -> None:
    """No worker is held while their children end: there are far fewer workers."""
    made: list[Any] = []
    roots = [Deep.start(1, made) for _ in range(1000)]
    eventually(lambda: len(made) == 2000)
    ends = [root.stop(block=False) for root in roots]
    assert all(end.get(timeout=20) for end in ends)
    assert not any(ref.is_alive() for ref in made)

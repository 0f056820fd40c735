"""Static trees: started in order, restarted by a strategy, ended in reverse order."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from actors import (
    Actor,
    ActorEnd,
    ChildRestart,
    ChildSpec,
    Dispatcher,
    ReplyFuture,
    Strategy,
    SupervisorRef,
    supervise_all,
)
from actors.core.actors import children
from actors.core.dispatching import dispatcher as dispatching
from actors.core.trees import tree_supervisor
from actors.errors import ActorDead, ActorsError, AgentCrashed, DeadlockError

from ..waiting import Gate, eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

STRATEGIES = list(Strategy)


@pytest.fixture(autouse=True)
def _threads_end_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(dispatching._shared, "shared", Dispatcher(name="shared", linger=0.0))


@pytest.fixture(params=["pinned", "shared"])
def kind(request: pytest.FixtureRequest) -> Any:
    """A class of actors that log what happens to them, and do what they are told to."""

    class Logging(Actor):
        dispatcher = request.param
        inbox_capacity = None

        def __init__(self, name: str, log: list[Any], **hooks: Any) -> None:
            super().__init__()
            self.name, self.log, self.hooks = name, log, hooks
            self.hooks.get("on_init", lambda _: None)(self)

        def on_start(self) -> None:
            self.hooks.get("on_start", lambda _: None)(self)
            self.log.append(("start", self.name))

        def on_stop(self) -> None:
            self.log.append(("stop", self.name))

        def on_failure(self, *_: Any) -> None:
            self.log.append(("failure", self.name))

        def on_receive(self, message: Any) -> Any:
            return message(self) if callable(message) else message

    return Logging


@pytest.fixture
def tree() -> Iterator[Callable[..., SupervisorRef]]:
    """Starts trees, and stops them at the end."""
    made: list[SupervisorRef] = []

    def start(*args: Any, **kwargs: Any) -> SupervisorRef:
        made.append(supervise_all(*args, **kwargs))
        return made[-1]

    yield start
    for ref in made:
        ref.stop()


def specs(kind: Any, log: list[Any], names: str = "abc", restart: Any = "permanent", **hooks: Any) -> list[ChildSpec]:
    return [ChildSpec(kind, (name, log), hooks, name=name, restart=restart) for name in names]


def crash(_: Any) -> None:
    raise ValueError("boom")


def starts(log: list[Any]) -> Counter[str]:
    """How often each was started."""
    return Counter(entry[1] for entry in list(log) if entry[0] == "start")


def follow(log: list[Any], *expected: tuple[str, str]) -> None:
    """Wait until the log says just that, and forget it."""
    eventually(lambda: len(log) >= len(expected))
    assert log == list(expected)
    log.clear()


def downs(*names: str) -> list[tuple[str, str]]:
    return [("stop", name) for name in names]


def ups(*names: str) -> list[tuple[str, str]]:
    return [("start", name) for name in names]


# Beginning and ending -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["stop", "abort"])
def test_a_tree_starts_in_order_and_ends_in_reverse(kind: Any, end: str) -> None:
    """Every ``on_start`` has returned; nothing lives on (A5)."""
    log: list[Any] = []
    ref = supervise_all(specs(kind, log))
    assert isinstance(ref, SupervisorRef)
    assert log == ups("a", "b", "c")
    refs = dict(ref.children)
    assert list(refs) == ["a", "b", "c"]
    assert refs["b"].ask(lambda me: me.parent) is ref
    assert refs["b"].ask("hello") == "hello"
    ref.stop() if end == "stop" else ref.abort()
    assert ref.actor_stopped.wait(10)
    assert log[3:] == downs("c", "b", "a")
    assert not any(child.is_alive() for child in refs.values())
    assert ref.children == {}
    assert ref.how_ended == {"stop": "stopped", "abort": "aborted"}[end]


def test_names_are_made_where_none_are_given(kind: Any, tree: Any) -> None:
    """Around those that are."""
    log: list[Any] = []
    ref = tree([ChildSpec(kind, ("x", log), name="Logging-1"), *(ChildSpec(kind, ("x", log)) for _ in range(2))])
    assert list(ref.children) == ["Logging-1", "Logging-2", "Logging-3"]


@pytest.mark.parametrize("where", ["on_init", "on_start"])
def test_a_child_that_cannot_start_stops_the_start(kind: Any, where: str) -> None:
    """The caller gets its error, once all that was started has ended."""
    log: list[Any] = []
    broken = ChildSpec(kind, ("broken", log), {where: crash})
    with pytest.raises(ValueError, match="boom"):
        supervise_all([*specs(kind, log, "ab"), broken, *specs(kind, log, "c")])
    assert [entry for entry in log if entry[0] != "failure"] == [*ups("a", "b"), *downs("b", "a")]


def test_a_tree_in_a_tree_that_cannot_start_stops_both(kind: Any) -> None:
    """However deep it is."""
    log: list[Any] = []
    inner = ChildSpec.tree("inner", [*specs(kind, log, "b"), ChildSpec(kind, ("broken", log), {"on_start": crash})])
    with pytest.raises(ValueError, match="boom"):
        supervise_all([*specs(kind, log, "a"), ChildSpec.tree("middle", [inner])])
    assert [entry for entry in log if entry[0] != "failure"] == [*ups("a", "b"), *downs("b", "a")]


def test_ctrl_c_during_the_start_leaves_nothing(kind: Any) -> None:
    """It comes out at once, also when ``on_start`` waits."""
    log: list[Any] = []

    def wait(me: Any) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        me.cancel_token.wait(10)
        me.cancel_token.check()

    with pytest.raises(KeyboardInterrupt):
        supervise_all([*specs(kind, log, "ab"), *specs(kind, log, "c", on_start=wait)])
    assert set(log) >= {*ups("a", "b"), *downs("b", "a")}


def test_ctrl_c_as_the_start_is_over_leaves_nothing(kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has got the reference."""
    log: list[Any] = []
    get = ReplyFuture.get

    def interrupted(future: ReplyFuture[Any], *, timeout: float | None = None) -> Any:
        value = get(future, timeout=timeout)
        if threading.current_thread() is threading.main_thread():
            raise KeyboardInterrupt
        return value

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(ReplyFuture, "get", interrupted)
        supervise_all(specs(kind, log, "ab"))
    assert log == [*ups("a", "b"), *downs("b", "a")]


def test_one_of_a_tree_that_waits_for_the_caller_is_found(kind: Any) -> None:
    """A circle: the caller waits for the tree, which waits for the child."""
    log: list[Any] = []

    def begin(me: Any) -> Any:
        caller = me.actor_ref
        return supervise_all(specs(kind, log, "a", on_start=lambda _: caller.ask("you")))

    caller = kind.start("caller", log)
    with pytest.raises(DeadlockError):
        caller.ask(begin, timeout=10)
    caller.stop()


# Restarts (A6) --------------------------------------------------------------------------------------------------


def test_one_for_one_restarts_that_one(kind: Any, tree: Any) -> None:
    """At once, with the same reference and mailbox; what crashed it is not tried again."""
    log: list[Any] = []
    ref = tree(specs(kind, log), "one_for_one")
    refs = dict(ref.children)
    log.clear()
    gate = Gate()
    refs["b"].tell(gate.hold)
    refs["b"].tell(crash)
    kept = refs["b"].ask_future("kept")
    gate.open()
    assert kept.get(timeout=10) == "kept"
    assert log == [("failure", "b"), ("start", "b")]
    assert ref.children == refs


def test_one_for_all_restarts_all(kind: Any, tree: Any) -> None:
    """Down in reverse order, up in order; references and what they had accepted stay."""
    log: list[Any] = []
    ref = tree(specs(kind, log), Strategy.ONE_FOR_ALL)
    refs = dict(ref.children)
    log.clear()
    refs["b"].tell(crash)
    follow(log, ("failure", "b"), *downs("c", "a"), *ups("a", "b", "c"))
    assert [child.ask(name) for name, child in refs.items()] == ["a", "b", "c"]
    assert ref.children == refs
    assert log == []


def test_rest_for_one_restarts_those_after_it(kind: Any, tree: Any) -> None:
    """And no others."""
    log: list[Any] = []
    ref = tree(specs(kind, log, "abcd"), "rest_for_one")
    refs = dict(ref.children)
    log.clear()
    refs["b"].tell(crash)
    follow(log, ("failure", "b"), *downs("d", "c"), *ups("b", "c", "d"))
    refs["d"].tell(crash)
    follow(log, ("failure", "d"), *ups("d"))
    assert ref.children == refs


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_whoever_has_ended_for_good_gets_another_reference(kind: Any, tree: Any, strategy: Strategy) -> None:
    """A permanent child that was stopped; ``children`` keeps its order, and so does the end."""
    log: list[Any] = []
    ref = tree(specs(kind, log), strategy)
    before = dict(ref.children)
    before["b"].stop()
    eventually(lambda: starts(log)["b"] == 2 and list(ref.children) == ["a", "b", "c"])
    after = dict(ref.children)
    assert after["b"] is not before["b"]
    assert [child.ask("hello") for child in after.values()] == ["hello"] * 3
    assert (after["a"], after["c"]) == (before["a"], before["c"])
    assert not before["b"].is_alive()
    log.clear()
    ref.stop()
    assert log == downs("c", "b", "a")


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("end", ["stopped", "aborted", "crashed"])
@pytest.mark.parametrize("restart", list(ChildRestart))
def test_the_kind_of_a_child_says_after_which_ends_it_starts_again(
    kind: Any, tree: Any, restart: ChildRestart, end: str, strategy: Strategy
) -> None:
    """Permanent: after each; transient: after a crash or an abort; temporary: never."""
    log: list[Any] = []
    ref = tree([*specs(kind, log, "a"), *specs(kind, log, "b", restart)], strategy)
    child = ref.children["b"]
    {"stopped": child.stop, "aborted": child.abort, "crashed": lambda: child.tell(crash)}[end]()
    again = restart == "permanent" or (restart == "transient" and end != "stopped")
    if again:
        eventually(lambda: starts(log)["b"] == 2 and ref.children.get("b") is not None)
        assert ref.children["b"].ask("hello", timeout=10) == "hello"
    else:
        assert child.actor_stopped.wait(10)
        eventually(lambda: list(ref.children) == ["a"])
        assert ref.children["a"].ask("hello") == "hello"
    assert starts(log) == {"a": 1 + (again and strategy is Strategy.ONE_FOR_ALL), "b": 1 + again}
    assert ref.is_alive()


def test_a_temporary_child_ends_with_the_others_and_does_not_come_back(kind: Any, tree: Any) -> None:
    """As in OTP."""
    log: list[Any] = []
    ref = tree([*specs(kind, log, "a"), *specs(kind, log, "b", "temporary"), *specs(kind, log, "c")], "one_for_all")
    log.clear()
    ref.children["c"].tell(crash)
    follow(log, ("failure", "c"), *downs("b", "a"), *ups("a", "c"))
    assert list(ref.children) == ["a", "c"]


def test_one_that_does_not_come_down_in_time_is_replaced(
    kind: Any, tree: Any, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is aborted, or left behind; there is another one, with a reference of its own."""
    monkeypatch.setattr(children, "ABORT_TIMEOUT", 0.02)
    log: list[Any] = []
    quick = type("Quick", (kind,), {"stop_timeout": 0.02})
    ref = tree(specs(quick, log), "one_for_all")
    before = dict(ref.children)
    before["a"].tell(lambda me: me.cancel_token.wait(10))
    before["c"].tell(gate.hold)
    gate.await_reached()
    before["b"].tell(crash)
    eventually(lambda: starts(log) == dict.fromkeys("abc", 2))
    after = dict(ref.children)
    assert [after[name] is before[name] for name in "abc"] == [False, True, False]
    assert [after[name].ask(name) for name in "abc"] == ["a", "b", "c"]
    assert before["a"].how_ended is ActorEnd.ABORTED
    gate.open()
    assert before["c"].actor_stopped.wait(10)
    assert ref.children == after
    assert starts(log) == dict.fromkeys("abc", 2)


def test_timers_that_on_stop_sets_end_with_the_restart(kind: Any, tree: Any) -> None:
    """They are those of the actor that was, as all its timers are."""
    timers: list[Any] = []

    class Late(kind):  # type: ignore[misc]
        def on_stop(self) -> None:
            timers.append(self.tell_later(60.0, "late"))

    ref = tree([ChildSpec(Late, ("a", []), name="a"), ChildSpec(kind, ("b", []), name="b")], "one_for_all")
    ref.children["b"].tell(crash)
    eventually(lambda: timers)
    assert ref.children["a"].ask("there?") == "there?"
    assert not timers[0].active


def test_those_that_wait_for_one_that_crashed_come_down_at_once(kind: Any, tree: Any, gates: Any) -> None:
    """Their asks are refused, as they hold up what would answer them; they keep their references and mailboxes."""
    log: list[Any] = []
    refused: list[Any] = []
    gate, asking = gates(), gates()
    ref = tree(specs(kind, log), "one_for_all")
    refs = dict(ref.children)

    def ask_a(_: Any) -> None:
        asking.note()
        try:
            refs["a"].ask("you")
        except ActorsError as error:
            refused.append(type(error))

    refs["a"].tell(gate.hold)
    refs["a"].tell(crash)
    refs["c"].tell(ask_a)
    refs["c"].tell(lambda me: log.append("kept"))
    asking.await_reached()
    eventually(lambda: len(refs["a"].actor_inbox) == 2)
    gate.open()
    eventually(lambda: "kept" in log)
    assert issubclass(refused[0], ActorDead)
    assert ref.children == refs
    assert starts(log) == dict.fromkeys("abc", 2)


def test_children_of_a_child_end_when_it_is_restarted_with_another(kind: Any, tree: Any) -> None:
    """Before it is made anew (A5)."""
    log: list[Any] = []

    class Parent(kind):  # type: ignore[misc]
        def on_start(self) -> None:
            super().on_start()
            self.start_child(kind, "child", self.log)

    ref = tree([ChildSpec(Parent, ("parent", log), name="parent"), *specs(kind, log, "b")], "one_for_all")
    child = ref.children["parent"].ask(lambda me: me.children["Logging-1"])
    eventually(lambda: len(log) == 3)
    log.clear()
    ref.children["b"].tell(crash)
    eventually(lambda: starts(log) == {"parent": 1, "child": 1, "b": 1})
    assert log[:3] == [("failure", "b"), *downs("child", "parent")]
    assert not child.is_alive()


def test_hooks_may_be_coroutines(kind: Any, tree: Any) -> None:
    """Each is over before the next child starts or comes down."""
    log: list[Any] = []

    class Later(kind):  # type: ignore[misc]
        async def on_start(self) -> None:
            await asyncio.sleep(0)
            super().on_start()

        async def on_stop(self) -> None:
            await asyncio.sleep(0)
            super().on_stop()

    ref = tree(specs(Later, log), "one_for_all")
    assert log == ups("a", "b", "c")
    log.clear()
    ref.children["b"].tell(crash)
    follow(log, ("failure", "b"), *downs("c", "a"), *ups("a", "b", "c"))
    with pytest.raises(ValueError, match="boom"):
        supervise_all([*specs(Later, log, "x"), *specs(Later, log, "y", on_start=crash)])
    assert log[:1] + log[-1:] == [*ups("x"), *downs("x")]


def test_what_was_stashed_stays_over_a_restart_and_timers_do_not(kind: Any, tree: Any) -> None:
    """Of the one that crashed, and of one that is restarted with it."""
    log: list[Any] = []

    class Stashing(kind):  # type: ignore[misc]
        is_open = False

        def on_receive(self, message: Any) -> Any:
            if message == "kept" and not self.is_open:
                self.timer = self.tell_later(60.0, "tick")
                return self.stash()
            if message == "open":
                self.is_open = True
                self.unstash_all()
            return super().on_receive(message)

    ref = tree(specs(Stashing, log, "ab"), "one_for_all")
    refs = dict(ref.children)
    kept = [child.ask_future("kept") for child in refs.values()]
    timers = [child.ask(lambda me: me.timer) for child in refs.values()]
    assert [timer.active for timer in timers] == [True, True]
    refs["a"].tell(crash)
    eventually(lambda: starts(log) == {"a": 2, "b": 2})
    assert [timer.active for timer in timers] == [False, False]
    assert not any(future.done() for future in kept)
    for child in refs.values():
        child.tell("open")
    assert [future.get(timeout=10) for future in kept] == ["kept", "kept"]


# Too many restarts (A7) -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("limit", [0, 2])
def test_a_tree_that_needs_more_restarts_ends(kind: Any, limit: int, strategy: Strategy) -> None:
    """A crash, that names the child and its error."""
    log: list[Any] = []
    watched = Gate()
    ref = supervise_all(specs(kind, log), strategy, max_restarts=limit, window=60.0)
    ref.watch(watched.note)
    refs = dict(ref.children)
    for number in range(limit + 1):
        refs["b"].tell(crash)
        if number < limit:
            eventually(lambda n=number: starts(log)["b"] == n + 2)  # type: ignore[misc]
    assert watched.next() is ref
    assert ref.how_ended is ActorEnd.CRASHED
    assert isinstance(ref.error, AgentCrashed)
    assert "restarts_used_up: child 'b' crashed (ValueError: boom)" in str(ref.error)
    assert isinstance(ref.error.__cause__, AgentCrashed)
    assert ref.error.__cause__.type_name == "ValueError"
    assert starts(log)["b"] == limit + 1
    assert log[-2:] == downs("c", "a")
    assert not any(child.is_alive() for child in refs.values())
    assert refs["b"].how_ended is ActorEnd.CRASHED


def test_stops_of_permanent_children_count(kind: Any) -> None:
    """Also where nothing has crashed."""
    log: list[Any] = []
    ref = supervise_all(specs(kind, log, "a"), max_restarts=0)
    ref.children["a"].stop()
    assert ref.actor_stopped.wait(10)
    assert "restarts_used_up: child 'a' ended (stopped)" in str(ref.error)


class Hand:
    """A clock that a test moves."""

    time = 0.0

    def monotonic(self) -> float:
        """The time."""
        return self.time


def test_restarts_come_back_with_the_window(kind: Any, tree: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """At most so many within any of them."""
    clock = Hand()
    monkeypatch.setattr(tree_supervisor, "SYSTEM_CLOCK", clock)
    log: list[Any] = []
    ref = tree(specs(kind, log, "a"), max_restarts=2, window=10.0)
    child = ref.children["a"]
    for clock.time in (0.0, 9.0, 10.0, 19.0, 20.0):
        child.tell(crash)
        assert child.ask("alive", timeout=10) == "alive"
    clock.time = 28.9
    child.tell(crash)
    assert ref.actor_stopped.wait(10)
    assert starts(log)["a"] == 6


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("where", ["on_init", "on_start"])
@pytest.mark.parametrize("stopped", [False, True])
def test_one_that_cannot_start_again_uses_up_the_restarts(
    kind: Any, where: str, strategy: Strategy, stopped: bool
) -> None:
    """Each try is one."""
    log: list[Any] = []
    tries: list[int] = []

    def fail_later(_: Any) -> None:
        tries.append(1)
        if len(tries) > 1:
            crash(_)

    ref = supervise_all([*specs(kind, log, "a"), *specs(kind, log, "b", **{where: fail_later})], strategy)
    child = ref.children["b"]
    child.stop() if stopped else child.tell(crash)
    assert ref.actor_stopped.wait(10)
    assert len(tries) == 4
    assert "child 'b' crashed (ValueError: boom)" in str(ref.error)
    assert log[-1] == ("stop", "a")


def test_a_tree_that_gives_up_is_a_crash_for_its_own_tree(kind: Any, tree: Any) -> None:
    """Escalation: it is made anew with the same reference; and so up to the root."""
    log: list[Any] = []
    inner = ChildSpec.tree("inner", specs(kind, log, "bc"), "one_for_all", max_restarts=0)
    ref = tree([*specs(kind, log, "a"), inner], max_restarts=1)
    tree_in_it = ref.children["inner"]
    assert isinstance(tree_in_it, SupervisorRef)
    assert log == ups("a", "b", "c")
    log.clear()
    tree_in_it.children["b"].tell(crash)
    follow(log, ("failure", "b"), *downs("c"), *ups("b", "c"))
    assert ref.children["inner"] is tree_in_it
    eventually(lambda: list(tree_in_it.children) == ["b", "c"])
    tree_in_it.children["c"].tell(crash)
    assert ref.actor_stopped.wait(10)
    assert "child 'inner' crashed" in str(ref.error)
    assert "child 'c' crashed (ValueError: boom)" in str(ref.error)
    assert log == [("failure", "c"), *downs("b", "a")]


def test_a_tree_in_a_tree_is_restarted_in_order(kind: Any, tree: Any) -> None:
    """With all its children: it is up when they are."""
    log: list[Any] = []
    inner = ChildSpec(supervise_all, (specs(kind, log, "bc"),), {"strategy": "rest_for_one"}, name="inner")
    ref = tree([*specs(kind, log, "a"), inner, *specs(kind, log, "d")], "one_for_all")
    assert log == ups("a", "b", "c", "d")
    log.clear()
    ref.children["a"].tell(crash)
    follow(log, ("failure", "a"), *downs("d", "c", "b"), *ups("a", "b", "c", "d"))
    ref.children["inner"].stop()
    eventually(lambda: len(log) == 8)
    assert log == [*downs("c", "b", "d", "a"), *ups("a", "b", "c", "d")]


# Races ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("strategy", [Strategy.ONE_FOR_ALL, Strategy.REST_FOR_ONE])
@pytest.mark.parametrize("when", ["down", "up"])
def test_another_crashes_while_a_restart_is_under_way(
    kind: Any, tree: Any, strategy: Strategy, when: str, gates: Callable[[], Gate]
) -> None:
    """One that crashes before it was brought down is part of that restart; later, it is another one."""
    log: list[Any] = []
    holding, starting = gates(), gates()
    lives = Counter[str]()

    def on_start(me: Any) -> None:
        lives[me.name] += 1
        if me.name == "c" and lives["c"] == 2 and when == "up":
            starting.hold()

    ref = tree(specs(kind, log, on_start=on_start), strategy, max_restarts=5)
    refs = dict(ref.children)
    if when == "down":
        refs["c"].tell(lambda me: (holding.hold(), crash(me)))
        holding.await_reached()
        refs["b"].tell(crash)
        eventually(lambda: refs["c"].actor_inbox.empty() is False)  # it is told to come down
        holding.open()
        eventually(lambda: starts(log)["c"] == 2)
        assert starts(log) == {"a": 2 if strategy is Strategy.ONE_FOR_ALL else 1, "b": 2, "c": 2}
    else:
        refs["a"].tell(crash)
        starting.await_reached()
        refs["b"].tell(crash)
        eventually(lambda: ("failure", "b") in log)
        starting.open()
        eventually(lambda: starts(log)["c"] == 3)
        assert starts(log) == {"a": 3 if strategy is Strategy.ONE_FOR_ALL else 2, "b": 3, "c": 3}
    assert [refs[name].ask(name, timeout=10) for name in "abc"] == ["a", "b", "c"]
    assert ref.children == refs


@pytest.mark.parametrize("first", ["crash", "stop"])
def test_a_child_crashes_while_the_tree_stops(kind: Any, first: str, gates: Callable[[], Gate]) -> None:
    """Whoever is first, everybody ends, and nobody is started again after that."""
    log: list[Any] = []
    starting, holding = gates(), gates()
    lives: list[int] = []

    def on_start(me: Any) -> None:
        if me.name == "b":
            lives.append(1)
            if len(lives) == 2:
                starting.hold()

    ref = supervise_all(specs(kind, log, on_start=on_start), "one_for_all")
    refs = dict(ref.children)
    if first == "crash":
        refs["b"].tell(crash)
        starting.await_reached()
        ref.stop(block=False)
        eventually(lambda: not ref.actor_inbox.is_open)
        starting.open()
    else:
        refs["b"].tell(lambda me: (holding.hold(), crash(me)))
        holding.await_reached()
        ref.stop(block=False)
        eventually(lambda: not refs["b"].actor_inbox.is_open)
        holding.open()
    assert ref.actor_stopped.wait(10)
    assert ref.how_ended is ActorEnd.STOPPED
    assert not any(child.is_alive() for child in refs.values())
    assert starts(log)["b"] == (2 if first == "crash" else 1)
    assert refs["b"].how_ended is (ActorEnd.STOPPED if first == "crash" else ActorEnd.CRASHED)


def test_a_stop_while_a_child_starts_again_ends_the_tree(kind: Any, gates: Callable[[], Gate]) -> None:
    """One whose ``on_start`` waits for its cancel does not hold up the tree for longer than its time."""
    log: list[Any] = []
    starting = gates()
    lives: list[int] = []

    def on_start(me: Any) -> None:
        lives.append(1)
        if len(lives) == 2:
            starting.note()
            me.cancel_token.wait(10)

    quick = type("Quick", (kind,), {"stop_timeout": 0.02})
    ref = supervise_all([*specs(kind, log, "a"), *specs(quick, log, "b", on_start=on_start)], "one_for_all")
    ref.children["a"].tell(crash)
    starting.await_reached()
    ref.stop()
    assert ref.how_ended is ActorEnd.STOPPED


# Many -----------------------------------------------------------------------------------------------------------


class Plain(Actor):
    """Crashes when it is told to."""

    dispatcher = "shared"

    def __init__(self, started: list[Any] | None = None) -> None:
        super().__init__()
        self.started = started

    def on_start(self) -> None:
        if self.started is not None:
            self.started.append(1)

    def on_receive(self, message: Any) -> Any:
        return message(self) if callable(message) else message


@pytest.mark.parametrize(("strategy", "count"), [("one_for_one", 1000), ("one_for_all", 200), ("rest_for_one", 200)])
def test_many_children_crash_at_once(tree: Any, strategy: Strategy, count: int) -> None:
    """All are there again."""
    started: list[Any] = []
    ref = tree([ChildSpec(Plain, (started,)) for _ in range(count)], strategy, max_restarts=100_000)
    refs = dict(ref.children)
    for child in refs.values():
        child.tell(crash)
    assert all(child.ask("alive", timeout=30) == "alive" for child in refs.values())
    assert len(started) >= 2 * count
    assert ref.children == refs


def test_many_that_crash_at_once_end_a_tree_once() -> None:
    """With as many restarts as it has, at most (A7)."""
    started: list[Any] = []
    ref = supervise_all([ChildSpec(Plain, (started,)) for _ in range(200)], max_restarts=10, window=60.0)
    refs = dict(ref.children)
    for child in refs.values():
        try:
            child.tell(crash)
        except ActorDead:
            break
    assert ref.actor_stopped.wait(20)
    assert not any(child.is_alive() for child in refs.values())
    assert len(started) <= 210


def test_trees_may_be_deep() -> None:
    """Neither their check nor their start nor their end recurses."""
    started: list[Any] = []
    spec = ChildSpec(Plain, (started,))
    for number in range(1000):
        spec = ChildSpec.tree(f"level {number}", [spec])
    ref = supervise_all([spec])
    assert started == [1]
    ref.stop()


def test_many_trees_start_at_once_from_handlers() -> None:
    """No wait of theirs holds a worker."""

    class Caller(Plain):
        dispatcher = "pinned"

    callers = [Caller.start() for _ in range(20)]
    futures = [one.ask_future(lambda _: supervise_all([ChildSpec(Plain) for _ in range(5)])) for one in callers]
    trees = [future.get(timeout=20) for future in futures]
    assert all(len(one.children) == 5 for one in trees)
    for one in [*trees, *callers]:
        one.stop(block=False)
    for one in [*trees, *callers]:
        one.stop()


# Bad input ------------------------------------------------------------------------------------------------------


def held_by_itself() -> list[ChildSpec]:
    found: list[ChildSpec] = []
    found.append(ChildSpec.tree("middle", [ChildSpec(supervise_all, (found,), name="again")]))
    return found


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: supervise_all([]), ValueError, "at least one ChildSpec"),
        (lambda: supervise_all(7), TypeError, "a list of ChildSpec"),  # type: ignore[arg-type]
        (lambda: supervise_all(ChildSpec(Plain)), TypeError, "a list of ChildSpec"),  # type: ignore[arg-type]
        (lambda: supervise_all([Plain]), TypeError, "this one holds"),  # type: ignore[list-item]
        (lambda: supervise_all([ChildSpec(Plain)], "all_for_one"), ValueError, '"rest_for_one"; got'),  # type: ignore[arg-type]
        (lambda: supervise_all([ChildSpec(Plain)], None), ValueError, "strategy"),  # type: ignore[arg-type]
        (lambda: supervise_all([ChildSpec(Plain)], max_restarts=-1), ValueError, "max_restarts"),
        (lambda: supervise_all([ChildSpec(Plain)], max_restarts=1.5), TypeError, "max_restarts"),  # type: ignore[arg-type]
        (lambda: supervise_all([ChildSpec(Plain)], window=0), ValueError, "window"),
        (lambda: supervise_all([ChildSpec(Plain)], window=float("nan")), ValueError, "window"),
        (lambda: supervise_all([ChildSpec(Plain)], window="5"), TypeError, "window"),  # type: ignore[arg-type]
        (lambda: supervise_all([ChildSpec(Plain, name="a")] * 2), ValueError, "two children of a tree are named 'a'"),
        (lambda: supervise_all(held_by_itself()), ValueError, "'again' holds itself"),
        (lambda: supervise_all([ChildSpec.tree("t", [])]), ValueError, "at least one ChildSpec"),
        (lambda: supervise_all([ChildSpec.tree("t", [ChildSpec(Plain)], "any")]), ValueError, "strategy"),  # type: ignore[arg-type]
        (lambda: supervise_all([ChildSpec(supervise_all, name="t")]), TypeError, "'t' needs what supervise_all takes"),
        (lambda: ChildSpec(object), TypeError, "subclass of actors.Actor"),
        (lambda: ChildSpec(Plain, "ab"), TypeError, "must be a tuple"),  # type: ignore[arg-type]
        (lambda: ChildSpec(Plain, kwargs=3), TypeError, "must be a dict"),  # type: ignore[arg-type]
        (lambda: ChildSpec(Plain, name=3), TypeError, "must be a str"),  # type: ignore[arg-type]
        (lambda: ChildSpec(Plain, name=""), ValueError, "must not be empty"),
        (lambda: ChildSpec(Plain, restart="always"), ValueError, '"permanent", "transient", "temporary"; got'),  # type: ignore[arg-type]
    ],
)
def test_a_tree_that_is_wrong_is_refused(call: Any, error: type[Exception], text: str) -> None:
    """Before anything is started: also when only the last child of the last tree is."""
    before = threading.active_count()
    with pytest.raises(error, match=text):
        call()
    assert threading.active_count() <= before


def test_a_list_may_be_used_twice_side_by_side(tree: Any) -> None:
    """That is no circle."""
    inside = [ChildSpec(Plain, name="x")]
    ref = tree([ChildSpec.tree("one", inside), ChildSpec.tree("two", inside)])
    assert [list(one.children) for one in ref.children.values()] == [["x"], ["x"]]


def test_a_tree_handles_no_messages(tree: Any, log_lines: list[str]) -> None:
    """Who asks is told so; a tell is in the log, and harms nobody."""
    ref = tree([ChildSpec(Plain, name="x")])
    with pytest.raises(NotImplementedError, match="supervises a tree"):
        ref.ask("hello")
    ref.tell("hello")
    eventually(lambda: any("handles no messages (str)" in line for line in log_lines))
    assert ref.children["x"].ask(1) == 1

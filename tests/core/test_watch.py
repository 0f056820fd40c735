"""Being told of the end of an actor."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from actors import ActorDead, Agent, AgentManifest, SpawnConfig

from ..process.program import run
from .troupe import FOR_EVER, Bomb, Player, again, failing, rests

pytestmark = pytest.mark.usefixtures("each_dispatcher")


class Notes:
    """What a watcher saw, each time it was called."""

    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []
        self.called = threading.Event()

    def __call__(self, ref: Any) -> None:
        try:
            ref.tell("too late")
            refused = False
        except ActorDead:
            refused = True
        self.seen.append(
            {
                "ref": ref,
                "alive": ref.is_alive(),
                "stopped": ref.actor_stopped.is_set(),
                "refused": refused,
                "how": ref.how_ended,
                "letters": [letter.message for letter in ref.dead_letters],
                "thread": threading.get_ident(),
            }
        )
        self.called.set()


def bring_to_its_end(ref: Any, how: str) -> None:
    """End it that way."""
    if how == "stop":
        ref.stop(block=False)
    elif how == "abort":
        ref.abort("enough")
    elif how == "crash":
        ref.tell(Bomb(1000))


@pytest.mark.parametrize("how", ["stop", "abort", "crash"])
def test_it_is_called_once_after_the_cleanup(started: Any, gates: Any, how: str) -> None:
    """The hooks are done, the mailbox is closed, the event set, how it ended known, the dead letters there."""
    diary: list[Any] = []
    work, cleanup = gates(), gates()
    hook = {"failure" if how == "crash" else "stop": lambda _: cleanup.hold()}
    ref = started(Player, diary, **hook)
    notes, seen_words = Notes(), []
    ref.watch(notes)
    ref.watch(lambda _: seen_words.append(diary[-1][1]))
    thread = ref.ask(lambda _: threading.get_ident(), timeout=10)
    ref.tell(work.hold)
    work.await_reached()
    bring_to_its_end(ref, how)
    if how == "crash":
        ref.tell("unread")
    work.open()
    cleanup.await_reached()
    assert notes.seen == []
    cleanup.open()
    assert notes.called.wait(10)
    ref._cell.ended.get(timeout=10)
    (seen,) = notes.seen
    assert seen == {
        "ref": ref,
        "alive": False,
        "stopped": True,
        "refused": True,
        "how": {"stop": "stopped", "abort": "aborted", "crash": "crashed"}[how],
        "letters": ["unread"] if how == "crash" else [],
        "thread": thread,
    }
    assert seen_words == ["failure" if how == "crash" else "stop"]


def test_one_that_is_dead_is_told_of_at_once(started: Any) -> None:
    """In the thread that asks, before watch returns; each watch once."""
    ref = started()
    ref.stop(timeout=10)
    notes = Notes()
    forget = ref.watch(notes)
    assert [seen["thread"] for seen in notes.seen] == [threading.get_ident()]
    forget()
    ref.watch(notes)
    assert len(notes.seen) == 2


def test_a_restart_is_no_end(supervised: Any) -> None:
    """Neither is poison; the end is."""
    ref = supervised(restart=again(2))
    notes = Notes()
    ref.watch(notes)
    ref.tell(Bomb(2))
    ref.tell(Bomb(1000))
    assert ref.ask(lambda me: me.life, timeout=10) == 3
    assert notes.seen == []
    ref.stop(timeout=10)
    ref._cell.ended.get(timeout=10)
    assert [seen["how"] for seen in notes.seen] == ["stopped"]


def test_the_end_of_one_that_cannot_start_any_more(supervised: Any) -> None:
    """Is told like any other, with the restarts used up."""
    notes = Notes()
    ref = supervised(restart=again(2), start=failing(1000))
    ref.watch(notes)
    assert notes.called.wait(10)
    ref._cell.ended.get(timeout=10)
    assert [seen["how"] for seen in notes.seen] == ["crashed"]


def test_an_abort_in_a_backoff_is_told(supervised: Any, eventually: Any) -> None:
    """Once, at once."""
    notes = Notes()
    ref = supervised(restart=again(2, backoff=FOR_EVER))
    ref.watch(notes)
    bomb = Bomb(1000)
    ref.tell(bomb)
    eventually(lambda: rests(ref))
    assert notes.seen == []
    ref.abort()
    assert notes.called.wait(10)
    ref._cell.ended.get(timeout=10)
    assert [(seen["how"], seen["letters"]) for seen in notes.seen] == [("aborted", [bomb])]


def test_each_of_many_threads_that_watch_while_it_ends_is_told_once(started: Any) -> None:
    """Whoever comes before, during or after the end."""
    for _ in range(20):
        ref = started()
        calls: list[int] = []
        line = threading.Barrier(9)

        def watch(number: int, ref: Any = ref, calls: Any = calls, line: Any = line) -> None:
            line.wait(10)
            for n in range(20):
                ref.watch(lambda _, key=number * 100 + n: calls.append(key))

        threads = [threading.Thread(target=watch, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        line.wait(10)
        ref.stop(block=False)
        for thread in threads:
            thread.join(10)
        ref._cell.ended.get(timeout=10)
        assert sorted(calls) == sorted(number * 100 + n for number in range(8) for n in range(20))


def test_forgotten_it_is_not_called(started: Any) -> None:
    """The others are; forgetting twice, or after the end, does nothing; the same function may watch twice."""
    ref = started()
    first, second = Notes(), Notes()
    forget = ref.watch(first)
    once = ref.watch(second)
    ref.watch(second)
    forget()
    forget()
    once()
    ref.stop(timeout=10)
    ref._cell.ended.get(timeout=10)
    assert (len(first.seen), len(second.seen)) == (0, 1)
    forget()


@pytest.mark.parametrize("error", [ValueError, SystemExit, KeyboardInterrupt, GeneratorExit])
def test_one_that_raises_harms_nobody(started: Any, log_lines: list[str], error: type[BaseException]) -> None:
    """It is logged; the watchers after it are called, and whoever waits for the end is woken."""
    ref = started()
    notes = Notes()

    def fail(_: Any) -> None:
        raise error("in the watcher")

    ref.watch(fail)
    ref.watch(notes)
    assert ref.stop(timeout=10) is True
    ref._cell.ended.get(timeout=10)
    assert len(notes.seen) == 1
    assert sum("in the watcher" in line for line in log_lines) == 1


def test_who_waited_for_the_end_finds_the_watchers_called(started: Any, gate: Any) -> None:
    """They come before a stop() returns; the actor counts as ended meanwhile."""
    ref = started()
    notes = Notes()
    ref.watch(gate.hold)
    ref.watch(notes)
    stopping = ref.stop(block=False)
    gate.await_reached()
    assert not ref.is_alive()
    assert not stopping.done()
    gate.open()
    assert stopping.get(timeout=10) is True
    assert len(notes.seen) == 1


def test_a_watcher_may_stop_the_one_that_ended(started: Any) -> None:
    """It is dead: nothing to wait for, so False at once, and no circle."""
    ref = started()
    answers: list[Any] = []

    def stop(dead: Any) -> None:
        try:
            answers.append(dead.stop(timeout=2))
        except BaseException as error:
            answers.append(error)

    ref.watch(stop)
    ref.stop(block=False)
    ref._cell.ended.get(timeout=10)
    assert answers == [False]


def test_a_watcher_may_start_another(started: Any, supervised: Any) -> None:
    """A supervisor of one's own: in its place, with its dead letters."""
    ref = started()
    successors: list[Any] = []
    ready = threading.Event()

    def replace(dead: Any) -> None:
        new = supervised()
        for letter in dead.dead_letters:
            new.tell(letter.message)
        successors.append(new)
        ready.set()

    ref.watch(replace)
    ref.tell(Bomb(1000))
    assert ready.wait(10)
    assert successors[0].ask("alive", timeout=10) == "alive"


@pytest.mark.parametrize("how", ["stop", "abort", "crash"])
def test_a_watcher_may_ask_others(started: Any, how: str) -> None:
    """It is not the actor that ended: its abort does not cancel what the watcher waits for."""
    other, ref = started(), started()
    answers: list[Any] = []
    done = threading.Event()

    def ask(_: Any) -> None:
        try:
            answers.append(other.ask("how are you", timeout=10))
        except BaseException as error:
            answers.append(error)
        done.set()

    ref.watch(ask)
    bring_to_its_end(ref, how)
    assert done.wait(10)
    assert answers == ["how are you"]


@pytest.mark.process
def test_the_end_of_the_program_waits_for_watchers(each_dispatcher: str) -> None:
    """Some seconds: one that has begun is not cut off in the middle."""
    done = run(
        f"""
import threading
from actors import Actor
def told(ref):
    print("begun", flush=True)
    threading.Event().wait(0.2)
    print("told", ref.how_ended, flush=True)
Actor.dispatcher = "{each_dispatcher}"
Actor.start().watch(told)
"""
    )
    assert done.clean() == ["begun", "told aborted"]


def test_watching_itself_and_each_other(started: Any) -> None:
    """From inside a handler."""
    left, right = started(), started()
    left_notes, right_notes = Notes(), Notes()
    left.ask(lambda me: me.actor_ref.watch(left_notes) and None, timeout=10)
    left.ask(lambda _: right.watch(right_notes) and None, timeout=10)
    left.stop(timeout=10)
    left._cell.ended.get(timeout=10)
    assert (len(left_notes.seen), len(right_notes.seen)) == (1, 0)
    right.stop(timeout=10)
    right._cell.ended.get(timeout=10)
    assert len(right_notes.seen) == 1


def test_what_cannot_be_called_is_refused_at_once(started: Any) -> None:
    """Not at the end, in a log line that nobody links to this call."""
    with pytest.raises(TypeError):
        started().watch("no function")


def test_an_agent_is_watched_like_an_actor(make_pool: Any, log_lines: list[str]) -> None:
    """Once, after its end; at once when it has ended; one that raises is logged; and it can be forgotten."""

    class Reader(Agent[Any]):
        def run(self, query: Any) -> Any:
            found.append(self.actor_ref)
            begun.set()
            return self.receive().content

    found: list[Any] = []
    begun = threading.Event()
    pool = make_pool()
    handle = pool.spawn(SpawnConfig(AgentManifest(name="reader"), "", agent=Reader))
    assert begun.wait(10)
    (ref,) = found
    seen: list[Any] = []
    told = threading.Event()

    def watcher(watched: Any) -> None:
        seen.append((watched, watched.is_alive(), handle.done()))
        told.set()

    ref.watch(Bomb(1000))
    ref.watch(watcher)
    assert seen == []
    ref.tell("go")
    assert handle.result(10) == "go"
    assert told.wait(10)
    ref.watch(watcher)
    assert seen == [(ref, False, True)] * 2
    assert sum("boom" in line for line in log_lines) == 1


def test_watching_an_agent_can_be_forgotten(make_pool: Any) -> None:
    """As for an actor: watch answers the function that forgets."""

    class Reader(Agent[Any]):
        def run(self, query: Any) -> Any:
            found.append(self.actor_ref)
            begun.set()
            return self.receive().content

    found: list[Any] = []
    begun = threading.Event()
    pool = make_pool()
    pool.spawn(SpawnConfig(AgentManifest(name="reader"), "", agent=Reader))
    assert begun.wait(10)
    seen: list[Any] = []
    forget = found[0].watch(seen.append)
    assert callable(forget)
    forget()
    found[0].stop(timeout=10)
    pool.close()
    assert seen == []

"""The end of the program: what is open is aborted, cleanups run, and the exit never hangs."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
from typing import Any

import pytest

from actors import Actor
from actors.core.process import at_exit as at_exit_module
from actors.core.process.at_exit import AtExit, at_exit


def program(text: str, *, timeout: float = 20) -> subprocess.CompletedProcess[str]:
    """Run *text* in a new interpreter, with a hard bound."""
    return subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, timeout=timeout, check=False)


# In this process ------------------------------------------------------------------------------------------------


class Open:
    """Something that can be stopped."""

    def __init__(self, *, fails: bool = False, told: list[str] | None = None) -> None:
        self.stops = 0
        self.fails = fails
        self.told = [] if told is None else told

    def mark_at_exit(self) -> None:
        self.told.append("mark")
        if self.fails:
            raise RuntimeError("cannot be marked")

    def abort_at_exit(self) -> None:
        self.told.append("abort")
        if self.fails:
            raise RuntimeError("cannot be aborted")

    def end_at_exit(self) -> None:
        self.told.append("end")
        self.stops += 1
        if self.fails:
            raise RuntimeError("cannot stop")


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> AtExit:
    """An exit hook of the test's own, which nobody calls at the exit."""
    monkeypatch.setattr(threading, "_register_atexit", lambda fn: None)
    return AtExit()


def test_what_is_open_at_the_end_is_stopped_once(own: AtExit) -> None:
    """Not what has ended by itself; and not twice."""
    still, ended = Open(), Open()
    own.watch(still)
    own.watch(ended)
    own.forget(ended)
    own.forget(ended)
    own._stop_all()
    own._stop_all()
    assert (still.stops, ended.stops) == (1, 0)


def test_one_that_fails_keeps_nobody_from_being_stopped(own: AtExit, log_lines: list[str]) -> None:
    """It is logged."""
    first, second = Open(fails=True), Open()
    own.watch(first)
    own.watch(second)
    own._stop_all()
    assert (first.stops, second.stops) == (1, 1)
    assert any("stopping at the end of the program failed" in line for line in log_lines)


def test_all_are_marked_before_one_is_aborted(own: AtExit) -> None:
    """And all are aborted before one is waited for."""
    told: list[str] = []
    several = [Open(told=told) for _ in range(3)]
    for one in several:
        own.watch(one)
    own._stop_all()
    assert told == ["mark"] * 3 + ["abort"] * 3 + ["end"] * 3


def test_who_waits_for_another_one_ends_by_its_own_abort(own: AtExit, gate: Any, eventually: Any) -> None:
    """Its ask is refused, as the other one ends before it; that is no crash of its handler."""
    ended: list[str] = []

    class Asked(Actor):
        def on_receive(self, message: Any) -> Any:
            gate.hold()

    class Asks(Actor):
        def on_receive(self, message: Any) -> Any:
            asked.ask("never answered")

        def on_stop(self) -> None:
            ended.append("stopped")

        def on_failure(self, *_: Any) -> None:
            ended.append("failed")

    asked, asks = Asked.start(), Asks.start()
    asked.tell("hold")
    gate.await_reached()
    asks.tell("ask")
    eventually(lambda: bool(asks._cell.waits))
    for ref in (asked, asks):
        own.watch(ref._cell)
    asked._cell.mark_at_exit()
    asks._cell.mark_at_exit()
    asked._cell.abort_at_exit()  # who asks is woken by it
    assert asks.actor_stopped.wait(10)
    assert ended == ["stopped"]
    gate.open()
    own._stop_all()


def test_nothing_is_kept_alive_by_it(own: AtExit) -> None:
    """What is dropped is forgotten."""
    something = Open()
    own.watch(something)
    del something
    gc.collect()
    assert own._open == {}
    own._stop_all()


def test_one_that_vanishes_just_then_is_passed_over(own: AtExit) -> None:
    """Its reference is dead before its entry is gone."""
    kept = Open()
    own.watch(kept)
    own._open[0] = lambda: None  # type: ignore[assignment]
    own._stop_all()
    assert kept.stops == 1


def test_there_is_one_for_the_process() -> None:
    """Made on first use."""
    assert at_exit() is at_exit()


def test_it_is_made_once_by_two_threads(monkeypatch: pytest.MonkeyPatch, in_thread: Any) -> None:
    """Both see none, one makes it."""
    monkeypatch.setattr(threading, "_register_atexit", lambda fn: None)
    monkeypatch.setattr(at_exit_module, "_at_exit", None)
    lock = threading.Lock()
    monkeypatch.setattr(at_exit_module, "_made", lock)
    lock.acquire()
    both = [in_thread(at_exit), in_thread(at_exit)]
    lock.release()
    assert both[0].result(10) is both[1].result(10)


def test_after_the_end_of_the_program_nothing_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """A message that says why."""

    def refuse(_: Any) -> None:
        raise RuntimeError("can't register atexit after shutdown")

    monkeypatch.setattr(threading, "_register_atexit", refuse)
    monkeypatch.setattr(at_exit_module, "_at_exit", None)
    with pytest.raises(RuntimeError, match="the program is ending"):
        at_exit()


def test_a_forked_child_stops_nothing_of_its_parent(own: AtExit, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was open at the fork lives in the parent; the child makes its own."""
    mine = Open()
    own.watch(mine)
    monkeypatch.setattr(at_exit_module, "_at_exit", own)
    generation = own.generation
    monkeypatch.setattr(at_exit_module.fork, "generation", lambda: generation + 1)
    own._stop_all()
    assert mine.stops == 0
    assert at_exit() is not own


# At the end of a real program -----------------------------------------------------------------------------------


@pytest.mark.process
def test_a_forgotten_actor_does_not_hang_the_exit() -> None:
    """It is aborted, and its cleanup runs."""
    done = program(
        """
from actors.core.actors.actor import Actor

class Forgotten(Actor):
    def on_stop(self):
        print("cleaned up", flush=True)

ref = Forgotten.start()
ref.ask("hello", timeout=10)
print("main ends", flush=True)
"""
    )
    assert (done.returncode, done.stdout.split("\n")) == (0, ["main ends", "cleaned up", ""]), done.stderr


@pytest.mark.process
def test_a_forgotten_pool_does_not_hang_the_exit() -> None:
    """Its agents are aborted, on_end runs, and a thread of the user that waits for an outcome ends, too."""
    done = program(
        """
import threading
from actors import Agent, AgentManifest, AgentPool, SpawnConfig

class Sleeper(Agent):
    def run(self, query):
        begun.set()
        self.receive()
    def on_end(self, outcome):
        print("on_end", outcome.status, flush=True)

begun = threading.Event()
pool = AgentPool()
handle = pool.spawn(SpawnConfig(AgentManifest(name="s"), "", agent=Sleeper))
threading.Thread(target=lambda: print("got", handle.outcome().status, flush=True)).start()
begun.wait(10)
print("main ends", flush=True)
"""
    )
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.split("\n")) == ["", "got cancelled", "main ends", "on_end cancelled"]


@pytest.mark.process
def test_a_stuck_agent_does_not_hang_the_exit() -> None:
    """abort_timeout bounds it."""
    done = program(
        """
import threading
from actors import AgentPool

pool = AgentPool(abort_timeout=0.1)
begun = threading.Event()
pool.submit(lambda: (begun.set(), threading.Event().wait(3600)))
begun.wait(10)
print("main ends", flush=True)
"""
    )
    assert (done.returncode, done.stdout) == (0, "main ends\n"), done.stderr


@pytest.mark.process
def test_at_the_end_nothing_can_be_started_any_more() -> None:
    """An actor or a pool that is made while the program ends is a clear error, not a hang."""
    done = program(
        """
import atexit
from actors import AgentPool
from actors.core.actors.actor import Actor

def late():
    for make in (Actor.start, AgentPool):
        try:
            make()
        except RuntimeError as error:
            print("the program is ending" in str(error), flush=True)

atexit.register(late)
"""
    )
    assert (done.returncode, done.stdout.split()) == (0, ["True", "True"]), done.stderr


@pytest.mark.process
def test_an_exception_of_the_main_thread_ends_the_program_with_its_error() -> None:
    """The traceback is printed, the code is 1, and the cleanup runs."""
    done = program(
        """
from actors.core.actors.actor import Actor

class Forgotten(Actor):
    def on_stop(self):
        print("cleaned up", flush=True)

Forgotten.start().ask("hello", timeout=10)
raise KeyError("main failed")
"""
    )
    assert (done.returncode, done.stdout) == (1, "cleaned up\n")
    assert "main failed" in done.stderr


@pytest.mark.process
def test_importing_starts_no_thread_and_registers_nothing() -> None:
    """Nothing happens on import."""
    done = program(
        """
import threading
import actors
from actors.core.process import fork
from actors.core.process import at_exit
from actors.core.process import event_loop as loop
print(threading.active_count(), at_exit._at_exit, fork._mark, loop._threads)
"""
    )
    assert done.stdout.split() == ["1", "None", "None", "{}"], done.stderr

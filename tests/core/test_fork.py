"""In a forked child every call is refused, quickly, and a new pool works."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from actors.core.process import fork
from actors.errors import ForkedPoolError

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no fork"),
]

# Each call runs in a thread of the child with a bound: one that hangs is told from one that answers.
PROGRAM = """
import json, os, sys, threading, warnings
warnings.simplefilter("ignore")
from actors import Actor, Agent, AgentManifest, AgentMessage, AgentPool, SpawnConfig

class Sleeper(Agent):
    def run(self, query):
        begun.set()
        self.receive()

class Echo(Actor):
    def on_receive(self, message):
        return message

begun = threading.Event()
manifest = AgentManifest(name="s")
config = SpawnConfig(manifest, "", agent=Sleeper)
pool = AgentPool()
handle = pool.spawn(config)
ended = pool.submit(lambda: 5)
ended.outcome(10)
begun.wait(10)
iterator = pool.map([config])
ref = Echo.start()
ref.ask("warm", timeout=10)
registered = pool.router.register(-1)

calls = {
    "spawn": lambda: pool.spawn(config),
    "submit": lambda: pool.submit(print),
    "fan_out": lambda: pool.fan_out([config]),
    "map": lambda: next(iterator),
    "as_completed": lambda: next(pool.as_completed()),
    "as_completed handles": lambda: next(pool.as_completed([handle])),
    "join_next": lambda: pool.join_next(),
    "join_all": lambda: pool.join_all(),
    "abort": lambda: pool.abort(1),
    "abort_all": lambda: pool.abort_all(),
    "drain": lambda: pool.drain(),
    "close": lambda: pool.close(),
    "resize": lambda: pool.resize(2),
    "send": lambda: pool.router.send(AgentMessage(0, 1, "x")),
    "register": lambda: pool.router.register(-2),
    "receive": lambda: registered.receive(),
    "program receive": lambda: pool.inbox.receive(),
    "active_count": lambda: pool.active_count,
    "outstanding_count": lambda: pool.outstanding_count,
    "stats": lambda: pool.stats(),
    "dump": lambda: pool.dump(),
    "outcome": lambda: handle.outcome(),
    "result": lambda: handle.result(),
    "cancel": lambda: handle.cancel(),
    "detach": lambda: handle.detach(),
    "add_done_callback": lambda: handle.add_done_callback(print),
    "future": lambda: handle.future,
    "tell": lambda: ref.tell("x"),
    "ask": lambda: ref.ask("x"),
    "ask_future": lambda: ref.ask_future("x").get(),
    "stop": lambda: ref.stop(),
}
pool._supervisor.turn.__enter__()  # as if another thread held it at the fork: the child must not need it
child = os.fork()
if child == 0:
    answers = {}
    def attempt(name, call):
        try:
            answers[name] = "answered " + repr(call())[:60]
        except BaseException as error:
            answers[name] = type(error).__name__
    for name, call in calls.items():
        answers[name] = "hangs"
        thread = threading.Thread(target=attempt, args=(name, call), daemon=True)
        thread.start()
        thread.join(0.25)
    print(json.dumps(answers), flush=True)
    try:
        with AgentPool() as mine:
            print(json.dumps(mine.submit(lambda: "new pool works").result(10)), flush=True)
        print(json.dumps(Echo.start().ask("new actor works", timeout=10)), flush=True)
    finally:
        sys.stdout.flush()
        os._exit(0)
_, status = os.waitpid(child, 0)
pool._supervisor.turn.__exit__()
print(json.dumps(handle.status), flush=True)
pool.close()
ref.stop(timeout=10)
"""

CALLS = [line.split('"')[1] for line in PROGRAM.splitlines() if line.startswith('    "') and "lambda" in line]


@pytest.fixture(scope="module")
def lines() -> list[Any]:
    """What the program prints: the answers of the calls, and what works in the child; then the parent's own."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("call", CALLS)
def test_every_call_of_the_parents_pool_is_refused(lines: list[Any], call: str) -> None:
    """ForkedPoolError at once, also when a thread of the parent held a lock at the fork."""
    assert lines[0][call] == "ForkedPoolError"


def test_a_new_pool_and_a_new_actor_work_in_the_child(lines: list[Any]) -> None:
    """The message says: make a new one."""
    assert lines[1:3] == ["new pool works", "new actor works"]


def test_the_parent_goes_on(lines: list[Any]) -> None:
    """Nothing of it was touched by its child."""
    assert lines[3] == "parked"


def test_a_child_that_just_exits_is_not_held_up() -> None:
    """A normal exit of the child neither waits for the parent's agents nor aborts anything."""
    text = """
import os, sys, threading, warnings
warnings.simplefilter("ignore")
from actors import AgentPool
pool = AgentPool(abort_timeout=30)
begun, release = threading.Event(), threading.Event()
handle = pool.submit(lambda: (begun.set(), release.wait(30), "parent's")[2])
begun.wait(10)
if os.fork() == 0:
    sys.exit(0)
_, status = os.wait()
release.set()
print(status, handle.result(10))
pool.close()
"""
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, timeout=20, check=False)
    assert done.stdout.split() == ["0", "parent's"], done.stderr


def test_the_mark_is_one_for_the_process() -> None:
    """The generation stays, until a fork; what is of this process is not refused."""
    born = fork.generation()
    assert fork.generation() == born
    fork.refuse_after_fork(born)


def test_what_is_of_another_process_is_refused() -> None:
    """The message says what to do."""
    with pytest.raises(ForkedPoolError, match="make a new one in this process"):
        fork.refuse_after_fork(fork.generation() - 1)


def test_a_platform_without_fork_needs_no_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is one generation."""
    monkeypatch.setattr(fork, "_mark", None)
    fork.refuse_after_fork(17)  # nobody has asked for a generation yet: nothing was made before
    monkeypatch.delattr(os, "register_at_fork")
    assert fork.generation() == 0


def test_a_fork_counts_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the system calls in the child."""
    hooks: list[Any] = []
    monkeypatch.setattr(fork, "_mark", None)
    monkeypatch.setattr(os, "register_at_fork", lambda after_in_child: hooks.append(after_in_child))
    assert fork.generation() == 0
    hooks[0]()
    assert fork.generation() == 1


def test_a_lock_of_the_process_is_free_in_a_child(monkeypatch: Any) -> None:
    """Whoever held it is the parent's; leaving a block in which was forked lets go of nothing."""
    lock = fork.ProcessLock()
    generation = fork.generation()
    with lock:
        assert lock._locks[generation].locked()
        monkeypatch.setattr(fork, "generation", lambda: generation + 1)
        with lock:
            assert lock._locks[generation + 1].locked()
        assert not lock._locks[generation + 1].locked()
    assert lock._locks[generation].locked(), "the parent's"

"""os.fork and multiprocessing beside a pool: the child is refused clearly, the parent is unharmed."""

from __future__ import annotations

import json
import os

import pytest

from .program import FORKING, PROGRAMS, run

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no fork")

PRELUDE = "import sys\nfrom tests.process.cast import *\nfrom actors import ForkedPoolError\n"


@pytest.fixture(scope="module")
def lines() -> list[str]:
    """What the program ``fork_calls.py`` prints."""
    return run(PROGRAMS / "fork_calls.py", options=FORKING).clean()


CALLS = [line.split('"')[1] for line in (PROGRAMS / "fork_calls.py").read_text().splitlines() if '": lambda' in line]


@pytest.mark.parametrize("call", CALLS)
def test_every_call_is_refused_at_once(lines: list[str], call: str) -> None:
    """ForkedPoolError, in two children, whatever locks other threads held at the fork."""
    answers = [json.loads(line)[call] for line in lines if line.startswith("{")]
    assert answers == ["ForkedPoolError", "ForkedPoolError"]


def test_children_make_pools_of_their_own_and_end(lines: list[str]) -> None:
    """A normal end: no exit hook ends what is the parent's, and nothing hangs."""
    rest = [line for line in lines if not line.startswith("{")]
    assert rest[0] == "child ended 7"
    assert rest[1:4] == rest[4:7] == ["new pool 4 0", "new actor works", "child ended 7"]


def test_the_parent_is_unharmed(lines: list[str]) -> None:
    """After three forks all goes on as before."""
    assert lines[-3:] == [
        "parent parked running queued True True",
        "6 3",
        "['cancelled', 'cancelled']",
    ]


@pytest.mark.parametrize("ending", ["sys.exit(7)", "raise SystemExit(7)", "os._exit(7)"])
def test_a_child_leaves_the_block_of_its_parent(ending: str) -> None:
    """A fork inside ``with``: the child's exit keeps its code, and ends nothing of the parent's."""
    done = run(
        f"""{PRELUDE}
with busy("receive") as pool:
    pid = os.fork()
    if pid == 0:
        {ending}
    say(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), pool.active_count)
    pool.abort_all()
""",
        options=FORKING,
    )
    assert done.clean() == ["7 1", "receive cancelled"]


def test_a_fork_inside_an_agent() -> None:
    """The child has only the agent's thread: calls through the agent are refused too, and it may end by os._exit."""
    done = run(
        PRELUDE
        + """
class Forking(Agent):
    def run(self, query):
        pid = os.fork()
        if pid == 0:
            try:
                for name, call in {
                    "spawn": lambda: self.spawn(config(Looping)), "receive": lambda: self.receive(),
                    "send": lambda: self.send(0, "x"), "inbox": lambda: self.inbox.receive_nowait(),
                    "pool": lambda: pool.stats(),
                }.items():
                    try:
                        say(name, "answered", call())
                    except ForkedPoolError:
                        say(name, "refused")
                with AgentPool() as mine:
                    say(mine.submit(len, "four").result(BOUND))
            finally:
                os._exit(9)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

with AgentPool() as pool:
    say("parent got", pool.spawn(config(Forking)).result(20))
    say(pool.submit(len, "goes on").result(BOUND))
""",
        options=FORKING,
    )
    assert done.clean() == [
        *(f"{call} refused" for call in ("spawn", "receive", "send", "inbox", "pool")),
        *("4", "parent got 9", "7"),
    ]


def test_an_agent_that_is_forked_ends_like_any_other() -> None:
    """A forked agent that returns from run, or raises, settles nothing of the parent's: the child just ends."""
    done = run(
        PRELUDE
        + """
class Forking(Agent):
    def run(self, query):
        pid = os.fork()
        if pid == 0:
            if query == "raise":
                raise ValueError("in the child")
            return "the child's"
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    def on_end(self, outcome):
        os.getpid() == parent and say("on_end", outcome.status)

parent = os.getpid()
with AgentPool() as pool:
    for query in ("return", "raise"):
        outcome = pool.spawn(config(Forking, query)).outcome(20)
        say(outcome.status, type(outcome.result).__name__)
""",
        options=FORKING,
    )
    assert done.clean() == ["on_end completed", "completed int"] * 2


def test_processes_of_the_standard_library() -> None:
    """multiprocessing by fork and by spawn, and a ProcessPoolExecutor, beside a pool and inside agents."""
    done = run(PROGRAMS / "other_processes.py", options=FORKING)
    assert done.clean() == [
        "fork: refused, new pool works",
        "spawn: new pool works",
        "fork in agents: [1, 4, 9, 16]",
        "spawn in agents: [1, 4, 9, 16]",
        "pool inside workers: [4, 4, 4, 4]",
        "pool goes on: 1 parked",
        "receive cancelled",
    ]


def test_values_travel_to_another_process() -> None:
    """Configs, messages, events, outcomes and errors arrive equal in a process that was spawned."""
    done = run(PROGRAMS / "travelling_values.py")
    lines = done.clean()
    assert lines[-1] == "all arrived"
    kinds = {line.split()[0] for line in lines[:-1]}
    assert {"SpawnConfig", "AgentManifest", "AgentMessage", "AgentOutcome", "AgentEnded", "NotRegistered"} <= kinds
    assert not [line for line in lines[:-1] if not line.endswith("arrived")]

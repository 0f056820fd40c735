"""The watch for threads that are left, and the fixtures for users' tests."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from actors import Actor, AgentPool
from actors.core.process.at_exit import at_exit
from actors.core.process.threads import Crew
from actors.testing import no_thread_left
from actors.testing.fixtures import agent_pool, make_agent_pool
from tests.cli.conftest import environment
from tests.waiting import eventually

__all__ = ["agent_pool", "make_agent_pool"]  # fixtures, taken over as a user would


def test_a_pool_is_given_and_closed(agent_pool: AgentPool, make_agent_pool: Any) -> None:
    """Ready to use; more of them by the factory, with any settings."""
    assert agent_pool.submit(lambda: 1).result(10) == 1
    assert make_agent_pool(max_concurrent=2).max_concurrent == 2


def test_a_thread_that_is_left_is_named_with_its_place() -> None:
    """One that ends in time is none."""
    gate = threading.Event()
    thread = threading.Thread(target=gate.wait, name="stray")
    with pytest.raises(AssertionError, match=r"(?s)1 left behind:\nstray\n.*threading.py"), no_thread_left(0.01):
        thread.start()
    gate.set()
    thread.join()
    with no_thread_left():
        threading.Thread(target=lambda: None).start()


def test_an_actor_that_is_left_on_the_thread_of_another_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread was there before, but not this actor."""

    class Quiet(Actor):
        def on_receive(self, message: Any) -> Any:
            return threading.current_thread()

    crew = Crew("lasting", keep=None)
    monkeypatch.setattr(at_exit(), "crew", crew)
    first = Quiet.start()
    thread = first.ask("where?", timeout=10)
    first.stop()
    eventually(lambda: thread.name == "actors-idle")
    with pytest.raises(AssertionError, match="1 left behind:\nQuiet-"), no_thread_left(0.01):
        second = Quiet.start()
        assert second.ask("where?", timeout=10) is thread
    second.stop()
    crew.close()


def test_what_the_block_raises_comes_out() -> None:
    """It is not hidden by a thread that is left."""
    with pytest.raises(KeyError), no_thread_left():
        raise KeyError("mine")


USER_TESTS = """
import threading
import pytest
from actors import Agent, AgentManifest, SpawnConfig
from actors.testing import leaks
from actors.testing.fixtures import agent_pool, make_agent_pool

GATE = threading.Event()
leaks.PATIENCE = 0.3

class Deaf(Agent):
    def run(self, query):
        GATE.wait(30)  # looks at no cancel

def test_good(agent_pool):
    assert agent_pool.submit(lambda: 1).result(10) == 1

def test_aborted(agent_pool):
    agent_pool.submit(threading.Event().wait, 0.1)

def test_leaky(make_agent_pool):
    pool = make_agent_pool(abort_timeout=0.05)
    pool.spawn(SpawnConfig(AgentManifest(), "x", agent=Deaf))
"""


@pytest.mark.process
def test_a_leak_fails_the_test_that_made_it(tmp_path: Path) -> None:
    """In a project of somebody else's: two good tests, and one whose agent hears nothing."""
    (tmp_path / "test_mine.py").write_text(USER_TESTS)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "-p",
            "no:xdist",
            "-p",
            "no:cov",
            "test_mine.py",
        ],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "3 passed, 1 error" in done.stdout, done.stdout
    assert "1 left behind" in done.stdout
    assert "GATE.wait(30)" in done.stdout

"""Input that comes bit by bit."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING

import pytest

from actors import Agent, AgentManifest, AgentPool, SpawnConfig
from actors.cli.feed import Feed

from .conftest import LIMIT

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator


class Echo(Agent[str]):
    """Returns its query."""

    def run(self, query: str) -> str:
        return query


class Sleeper(Agent[str]):
    """Waits for a cancel."""

    def run(self, query: str) -> str:
        self.sleep(600)
        return query


def task(query: str, agent: type[Agent[str]] = Echo) -> tuple[str, SpawnConfig]:
    return f"task {query}", SpawnConfig(AgentManifest(name="echo"), query, agent=agent)


def test_conversation_through_pipes(start: Callable[..., subprocess.Popen[str]]) -> None:
    """A program that sends a job and waits for its outcome before it sends the next is served."""
    process = start("run", "wait.toml", "--input", "-", "--out", "-", "-q")
    assert process.stdin is not None
    assert process.stdout is not None
    for number in range(5):
        process.stdin.write(json.dumps({"query": f"q{number}"}) + "\n")
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["result"] == f"q{number}"
    process.stdin.close()
    assert process.wait(timeout=LIMIT) == 0


def test_every_outcome_once() -> None:
    """Each agent of the source is yielded once, and never more than the bound are under way."""
    yielded = 0
    lead: list[int] = []

    def source() -> Iterator[tuple[str, SpawnConfig]]:
        for number in range(300):
            lead.append(number - yielded)
            yield task(f"q{number}")

    with AgentPool(max_concurrent=2, max_queued=5) as pool:
        seen = []
        for name, outcome in Feed(pool, source(), bound=5):
            assert name == f"task {outcome.query}"
            seen.append(outcome.result)
            yielded += 1
    assert sorted(seen) == sorted(f"q{number}" for number in range(300))
    assert max(lead) <= 6


def test_one_at_a_time_keeps_the_order() -> None:
    """With one slot the outcomes come in the order of the source."""
    with AgentPool(max_concurrent=1, max_queued=5) as pool:
        feed = Feed(pool, (task(f"q{number}") for number in range(200)), bound=5)
        assert [outcome.query for _, outcome in feed] == [f"q{number}" for number in range(200)]


def test_stop_does_not_wait_for_the_source() -> None:
    """After a stop the iterator ends with what was started, though the source never does."""
    never = threading.Event()

    def source() -> Iterator[tuple[str, SpawnConfig]]:
        yield task("first", Sleeper)
        stopper.start()
        never.wait(LIMIT)
        yield task("late")

    with AgentPool(max_concurrent=2, max_queued=5) as pool:
        feed = Feed(pool, source(), bound=5)

        def stop() -> None:
            feed.stop()
            pool.abort_all("enough")

        stopper = threading.Thread(target=stop)
        assert [(outcome.query, outcome.status) for _, outcome in feed] == [("first", "cancelled")]
        stopper.join(LIMIT)
        never.set()


def test_an_error_of_the_source_comes_last() -> None:
    """What the source raises is raised once everything that was started was yielded."""

    def source() -> Iterator[tuple[str, SpawnConfig]]:
        yield task("first")
        raise OSError("gone")

    with AgentPool(max_concurrent=2, max_queued=5) as pool:
        outcomes = iter(Feed(pool, source(), bound=5))
        assert next(outcomes)[1].result == "first"
        with pytest.raises(OSError, match="gone"):
            next(outcomes)

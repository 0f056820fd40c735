"""Agents and drivers that a test controls."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING, Any

from actors import Agent, AgentManifest, SpawnConfig

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..waiting import Gate

WAIT = 10.0


class Gauge:
    """Counts who is inside; remembers the peak."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.now = 0
        self.peak = 0

    @contextlib.contextmanager
    def inside(self) -> Iterator[None]:
        """Count the block."""
        with self._lock:
            self.now += 1
            self.peak = max(self.peak, self.now)
        try:
            yield
        finally:
            with self._lock:
                self.now -= 1


class Doing(Agent[Any]):
    """Runs ``fn(agent, query)``; hooks on demand."""

    def __init__(
        self,
        fn: Callable[[Any, str], Any],
        starting: Callable[[Any], Any] | None = None,
        ending: Callable[[Any, Any], Any] | None = None,
    ) -> None:
        self.fn = fn
        self.starting = starting
        self.ending = ending

    def on_start(self) -> None:
        if self.starting:
            self.starting(self)

    def run(self, query: str) -> Any:
        return self.fn(self, query)

    def on_end(self, outcome: Any) -> None:
        if self.ending:
            self.ending(self, outcome)


class Echo(Agent[str]):
    """Answers its query."""

    def run(self, query: str) -> str:
        return query


class Picky(Agent[str]):
    """Ends as its query says; at module level, so that its outcomes can be pickled."""

    def run(self, query: str) -> str:
        from actors.errors import InferenceFailed

        if query == "fail":
            raise InferenceFailed("no answer")
        if query == "crash":
            raise ValueError("boom")
        if query == "sleep":
            self.sleep(WAIT)
        return query


def manifest(name: str = "worker", **fields: Any) -> AgentManifest:
    """A manifest by keywords."""
    return AgentManifest(name=name, **fields)


def echo(query: str = "q", *, name: str = "worker", **fields: Any) -> SpawnConfig:
    """An agent that answers its query."""
    return SpawnConfig(manifest=manifest(name), query=query, agent=Echo, **fields)


def picky(query: str, **fields: Any) -> SpawnConfig:
    """An agent that ends as *query* says."""
    return SpawnConfig(manifest=manifest("picky"), query=query, agent=Picky, **fields)


def doing(
    fn: Callable[[Any, str], Any],
    query: str = "q",
    *,
    name: str = "worker",
    starting: Any = None,
    ending: Any = None,
    manifest_fields: dict[str, Any] | None = None,
    **fields: Any,
) -> SpawnConfig:
    """An agent that runs *fn*."""
    return SpawnConfig(
        manifest=manifest(name, **(manifest_fields or {})),
        query=query,
        agent=Doing,
        kwargs={"fn": fn, "starting": starting, "ending": ending},
        **fields,
    )


def held(gate: Gate, query: str = "held", **fields: Any) -> SpawnConfig:
    """An agent that waits at *gate*, blind to cancels."""

    def run(agent: Any, query: str) -> str:
        gate.arrive(query)
        return query

    return doing(run, query, **fields)


def sleeper(arrived: Gate, query: str = "sleeper", **fields: Any) -> SpawnConfig:
    """An agent that sleeps and wakes on a cancel; it says when it is about to."""

    def run(agent: Any, query: str) -> str:
        arrived.note(query)
        agent.sleep(WAIT)
        return "slept well"

    return doing(run, query, **fields)


class Background:
    """One call in a thread of its own; its result or error is kept."""

    def __init__(self, fn: Callable[[], Any]) -> None:
        self._fn = fn
        self.value: Any = None
        self.error: BaseException | None = None
        self.seconds = 0.0
        self.thread = threading.Thread(target=self._run, name="test-background", daemon=True)
        self.thread.start()

    def _run(self) -> None:
        begin = time.monotonic()
        try:
            self.value = self._fn()
        except BaseException as error:
            self.error = error
        self.seconds = time.monotonic() - begin

    def blocked(self) -> bool:
        """Does the thread sit in the library, at the same place for a while?"""
        import sys

        def place() -> tuple[Any, ...] | None:
            frame = sys._current_frames().get(self.thread.ident or 0)
            spots: list[Any] = []
            inside = False
            while frame is not None:
                spots.append((frame.f_code.co_filename, frame.f_lineno))
                inside = inside or "/actors/" in frame.f_code.co_filename
                frame = frame.f_back
            return tuple(spots) if inside else None

        first = place()
        pause = threading.Event()
        if first is None:
            return False
        for _ in range(5):
            pause.wait(0.004)
            if place() != first:
                return False
        return self.thread.is_alive()

    def result(self) -> Any:
        """Wait for the end; raise what it raised."""
        self.thread.join(WAIT)
        assert not self.thread.is_alive(), "the call did not return"
        if self.error is not None:
            raise self.error
        return self.value

"""What the supervisor needs to know of an agent: plain data, and how to build it."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from ...public import publish

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Hashable, Mapping

    from .ending import Ending
    from .event import Event
    from .outcome import AgentOutcome


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait before the next try.

    Args:
        base: Seconds before the first retry.
        factor: What each further wait is multiplied with.
        maximum: Seconds; the longest wait, before jitter.
        jitter: Share of the wait that is added at random, so that a crowd does not come back together.
    """

    base: float = 0.1
    factor: float = 2.0
    maximum: float = 30.0
    jitter: float = 0.1

    def __post_init__(self) -> None:
        for name, minimum in (("base", 0), ("factor", 1), ("maximum", 0), ("jitter", 0)):
            if not getattr(self, name) >= minimum:
                raise ValueError(f"{name} must be at least {minimum}, got {getattr(self, name)!r}")

    def delay(self, attempt: int) -> float:
        """Seconds to wait before retry number *attempt* (from 1)."""
        try:
            wait = min(self.maximum, self.base * self.factor ** (attempt - 1))
        except OverflowError:
            wait = self.maximum if self.base else 0.0
        return wait * (1 + self.jitter * random.random())  # noqa: S311 - no secret


def no_sooner_than(seconds: float) -> float:
    """*seconds* and up to a tenth more: those who were told the same time do not come back at the same moment."""
    return seconds * (1 + 0.1 * random.random())  # noqa: S311 - no secret


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """How often an agent, or a supervised actor, that crashed is started again.

    Args:
        max_restarts: Within any *window*; 0 never restarts.
        window: Seconds.
        backoff: The wait before each restart.
    """

    max_restarts: int = 0
    window: float = 60.0
    backoff: Backoff = field(default_factory=Backoff)

    def __post_init__(self) -> None:
        if not isinstance(self.backoff, Backoff):
            raise TypeError(f"backoff must be a Backoff, got {self.backoff!r}")
        if isinstance(self.max_restarts, bool) or not isinstance(self.max_restarts, int):
            raise TypeError(f"max_restarts must be a whole number, got {self.max_restarts!r}")
        if not self.max_restarts >= 0:
            raise ValueError(f"max_restarts must be at least 0, got {self.max_restarts!r}")
        if not self.window > 0:
            raise ValueError(f"window must be above 0 seconds, got {self.window!r}")


class Runnable(Protocol):
    """An agent as the supervisor's worker sees it."""

    def on_start(self) -> None:
        """Called before ``run``."""

    def run(self, query: Any) -> Any:
        """Do the job."""

    def on_end(self, outcome: AgentOutcome[Any]) -> None:
        """Called once, after the job."""


class Record(Protocol):
    """What is recorded of one agent, over all processes that run it.

    Threads: one at a time; ``keep`` any.
    """

    counts: bool
    """Has what a recalled agent used still to be counted? Not so, when it ended in this process: it was."""

    def claim(self, cell: Any) -> str | None:
        """The agent is about to be admitted: its key, which no other has from now on; None for one that has no name. In
        the caller's thread.

        Args:
            cell: What the pool keeps of it: only the rooms above know what that is.
        Raises:
            ValueError: Another agent has or had that key, or nothing can be made one of.
            JournalError, AgentError: It is not what was recorded under that key, or nothing can be recorded.
        """

    def release(self) -> None:
        """It was not admitted, or its claim failed: the key is free again. Twice does nothing twice."""

    def recall(self) -> Ending | None:
        """It got its first slot, and is not built yet: how it ended earlier; None: it is to be run. On a worker's
        thread.
        """

    def keep(self, outcome: AgentOutcome[Any]) -> None:
        """Record *outcome*, before anybody sees it; nothing but the first one counts. It waits until that is safe, if
        the agent will not be run again.

        Raises:
            AgentError: It cannot be recorded.
        """


@dataclass(slots=True)
class AgentSpec:
    """One agent to be admitted.

    Args:
        build: Called with the agent's cell on its own thread for each start; returns the function that constructs the
            agent. An error of the first is the agent's failure, one of the second a crash.
        timeout: Seconds of life from its first start.
        deadline: Seconds from admission, or from *asked_at*.
        max_depth: The deepest level at which its children may live; None has no limit.
        streams: Is the text of its answers streamed? None does so where its events are heard.
        on_event: Called with each of its events.
        key: Names it over all processes; None for one that has no name.
        record: What is recorded of it; None records nothing.
        traits: What else is known of it, by the names of ``TracedAgent``; None where nobody traces it.
        steps: What the agent does, step by step (``AgentSteps``), by its object and the query: any thread can go on
            with it. None: what it does is its ``run``.
        asked_at: The moment from which its deadline counts: the wait for room is part of it. None: its admission.

    Locks: ``build``, ``record`` and ``traits``, which the end of the agent lets go of, change under the turn;
    ``streams``, ``on_event``, ``key``, ``steps`` and ``asked_at`` before the admission; ``query`` and ``steps``, of an
    agent that came from elsewhere, in its own thread before it runs; nothing else.
    """

    name: str
    query: Any
    build: Callable[[Any], Callable[[], Runnable]]
    timeout: float | None = None
    deadline: float | None = None
    priority: int = 0
    group: Hashable = None
    tag: Any = None
    restart: RestartPolicy | None = None
    max_depth: int | None = None
    streams: bool | None = None
    on_event: Callable[[Event], object] | None = None
    key: str | None = None
    record: Record | None = None
    traits: Callable[[], Mapping[str, Any]] | None = None
    asked_at: float | None = None
    steps: Callable[[Any, Any], Generator[Any, Any, Any]] | None = None


publish("actors.agents", Backoff, RestartPolicy)

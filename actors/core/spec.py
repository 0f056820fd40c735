"""What the supervisor needs to know of an agent: plain data, and how to build it."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from .cell import AgentCell
    from .outcome import AgentOutcome


class Backoff(BaseModel):
    """How long to wait before the next try.

    Args:
        base: Seconds before the first retry.
        factor: What each further wait is multiplied with.
        maximum: Seconds; the longest wait.
        jitter: Share of the wait that is added at random, so that a crowd does not come back together.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    base: float = Field(default=0.1, ge=0)
    factor: float = Field(default=2.0, ge=1)
    maximum: float = Field(default=30.0, ge=0)
    jitter: float = Field(default=0.1, ge=0)

    def delay(self, attempt: int) -> float:
        """Seconds to wait before retry number *attempt* (from 1)."""
        # The exponent is bounded: a float overflows at 2.0 ** 1024.
        wait = min(self.maximum, self.base * self.factor ** min(attempt - 1, 512))
        return wait * (1 + self.jitter * random.random())  # noqa: S311 - no secret


class RestartPolicy(BaseModel):
    """How often an agent that crashed is started again.

    Args:
        max_restarts: Within any *window*; 0 never restarts.
        window: Seconds.
        backoff: The wait before each restart.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_restarts: int = Field(default=0, ge=0)
    window: float = Field(default=60.0, gt=0)
    backoff: Backoff = Backoff()


class Runnable(Protocol):
    """An agent as the supervisor's worker sees it."""

    def on_start(self) -> None:
        """Called before ``run``."""

    def run(self, query: Any) -> Any:
        """Do the job."""

    def on_end(self, outcome: AgentOutcome[Any]) -> None:
        """Called once, after the job."""


@dataclass(slots=True)
class AgentSpec:
    """One agent to be admitted.

    Args:
        build: Called on the agent's own thread for each start; returns the function that constructs the agent. An
            error of the first is the agent's failure, one of the second a crash.
        timeout: Seconds of life from its first start.
        deadline: Seconds from admission.
        max_depth: The deepest level at which its children may live; None has no limit.
    """

    name: str
    query: Any
    build: Callable[[AgentCell], Callable[[], Runnable]]
    timeout: float | None = None
    deadline: float | None = None
    priority: int = 0
    group: Hashable = None
    tag: Any = None
    restart: RestartPolicy | None = None
    max_depth: int | None = None

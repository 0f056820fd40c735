"""What a pool tells somebody who traces it: spans of agents, completions and tool calls, while the work is done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

from ..public import publish

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

SPANS: Final = "spans"
"""Where the cell of an agent that is traced keeps its spans, from its start to its end: one of its lazies."""

Facts: TypeAlias = Mapping[str, str | int | float | bool]
"""What is told of something that happened in a span, by name."""


@dataclass(frozen=True, slots=True)
class TracedAgent:
    """What is known of an agent when it begins. What does not apply is None.

    Args:
        agent_id: Its id in the pool.
        parent_id: The agent that started it; None for the program.
        version, description: Of its manifest.
        provider: Who answers it: ``openai``, ``anthropic``, ...
        model: What it asks for.
        session: The conversation that it is a turn of.
        key: What names it over all processes.
        group: As its config gives it.
        queued_seconds: How long it waited for its first slot.
        query: What it has to do. Private: to be told only where contents may be.
    """

    agent_id: int
    name: str
    parent_id: int | None = None
    version: str | None = None
    description: str | None = None
    provider: str | None = None
    model: str | None = None
    session: str | None = None
    key: str | None = None
    group: object = None
    queued_seconds: float = 0.0
    query: object = None


@dataclass(frozen=True, slots=True)
class AgentEnding:
    """How an agent ended.

    Args:
        outcome: Its status: ``completed``, ``failed``, ``crashed``, ``timed_out``, ``cancelled``,
            ``abandoned``, ``lost``.
        error: The outcome's.
        restarts: How often it was started again.
        recalled: It had ended in an earlier process, or an earlier life of its parent, and was not run.
        result: What it gives. Private.
    """

    outcome: str
    error: BaseException | None = None
    restarts: int = 0
    recalled: bool = False
    result: object = None


@dataclass(frozen=True, slots=True)
class TracedCompletion:
    """What is known of a completion when a driver is asked.

    Args:
        model: Empty where the driver chooses and does not say.
        attempt: 1, and one more for each time that it is asked for again.
        recalled: It was bought in an earlier life: nobody is asked, and nothing is paid again.
        system, messages: What is asked; records of ``actors.ports``. Private.
    """

    provider: str
    model: str = ""
    attempt: int = 1
    max_tokens: int | None = None
    temperature: float | None = None
    recalled: bool = False
    system: str | None = None
    messages: Sequence[object] = ()


@dataclass(frozen=True, slots=True)
class CompletionEnding:
    """How a completion ended.

    Args:
        error: What the driver raised; None where it answered.
        stop_reason: Why the answer ended; None without one.
        input_tokens, output_tokens, cost_usd: What was paid, also for one that failed; None where nothing was, or
            nobody knows.
        left_behind: Its thread was left, and may still wait for the answer.
        response: The answer, a ``CompletionResponse``. Private.
    """

    error: BaseException | None = None
    stop_reason: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float | None = None
    left_behind: bool = False
    response: object = None


@dataclass(frozen=True, slots=True)
class TracedTool:
    """What is known of a tool call when it begins.

    Args:
        call_id: The model's.
        recalled: It was made in an earlier life, and is not made again.
        arguments: Private.
    """

    name: str
    call_id: str = ""
    recalled: bool = False
    arguments: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True)
class ToolEnding:
    """How a tool call ended.

    Args:
        is_error: Is the model told of an error?
        error: What the tool raised, or why it was left.
        left_behind: It ran past its time, or past its agent, and may still run.
        result: The content of what the model is told. Private.
    """

    is_error: bool = False
    error: BaseException | None = None
    left_behind: bool = False
    result: object = None


Ending: TypeAlias = AgentEnding | CompletionEnding | ToolEnding


class TraceSpan(Protocol):
    """What somebody who traces a pool is told of a span that was begun.

    Threads: any. Of one span nothing is told after :meth:`ended`.
    """

    def happened(self, what: str, facts: Facts) -> object:
        """*what* happened meanwhile: ``parked``, ``resumed``, ``restarted``, ``backoff``, ``approval_requested``,
        ``approval_decided``, ``handed_off``.

        Args:
            facts: What is told of it, by name.
        """

    def ended(self, ending: Ending) -> object:
        """It is over. Called once. Of what is left behind it is called by another thread, while the block of the span
        is still open in its own: that is left whenever that thread is free.

        Args:
            ending: How.
        """


class Tracing(Protocol):
    """Traces a pool: ``AgentPool(tracing=...)``. Each method gives a context manager that is entered and left **in the
    thread that does the work**, in the context in which it is done; so what instrumented libraries do there is inside.

    The ``with`` block may give a ``TraceSpan``, or None for one that nothing is to be told of. What any of this raises
    is reported once, and harms nobody.

    It may have a method ``is_recording()``, too, asked when an agent begins: False says that nothing comes of its
    spans, and then none is made, of all that it does.

    Threads: all methods, any thread, many at once.
    """

    def agent(self, agent: TracedAgent) -> AbstractContextManager[TraceSpan | None]:
        """An agent, from its first start to its end, all its restarts included."""

    def completion(self, completion: TracedCompletion) -> AbstractContextManager[TraceSpan | None]:
        """One call of a driver.

        Args:
            completion: What is asked for.
        """

    def tool(self, tool: TracedTool) -> AbstractContextManager[TraceSpan | None]:
        """One call of a tool."""


def tracing_or_none(tracing: object) -> None:
    """Refuse what cannot trace.

    Raises:
        TypeError: A method is missing.
    """
    if tracing is None:
        return
    missing = [name for name in ("agent", "completion", "tool") if not callable(getattr(tracing, name, None))]
    if missing or isinstance(tracing, type):
        lacks = f"has no method {', '.join(missing)}" if missing else "is a class: give an instance of it"
        raise TypeError(f"tracing must be a Tracing (such as actors.OpenTelemetry()), and {tracing!r} {lacks}")


publish("actors.monitoring", AgentEnding, CompletionEnding, ToolEnding, TracedAgent, TracedCompletion, TracedTool)

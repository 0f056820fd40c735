"""The spans of an agent: opened and closed in the threads that work for it, and told what becomes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from loguru import logger

from ..crash import raise_ctrl_c, report
from ..process import fork
from ..records.outcome import AgentStatus
from ..tracing import AgentEnding, CompletionEnding, ToolEnding, TracedAgent
from ..waiting.wait_graph import current

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from ..records.outcome import AgentOutcome
    from ..scheduling.agent_cell import AgentCell
    from ..tracing import Ending, Facts, TracedCompletion, TracedTool, TraceSpan, Tracing
    from ..waiting.wait_graph import WaitMember

    Left = Callable[[BaseException | None], Ending]
    Manager = AbstractContextManager[TraceSpan | None]


class PoolTracing:
    """The tracing of a pool, as those may call it whom it must not harm.

    Guarantees: what it raises is reported once, and goes no further. A child that an agent forks tells it nothing: what
    is open there is its parent's, who ends it.

    Locks: none; ``_quiet`` is set by whoever reports.
    """

    def __init__(self, tracing: Tracing) -> None:
        self.tracing = tracing
        self._quiet = False
        self._mark = fork.mark()
        self._generation = self._mark.generation
        self._asks_recording: Callable[[], bool] | None = self.call(getattr, tracing, "is_recording", None)

    def is_recording(self) -> bool:
        """Does anything come of the spans of an agent that begins now? Yes, unless the tracing denies it."""
        ask = self._asks_recording
        return ask is None or self.call(ask) is not False

    def call(self, fn: Callable[..., Any], *args: object) -> Any:
        """What *fn* returns; None where it raises, and in a forked child."""
        if self._mark.generation != self._generation:
            return None
        try:
            return fn(*args)
        except BaseException as error:  # noqa: BLE001 - it harms only what it traces
            raise_ctrl_c(error)
            if not self._quiet:
                self._quiet = True
                report("the tracing of a pool failed; its agents go on. This is said once")
            else:
                logger.debug("the tracing of a pool failed again: {}", type(error).__name__)
        return None


class OpenSpan:
    """One span: a context manager, left by the thread that entered it.

    Guarantees: it ends once, whoever ends it; what is told later is dropped.

    Args:
        member: Whose thread it is in.
        left: Its ending when that thread is left behind.

    Locks: none. ``_is_open`` is emptied by one operation, so one thread ends it; the thread that entered it writes the
    others.
    """

    __slots__ = ("_goes_on", "_is_open", "_left", "_manager", "_of", "_span", "member")

    def __init__(self, of: AgentSpans, manager: Manager | None, member: WaitMember | None, left: Left) -> None:
        self._of = of
        self._manager = manager
        self._span: TraceSpan | None = None
        self._left = left
        self._is_open = [True]
        self._goes_on = False
        self.member = member

    def __enter__(self) -> Self:
        manager, self._manager = self._manager, None
        if manager is not None:
            self._of.pool.call(self._begin, manager)
        self._of.opened(self)
        return self

    def _begin(self, manager: Manager) -> None:
        self._span = manager.__enter__()
        self._manager = manager  # what could not be entered is not left

    def goes_on(self) -> None:
        """It is not over when its thread leaves it: another one goes on in it."""
        self._goes_on = True

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if self._is_open and not self._goes_on:
            self.end(self._left(error))
        manager, self._manager = self._manager, None
        if manager is not None:  # without the error: what becomes of that is not the tracing's business
            self._of.pool.call(manager.__exit__, None, None, None)

    def happened(self, what: str, facts: Facts) -> None:
        """*what* happened meanwhile."""
        if self._span is not None and self._is_open:
            self._of.pool.call(self._span.happened, what, facts)

    def end(self, ending: Ending) -> None:
        """It is over, unless it was before."""
        try:
            self._is_open.pop()
        except IndexError:
            return
        self._of.closed(self)
        if self._span is not None:
            self._of.pool.call(self._span.ended, ending)

    def leave_behind(self, error: BaseException | None) -> None:
        """Its thread is not waited for any more."""
        self.end(self._left(error))


class AgentSpans:
    """The open spans of one agent: its own, and those of its completions and tool calls.

    Guarantees: none is open when the agent has ended, also one in a thread that was left behind.

    Locks: none; ``_open`` changes by single operations.
    """

    __slots__ = ("_cell", "_open", "_own", "pool")

    def __init__(self, pool: PoolTracing, cell: AgentCell) -> None:
        self.pool = pool
        self._cell = cell
        self._open: list[OpenSpan] = []
        self._own: OpenSpan | None = None

    def agent(self) -> OpenSpan:
        """The span of the agent itself, in its own thread."""
        pool = self.pool
        self._own = own = OpenSpan(self, pool.call(self._begin), self._cell, _agent_left)
        return own

    def _begin(self) -> Any:
        cell, spec = self._cell, self._cell.spec
        waited = 0.0 if cell.queued_at is None or cell.started is None else cell.started - cell.queued_at
        parent = None if cell.parent is None else cell.parent.id
        facts = {} if spec.traits is None else spec.traits()
        known = TracedAgent(
            cell.id,
            spec.name,
            parent_id=parent,
            key=spec.key,
            group=spec.group,
            queued_seconds=float(waited),
            query=spec.query,
            **facts,
        )
        return self.pool.tracing.agent(known)

    def completion(self, known: Callable[[], TracedCompletion]) -> OpenSpan:
        """One call of a driver, in the thread that makes it.

        Args:
            known: Says what is known of it; what it asks of a user's driver may raise.
        """
        manager = self.pool.call(lambda: self.pool.tracing.completion(known()))
        return OpenSpan(self, manager, current(), _completion_left)

    def tool(self, tool: TracedTool) -> OpenSpan:
        """One call of a tool, in its thread."""
        return OpenSpan(self, self.pool.call(self.pool.tracing.tool, tool), current(), _tool_left)

    def happened(self, what: str, facts: Facts, member: WaitMember | None = None) -> None:
        """*what* happened to the agent; or to *member*, one of its tool calls."""
        if member is not None and member is not self._cell:
            for span in self._of(member)[:1]:
                span.happened(what, facts)
        elif self._own is not None:
            self._own.happened(what, facts)

    def opened(self, span: OpenSpan) -> None:
        """*span* was begun."""
        self._open.append(span)
        # After that: who leaves a thread behind marks it, and then looks at what is open.
        if self._cell.outcome is not None or getattr(span.member, "abandoned", False):
            span.leave_behind(None if self._cell.outcome is None else self._cell.outcome.error)

    def closed(self, span: OpenSpan) -> None:
        """*span* is over."""
        try:
            self._open.remove(span)
        except ValueError:  # an interrupt came before it was there
            pass

    def _of(self, member: WaitMember) -> list[OpenSpan]:
        return [span for span in tuple(self._open) if span.member is member]

    def leave_behind(self, member: WaitMember, error: BaseException | None) -> None:
        """The thread of *member*, a tool call, is not waited for any more: what is open in it ends, from the inside."""
        for span in reversed(self._of(member)):
            span.leave_behind(error)

    def end(self, outcome: AgentOutcome[Any]) -> None:
        """The agent has ended, or is left behind: so does all that is open."""
        own = self._own
        for span in reversed(tuple(self._open)):
            if span is not own:
                span.leave_behind(outcome.error)
        if own is not None:
            own.end(AgentEnding(str(outcome.status), outcome.error, outcome.restarts, outcome.recalled, outcome.result))


def _agent_left(error: BaseException | None) -> Ending:
    return AgentEnding(str(AgentStatus.CRASHED if error is not None else AgentStatus.ABANDONED), error)


def _completion_left(error: BaseException | None) -> Ending:
    return CompletionEnding(error, left_behind=True)


def _tool_left(error: BaseException | None) -> Ending:
    return ToolEnding(is_error=True, error=error, left_behind=True)

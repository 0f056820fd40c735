"""Why is it stuck?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..actors.actor_dump import drawn
from ..actors.actor_look import ActorLook, living
from ..figures import counted
from ..process.stacks import Stacks, indented
from ..records.state import AgentState
from ..scheduling.agent_cell import AgentCell
from ..shown import agent_label, shown
from .pool_actors import StrayActor

if TYPE_CHECKING:
    from ..actors.actor_dump import ActorDump
    from ..records.message import AgentId
    from ..scheduling.agent_cell import ToolThread
    from .supervisor import Supervisor


@dataclass(frozen=True, slots=True)
class ThreadDump:
    """One thread that works, or worked, for an agent.

    Args:
        label: Whose it is: a tool call, or an agent that was abandoned.
        on: What it is parked on; None when it is not.
        seconds: Since when, in seconds before the dump.
        stack: Its Python stack; empty when it has ended.
    """

    label: str
    on: str | None
    seconds: float
    stack: str

    def __str__(self) -> str:
        state = "" if self.on is None else f", parked on {self.on}"
        return "\n".join([f"{self.label}{state}, {self.seconds:.1f} s", *indented(self.stack)])


@dataclass(frozen=True, slots=True)
class AgentDump:
    """What one agent does.

    Args:
        on: What it is parked on, or which tools run; None when it is neither.
        seconds: Since when, in seconds before the dump.
        inbox_depth: Messages that it has not read.
        waits_for: Whom it waits for.
        stack: The Python stack of its thread; empty when it has none.
        tools: Its tool calls that run.
    """

    id: AgentId
    name: str
    state: AgentState
    on: str | None
    seconds: float
    inbox_depth: int
    parent_id: AgentId | None
    waits_for: tuple[str, ...]
    stack: str
    tools: tuple[ThreadDump, ...] = ()

    @property
    def label(self) -> str:
        """How messages name it."""
        return agent_label(self.id, self.name)

    def __str__(self) -> str:
        link = " " if self.state is AgentState.IN_TOOL else " on "
        state = str(self.state) if self.on is None else f"{self.state}{link}{self.on}"
        lines = [f"{self.label}: {state}, {self.seconds:.1f} s, {self.inbox_depth} unread"]
        if self.parent_id is not None:
            lines[0] += f", child of agent {self.parent_id}"
        if self.waits_for:
            lines.append("  waits for " + ", ".join(self.waits_for))
        lines += indented(self.stack)
        for tool in self.tools:
            lines += indented(str(tool))
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class PoolDump:
    """What a pool does.

    Args:
        agents: Those that have not ended, by id.
        abandoned: Threads of agents, tools and actors that did not end in time, and have not yet.
        actors: Its long-lived actors, each followed by its children.
    """

    name: str
    max_concurrent: int
    agents: tuple[AgentDump, ...]
    abandoned: tuple[ThreadDump, ...]
    actors: tuple[ActorDump, ...] = ()

    @property
    def waits(self) -> tuple[tuple[str, str], ...]:
        """Who waits for whom: pairs of labels."""
        everybody: tuple[AgentDump | ActorDump, ...] = (*self.agents, *self.actors)
        return tuple((one.label, other) for one in everybody for other in one.waits_for)

    def __str__(self) -> str:
        lines = [f"pool {shown(self.name)}: {len(self.agents)} agents, {self.max_concurrent} slots"]
        if self.actors:
            lines[0] += f", {counted(sum(actor.count for actor in self.actors), 'actor')}"
        if self.waits:
            lines.append("who waits for whom: " + "; ".join(f"{one} -> {other}" for one, other in self.waits))
        lines += [str(agent) for agent in self.agents]
        lines += drawn(self.actors, self.name)
        lines += [f"abandoned: {stray}" for stray in self.abandoned]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        from .notebook import dump_html

        return dump_html(self)


def dump(supervisor: Supervisor) -> PoolDump:
    """Look at every agent of *supervisor*, without stopping any."""
    live, abandoned = supervisor.cells()
    actors = supervisor.pool.actors
    look = _Look(supervisor)
    return PoolDump(
        supervisor.name,
        supervisor.pool.slots.limit,
        tuple(look.at_agent(cell) for cell in live),
        tuple(look.at_stray(stray) for stray in [*abandoned, *actors.abandoned()]),
        tuple(ActorLook().at(cell for cell in living() if cell.home is actors)) if actors.cells() else (),
    )


class _Look:
    """One moment: the frames of all threads, and the time."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._stacks = Stacks()
        self._now = supervisor.clock.monotonic()

    def at_agent(self, cell: AgentCell) -> AgentDump:
        mailbox = cell.mailbox
        state, on = cell.state_and_place()
        return AgentDump(
            id=cell.id,
            name=cell.spec.name,
            state=state,
            on=on,
            seconds=self._seconds(cell.since),
            inbox_depth=0 if mailbox is None else len(mailbox),
            parent_id=None if cell.parent is None else cell.parent.id,
            waits_for=tuple(target.label for target in cell.targets()),
            stack="" if cell.started is None else self._stacks.text(cell.thread),
            tools=tuple(self._at_tool(tool) for tool in cell.tool_threads if not tool.done),
        )

    def at_stray(self, stray: AgentCell | ToolThread | StrayActor) -> ThreadDump:
        if isinstance(stray, StrayActor):
            return ThreadDump(
                shown(stray.cell.label), None, self._seconds(stray.since), self._stacks.text(stray.cell.thread)
            )
        if isinstance(stray, AgentCell):
            return ThreadDump(stray.label, stray.parked_on, self._seconds(stray.since), self._stacks.text(stray.thread))
        return self._at_tool(stray, f" of {stray.label}")

    def _at_tool(self, tool: ToolThread, whose: str = "") -> ThreadDump:
        label = f"tool {shown(tool.name)}{whose}"
        return ThreadDump(label, tool.parked_on, self._seconds(tool.since), self._stacks.text(tool.thread))

    def _seconds(self, since: float) -> float:
        return max(0.0, self._now - since)

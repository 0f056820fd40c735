"""Looks at what a pool does, at one moment."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from ..actors.actor_look import ActorLook, living
from ..process.stacks import Stacks
from ..records.state import QUEUED
from ..records.usage import NO_TOKENS
from ..scheduling.agent_cell import EXPENSES, AgentCell
from ..shown import shown
from .dump import AgentDump, ApprovalDump, PoolDump, ThreadDump
from .pool_actors import StrayActor
from .pool_state import PoolPhase

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..records.expenses import Expenses
    from ..records.message import AgentId
    from ..records.state import AgentState
    from ..scheduling.approval import Question
    from ..scheduling.tool_thread import ToolThread
    from .pool_state import PoolState
    from .supervisor import Supervisor

PHASES = {PoolPhase.OPEN: "open", PoolPhase.DRAINING: "draining"}


def look_at_pool(supervisor: Supervisor, *, stacks: bool = True) -> PoolDump:
    """Look at every agent of *supervisor*, without stopping any.

    Args:
        stacks: With the stacks of their threads, which is what takes time.
    """
    live, abandoned = supervisor.cells()
    return _dump_of(supervisor, live, abandoned, stacks=stacks)


@dataclass(frozen=True, slots=True)
class PoolGlimpse:
    """What a pool does, where it may have more agents than anybody can look at once a second.

    Args:
        dump: Has some of them, without stacks.
        states: How many of all are at what.
    """

    dump: PoolDump
    states: Mapping[AgentState, int]

    @property
    def left_off(self) -> int:
        """How many agents the dump has not."""
        return sum(self.states.values()) - len(self.dump.agents)


def glimpse_at_pool(supervisor: Supervisor, most: int, most_queued: int) -> PoolGlimpse:
    """Look at *most* agents of *supervisor*, who asks for approval first, and at the oldest that wait for a slot."""
    with supervisor.turn:
        roster = supervisor.pool.roster
        live, count = list(roster.live.values()), len(roster.queued)
        queued = list(islice(roster.queued.values(), most_queued))
        abandoned = list(supervisor.pool.cancellation.abandoned)
    states = Counter([cell.state for cell in live])
    states[QUEUED] += count
    if len(live) > most:
        live = sorted(live, key=_asks_nobody)[:most]
    seen = sorted([*live, *queued], key=_id_of)
    return PoolGlimpse(_dump_of(supervisor, seen, abandoned, stacks=False), +states)


def _asks_nobody(cell: AgentCell) -> bool:
    return cell.approvals is None or not cell.approvals.open()


def _id_of(cell: AgentCell) -> AgentId:
    return cell.id


def _dump_of(
    supervisor: Supervisor,
    cells: Sequence[AgentCell],
    abandoned: Sequence[AgentCell | ToolThread[AgentCell]],
    *,
    stacks: bool,
) -> PoolDump:
    pool = supervisor.pool
    actors = pool.actors
    look = Look(pool, Stacks() if stacks else None)
    return PoolDump(
        supervisor.name,
        pool.slots.limit,
        tuple(map(look.at_agent, cells)),
        tuple(look.at_stray(stray) for stray in [*abandoned, *actors.abandoned()]),
        tuple(ActorLook(stacks=stacks).at(cell for cell in living() if cell.home is actors)) if actors.cells() else (),
        PHASES.get(pool.phase, "closed"),
        look.since(pool.began),
        pool.slots.taken,
    )


def look_at_agent(supervisor: Supervisor, agent_id: AgentId, *, stacks: bool = True) -> AgentDump:
    """Look at one agent of *supervisor*.

    Raises:
        KeyError: There is none of that id (any more).
    """
    cell = supervisor.pool.roster.find(agent_id)
    if cell is None:
        raise KeyError(f"no agent {agent_id} in {shown(supervisor.name)} (any more)")
    return Look(supervisor.pool, Stacks() if stacks else None).at_agent(cell)


class Look:
    """One moment: the time, and the frames of all threads, unless none are asked for."""

    def __init__(self, pool: PoolState, stacks: Stacks | None) -> None:
        self._stacks = stacks
        self._node_of = pool.lives.node_of
        self._now = pool.clock.monotonic()

    def at_agent(self, cell: AgentCell) -> AgentDump:
        """What an agent does."""
        mailbox, approvals = cell.mailbox, cell.approvals
        state, on = cell.state_and_place()
        spent: Expenses | None = cell.lazies.get(EXPENSES)
        admitted = cell.queued_at or cell.started or cell.since
        targets = cell.targets()
        return AgentDump(
            id=cell.id,
            name=cell.spec.name,
            state=state,
            on=on,
            seconds=self.since(cell.since),
            inbox_depth=0 if mailbox is None else len(mailbox),
            parent_id=None if cell.parent is None else cell.parent.id,
            waits_for=tuple([target.label for target in targets]) if targets else (),
            stack=self._stack(cell.thread) if cell.thread else "",
            tools=tuple([self._at_tool(tool) for tool in cell.tool_threads if not tool.done]),
            key=cell.spec.key,
            group=cell.spec.group,
            depth=cell.depth,
            age=self.since(min(admitted, cell.since)),
            usage=NO_TOKENS if spent is None else spent.usage,
            cost_usd=0.0 if spent is None else spent.cost_usd,
            restarts=cell.restarts,
            children=tuple(cell.children or ()),
            node=self._node_of(cell),
            approvals=() if approvals is None else tuple(map(_at_question, approvals.open())),
        )

    def at_stray(self, stray: AgentCell | ToolThread[AgentCell] | StrayActor) -> ThreadDump:
        """What a thread does that was left behind."""
        if isinstance(stray, StrayActor):
            return ThreadDump(shown(stray.cell.label), None, self.since(stray.since), self._stack(stray.cell.thread))
        if isinstance(stray, AgentCell):
            return ThreadDump(stray.label, stray.parked_on, self.since(stray.since), self._stack(stray.thread))
        return self._at_tool(stray, f" of {stray.label}")

    def since(self, moment: float) -> float:
        """How long ago *moment* was."""
        return max(0.0, self._now - moment)

    def _at_tool(self, tool: ToolThread[AgentCell], whose: str = "") -> ThreadDump:
        label = f"tool {shown(tool.name)}{whose}"
        return ThreadDump(label, tool.parked_on, self.since(tool.since), self._stack(tool.thread))

    def _stack(self, thread: int) -> str:
        return "" if self._stacks is None else self._stacks.text(thread)


def _at_question(question: Question) -> ApprovalDump:
    asked = question.asked
    default = "approve" if question.default.approved else "deny"
    since, left = question.times()
    return ApprovalDump(asked.call_id, asked.tool, asked.input, since, left, default, asked.in_doubt)

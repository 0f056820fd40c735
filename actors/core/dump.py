"""Why is it stuck?"""

from __future__ import annotations

import sys
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .cell import AgentCell

if TYPE_CHECKING:
    from types import FrameType

    from .branch import Branch
    from .message import AgentId
    from .outcome import AgentStatus
    from .supervisor import Supervisor


@dataclass(frozen=True, slots=True)
class AgentDump:
    """What one agent does.

    Args:
        on: What it is parked on; None when it is not.
        seconds: Since when, in seconds before the dump.
        inbox_depth: Messages that it has not read.
        waits_for: Whom it waits for.
        stack: The Python stack of its thread; empty when it has none.
    """

    id: AgentId
    name: str
    status: AgentStatus
    on: str | None
    seconds: float
    inbox_depth: int
    parent_id: AgentId | None
    waits_for: tuple[str, ...]
    stack: str

    def __str__(self) -> str:
        state = str(self.status) if self.on is None else f"{self.status} on {self.on}"
        lines = [f"agent {self.id} ({self.name}): {state}, {self.seconds:.1f} s, {self.inbox_depth} unread"]
        if self.waits_for:
            lines.append("  waits for " + ", ".join(self.waits_for))
        lines += ["  " + line for line in self.stack.rstrip().splitlines()]
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class PoolDump:
    """What a pool does. ``abandoned`` are the stacks of threads that did not end in time."""

    name: str
    max_concurrent: int
    agents: tuple[AgentDump, ...]
    abandoned: tuple[str, ...]

    def __str__(self) -> str:
        lines = [f"pool {self.name}: {len(self.agents)} agents, {self.max_concurrent} slots"]
        lines += [str(agent) for agent in self.agents]
        for stack in self.abandoned:
            lines += ["an abandoned thread:", *("  " + line for line in stack.rstrip().splitlines())]
        return "\n".join(lines)


def dump(supervisor: Supervisor) -> PoolDump:
    """Look at every agent of *supervisor*, without stopping any."""
    live, abandoned = supervisor.cells()
    frames = sys._current_frames()  # noqa: SLF001 - the documented way to another thread's stack
    now = supervisor.clock.monotonic()
    agents = tuple(_look(cell, frames, now) for cell in live)
    return PoolDump(
        supervisor.name, supervisor.slots.limit, agents, tuple(_stack(stray, frames) for stray in abandoned)
    )


def _look(cell: AgentCell, frames: dict[int, FrameType], now: float) -> AgentDump:
    mailbox = cell.mailbox
    return AgentDump(
        id=cell.id,
        name=cell.spec.name,
        status=cell.status,
        on=cell.parked_on,
        seconds=max(0.0, now - cell.since),
        inbox_depth=0 if mailbox is None else len(mailbox),
        parent_id=None if cell.parent is None else cell.parent.id,
        waits_for=tuple(target.label for target in cell.targets()),
        stack=_stack(cell, frames),
    )


def _stack(owner: AgentCell | Branch, frames: dict[int, FrameType]) -> str:
    if isinstance(owner, AgentCell) and owner.outcome is None and owner.started is None:
        return ""
    frame = frames.get(owner.thread)
    return "" if frame is None else "".join(traceback.format_stack(frame))

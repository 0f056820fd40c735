"""The slots of a pool whose agents live elsewhere: who may be sent there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .slots import Slots

if TYPE_CHECKING:
    from collections.abc import Collection

    from .agent_cell import AgentCell


class HostRoom(Slots):
    """The places on all hosts together. A host hands out its own slots to those that it has; here is counted who may
    be sent to one: more than run, as some wait there, and others are parked there.

    Guarantees: whoever holds a place was sent to a host, or is about to be, and has not ended.

    Locks: the pool's turn guards ``vacant``, ``coming`` and ``parked``, as it does ``held``; the engine writes
    ``vacant``, ``parked`` and ``strays``, and counts ``coming`` down.
    """

    __slots__ = ("coming", "parked", "strays", "vacant")

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self.vacant = 0
        """Places that are free on hosts, and promised to nobody."""
        self.coming = 0
        """Agents that got a place, and that no host was given yet."""
        self.parked = 0
        """Agents on hosts that have laid their slots out."""
        self.strays = 0
        """Threads on hosts of agents and tools that were abandoned, and have not ended."""

    @property
    def available(self) -> int:
        """How many could start at once, as far as it is known here."""
        return self.limit - self.held + self.parked

    @property
    def taken(self) -> int:
        """Slots of those who work, as far as it is known here."""
        return max(0, min(self.limit, self.held - self.parked))

    def parked_of(self, live: Collection[AgentCell]) -> int:
        """How many of *live* are parked, as the hosts have said last."""
        return min(self.parked, len(live))

    def take(self, cell: AgentCell) -> None:
        """*cell* goes to a host."""
        super().take(cell)
        self.vacant -= 1
        self.coming += 1

    def find(self) -> bool:
        """Does a host have room?"""
        return self.vacant > 0

    def take_back(self) -> None:
        """The limit was lowered: the hosts are told, and take back what they lent."""

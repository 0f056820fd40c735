"""Who may run: the semaphore of a pool, whose permits a parked agent lends out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..records.state import PARKED

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from ..waiting.waiter import Waiter
    from .agent_cell import AgentCell


class Slots:
    """The right to run, ``limit`` times.

    An agent that parks keeps its slot but lays it out in ``idle``, without a lock; whoever needs a slot raises
    ``need``, then takes one from there. The one who parks inserts, then reads ``need``; the one who needs sets
    ``need``, then looks: so one of the two sees the other. Most parks end before anybody needed the slot, and cost
    two dict operations.

    Guarantees: ``held <= limit`` but after the limit was lowered; only a slot that is held is ever offered.

    Locks: the pool's turn guards ``limit``, ``held``, ``woken`` and ``when_within``; ``idle`` changes by single dict
    operations, which are atomic, and ``need`` is set under the turn and read anywhere.
    """

    strays = 0
    """Threads of abandoned agents that are elsewhere."""

    __slots__ = ("held", "idle", "limit", "need", "when_within", "woken")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.held = 0
        self.need = False
        self.when_within: Callable[[], object] | None = None
        """Called once, outside the turn, when no more than ``limit`` are held: it was lowered."""
        self.idle: dict[AgentCell, None] = {}
        self.woken: dict[AgentCell, list[Waiter]] = {}

    @property
    def available(self) -> int:
        """Slots that somebody new could get, after those who wait to go on."""
        return self.limit - self.held + len(self.idle) - len(self.woken)

    @property
    def taken(self) -> int:
        """Slots of those who work, as of about now: those that parked agents laid out are not among them."""
        return max(0, self.held - len(self.idle))

    def parked_of(self, live: Collection[AgentCell]) -> int:
        """How many of *live* are parked."""
        return sum(cell.state is PARKED and cell.outcome is None for cell in live)

    def take(self, cell: AgentCell) -> None:
        """Give a free slot to *cell*."""
        self.held += 1
        cell.has_slot = True

    def free(self, cell: AgentCell) -> None:
        """*cell* has ended: take the slot back that it holds, if it holds one, and its place among the woken."""
        if self.idle:
            self.idle.pop(cell, None)
        if self.woken:
            self.woken.pop(cell, None)
        if cell.has_slot:
            cell.has_slot = False
            self.held -= 1

    def find(self) -> bool:
        """Is a slot free, if need be one that a parked agent laid out?"""
        if self.held < self.limit:
            return True
        self.need = True  # and then looks
        return bool(self.idle) and self._fetch_down_to(self.limit - 1)

    def take_back(self) -> None:
        """The limit was lowered: slots that parked agents laid out go first."""
        self._fetch_down_to(self.limit)

    def settled_down(self) -> Callable[[], object] | None:
        """What is to be called now that no more than the limit are held; None while more are."""
        if not self._fetch_down_to(self.limit):
            return None
        call, self.when_within = self.when_within, None
        return call

    def _fetch_down_to(self, held: int) -> bool:
        cell: AgentCell
        while self.held > held:
            self.need = True
            try:
                cell, _ = self.idle.popitem()
            except KeyError:
                return False
            if cell.has_slot:  # an agent may be abandoned just as it parks: then it holds none any more
                cell.has_slot = False
                self.held -= 1
        return True

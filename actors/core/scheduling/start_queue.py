"""The run queue: admitted agents that wait for their first slot."""

from __future__ import annotations

import heapq
from collections import OrderedDict, deque
from typing import TYPE_CHECKING

from ..records.state import QUEUED

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

    from .agent_cell import AgentCell

    Level = OrderedDict[Hashable, deque["AgentCell"]]


def _waits(cell: AgentCell) -> bool:
    return cell.state is QUEUED and cell.outcome is None


class StartQueue:
    """Who starts next: by priority, the higher first; then in turn by group; then by age.

    An agent that ends while it is queued stays where it is until it is popped, or until such dead entries outnumber
    the living. Locks: none, the pool's turn guards it.

    Args:
        dropped: Gets the dead entries: whoever has the turn lets go of them after it.
    """

    def __init__(self, dropped: list[AgentCell]) -> None:
        self.living = 0
        self._dropped = dropped
        self._levels: dict[int, Level] = {}
        self._priorities: list[int] = []
        self._only: deque[AgentCell] | None = None
        """Those without a group, while the highest priority has nobody else. It stays when they have all started: most
        queues are of this kind, and often empty.
        """
        self._dead = 0

    def push(self, cell: AgentCell) -> None:
        """Add *cell* at the end of its group."""
        try:
            self._levels[cell.spec.priority][cell.group].append(cell)
        except KeyError:
            self._push_first(cell)
        self.living += 1

    def _push_first(self, cell: AgentCell) -> None:
        """Add *cell*, the first of its group."""
        self._only = None
        priority = cell.spec.priority
        level = self._levels.get(priority)
        if level is None:
            level = self._levels[priority] = OrderedDict()
            heapq.heappush(self._priorities, -priority)
        elif not level.get(None, True):  # it has stayed, empty: its turn comes after those who wait
            del level[None]
        level[cell.group] = deque([cell])

    def pop(self) -> AgentCell | None:
        """Take the one that starts next."""
        only = self._only
        if only:
            cell = only[0]
            if cell.state is QUEUED and cell.outcome is None:
                self.living -= 1
                return only.popleft()
        return self._pop()

    def _pop(self) -> AgentCell | None:
        self._only = None
        while self._priorities:
            priority = -self._priorities[0]
            level = self._levels[priority]
            while level:
                name, group = next(iter(level.items()))
                cell = self._first(group)
                if cell is not None and name is None and len(level) == 1:
                    self._only = group
                elif group:
                    level.move_to_end(name)
                else:
                    del level[name]
                if cell is not None:
                    self.living -= 1
                    return cell
            heapq.heappop(self._priorities)
            del self._levels[priority]
        return None

    def _first(self, group: deque[AgentCell]) -> AgentCell | None:
        while group:
            cell = group.popleft()
            if _waits(cell):
                return cell
            self._dead -= 1
            self._dropped.append(cell)
        return None

    def ended(self) -> None:
        """One of the queued agents has ended without a start."""
        self.living -= 1
        self._dead += 1
        if self._dead > 32 and self._dead > self.living:
            self._prune()

    def _prune(self) -> None:
        living = list(self)
        self._dropped.extend(cell for level in self._levels.values() for group in level.values() for cell in group)
        self._levels.clear()
        self._priorities.clear()
        self._only = None
        self.living = self._dead = 0
        for cell in living:
            self.push(cell)

    def __iter__(self) -> Iterator[AgentCell]:
        for level in self._levels.values():
            for group in level.values():
                for cell in group:
                    if _waits(cell):
                        yield cell


class ChildQueue:
    """Children that wait for their first slot: the deepest first, then by age.

    Locks: none, the pool's turn guards it.

    Args:
        dropped: Gets the dead entries, as above.
    """

    def __init__(self, dropped: list[AgentCell]) -> None:
        self.living = 0
        self._dropped = dropped
        self._heap: list[tuple[int, int, AgentCell]] = []

    def push(self, cell: AgentCell) -> None:
        """Add *cell*."""
        heapq.heappush(self._heap, (-cell.depth, cell.id, cell))
        self.living += 1

    def pop(self) -> AgentCell | None:
        """Take the one that starts next."""
        while self._heap:
            cell = heapq.heappop(self._heap)[2]
            if _waits(cell):
                self.living -= 1
                return cell
            self._dropped.append(cell)
        return None

    def ended(self) -> None:
        """One of the queued children has ended without a start."""
        self.living -= 1
        if not self.living:
            self._dropped.extend(cell for _, _, cell in self._heap)
            self._heap.clear()

    def __iter__(self) -> Iterator[AgentCell]:
        return (cell for _, _, cell in self._heap if _waits(cell))

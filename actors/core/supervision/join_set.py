"""What the caller is owed: outcomes, each taken once."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from ...errors import JoinTimeout
from ..clock import SYSTEM_CLOCK
from ..records.outcomes import Outcomes, has_failed
from ..waiting.wait_graph import AnyOf, wait_for
from ..waiting.waiter import Waiter

if TYPE_CHECKING:
    from collections.abc import Hashable

    from ..records.message import AgentId
    from ..records.outcome import AgentOutcome
    from ..scheduling.agent_cell import AgentCell
    from ..scheduling.turn import Turn


class JoinSet:
    """The agents whose outcomes are owed, and those who wait for them.

    Guarantees: an outcome is taken once; a wait that runs out takes nothing; nobody waits when nothing is owed.

    Locks: the pool's turn, which it shares, guards every field. :meth:`add` and :meth:`finish` are called under
    it, the others take it. Waiters are woken after it is released.
    """

    def __init__(self, turn: Turn, *, cancels_rest: bool = False) -> None:
        self._turn = turn
        self._strict: list[Hashable] = [None] if cancels_rest else []  # groups; None is everybody
        self._broken = False
        self._pending: dict[AgentId, AgentCell] = {}
        self._ready: dict[AgentId, AgentCell] = {}  # in order of completion
        self._groups: dict[Hashable, int] = {}
        self._next: deque[Waiter] = deque()
        self._all: list[tuple[Hashable, Waiter]] = []
        self._any = AnyOf(self.pending)

    def __len__(self) -> int:
        return len(self._pending) + len(self._ready)

    # Under the turn ---------------------------------------------------------------------------------------------

    def add(self, cell: AgentCell) -> None:
        """*cell* was admitted."""
        self._pending[cell.id] = cell
        group = cell.spec.group
        if group is not None:
            self._groups[group] = self._groups.get(group, 0) + 1

    def finish(self, cell: AgentCell, wakes: list[Waiter]) -> list[AgentCell]:
        """The outcome of *cell* is there. Whoever has to be woken is added to *wakes*.

        Returns:
            Those that are to be cancelled, as *cell* failed.
        """
        if self._pending.pop(cell.id, None) is None:
            return []  # taken out before: detached
        self._ready[cell.id] = cell
        self._left_pending(cell)
        if self._next:
            wakes.append(self._next.popleft())
        if self._all:
            self._wake_all(wakes)
        return self._rest_of(cell) if self._strict else []

    def _rest_of(self, cell: AgentCell) -> list[AgentCell]:
        assert cell.outcome is not None
        if not has_failed(cell.outcome):
            return []
        if None in self._strict:
            self._broken = True
            return list(self._pending.values())
        group = cell.spec.group
        return self._pending_of(group) if group in self._strict else []

    def _pending_of(self, group: Hashable) -> list[AgentCell]:
        return [cell for cell in self._pending.values() if group is None or cell.spec.group == group]

    def is_broken(self) -> bool:
        """Has somebody failed, and taken everybody along?"""
        return self._broken

    def be_strict(self, group: Hashable) -> list[AgentCell]:
        """From now on, who fails takes the rest (of *group*) along; those whom one that failed already takes along."""
        self._strict.append(group)
        failed = any(cell.outcome is not None and has_failed(cell.outcome) for cell in self._of(group).values())
        return self._pending_of(group) if failed else []

    def be_lenient(self, group: Hashable) -> None:
        """The end of :meth:`be_strict`."""
        self._strict.remove(group)

    def _left_pending(self, cell: AgentCell) -> None:
        group = cell.spec.group
        if group is not None:
            left = self._groups[group] = self._groups[group] - 1
            if not left:
                del self._groups[group]

    def _wake_all(self, wakes: list[Waiter]) -> None:
        for group, waiter in self._all:
            if not self._busy(group):
                wakes.append(waiter)

    def _busy(self, group: Hashable) -> bool:
        return bool(self._pending) if group is None else group in self._groups

    def _emptied(self) -> list[Waiter]:
        """Who waits for a next one although nothing is owed any more."""
        if self._pending or self._ready:
            return []
        wakes = list(self._next)
        self._next.clear()
        return wakes

    # For callers ------------------------------------------------------------------------------------------------

    def remove(self, cell: AgentCell) -> None:
        """*cell* is not owed (any more): it was taken through its handle, or detached."""
        wakes: list[Waiter] = []
        with self._turn:  # the end of the agent looks at the owner, too
            if cell.owner is not self:
                return
            cell.owner = None
            if self._pending.pop(cell.id, None) is not None:
                self._left_pending(cell)
                self._wake_all(wakes)
            elif self._ready.pop(cell.id, None) is None:
                return
            wakes += self._emptied()
        for waiter in wakes:
            waiter.wake()

    def next(self, timeout: float | None = None) -> AgentOutcome[Any] | None:
        """Take the next outcome; None when nothing is owed.

        Raises:
            TimeoutError: Nothing ended in time; nothing is lost.
            DeadlockError: Only the calling agent, and those who wait for it, are owed.
        """
        end = None if timeout is None else SYSTEM_CLOCK.monotonic() + timeout
        expired = False
        while True:
            taken: dict[AgentId, AgentCell] = {}
            waiter = Waiter()
            queued = woken = False
            try:
                with self._turn:
                    wakes = self._take_next(taken)
                    if not taken:
                        if not self._pending:
                            return None
                        if expired:
                            raise TimeoutError(f"no agent ended within {timeout} s; nothing is lost")
                        queued = True
                        self._next.append(waiter)
                for other in wakes:
                    other.wake()
                for cell in taken.values():
                    return cell.outcome
                left = None if end is None else end - SYSTEM_CLOCK.monotonic()
                woken = wait_for(waiter, left, "the next outcome", self._any)
                expired = not woken
            except BaseException:  # also what a signal's handler has raised anywhere in between
                if taken:
                    self._give_back(taken)
                raise
            finally:
                if queued and not woken:
                    self._leave(waiter)

    def _take_next(self, taken: dict[AgentId, AgentCell]) -> list[Waiter]:
        if not self._ready:
            return []
        id_ = next(iter(self._ready))
        taken[id_] = self._ready.pop(id_)
        return self._emptied()

    def _give_back(self, taken: dict[AgentId, AgentCell]) -> None:
        """What was taken reached nobody: it is owed as before."""
        with self._turn:
            self._ready = {**taken, **self._ready}
            waiter = self._next.popleft() if taken and self._next else None
        if waiter is not None:
            waiter.wake()

    def _leave(self, waiter: Waiter) -> None:
        """Stop waiting; a signal that came too late goes to the next one who waits."""
        following = None
        with self._turn:
            if waiter in self._next:
                self._next.remove(waiter)
            elif self._ready and self._next:
                following = self._next.popleft()
        if following is not None:
            following.wake()

    def all(self, timeout: float | None = None, group: Hashable = None) -> Outcomes:
        """Take everything (of *group*), once all of it has ended.

        Raises:
            JoinTimeout: Not all ended in time; nothing was taken, ``partial`` shows what is there.
        """
        end = None if timeout is None else SYSTEM_CLOCK.monotonic() + timeout
        while True:
            taken: dict[AgentId, AgentCell] = {}
            waiter = Waiter()
            entry = (group, waiter)
            try:
                with self._turn:
                    if not self._busy(group):
                        wakes = self._take_all(group, taken)
                        break
                    self._all.append(entry)
                left = None if end is None else end - SYSTEM_CLOCK.monotonic()
                woken = wait_for(waiter, left, "all outcomes")
            except BaseException:  # a signal's handler has raised
                if taken:
                    self._give_back(taken)
                raise
            finally:
                with self._turn:
                    if entry in self._all:
                        self._all.remove(entry)
            if not woken and self._busy(group):
                raise JoinTimeout(f"not all agents ended within {timeout} s; nothing was taken", self.partial(group))
        try:
            for other in wakes:
                other.wake()
            return _outcomes(taken)
        except BaseException:
            self._give_back(taken)
            raise

    def partial(self, group: Hashable = None) -> dict[AgentId, AgentOutcome[Any]]:
        """What is there to be taken (of *group*), without taking it."""
        with self._turn:
            return _outcomes(self._of(group))

    def _of(self, group: Hashable) -> dict[AgentId, AgentCell]:
        if group is None:
            return self._ready
        return {id_: cell for id_, cell in self._ready.items() if cell.spec.group == group}

    def _take_all(self, group: Hashable, taken: dict[AgentId, AgentCell]) -> list[Waiter]:
        taken.update(self._of(group))
        if group is None:
            self._ready = {}
        else:
            for id_ in taken:
                del self._ready[id_]
        return self._emptied()

    def pending(self) -> list[AgentCell]:
        """Those that have not ended yet."""
        with self._turn:
            return list(self._pending.values())


def _outcomes(cells: dict[AgentId, AgentCell]) -> Outcomes:
    return Outcomes((id_, cell.outcome) for id_, cell in cells.items() if cell.outcome is not None)

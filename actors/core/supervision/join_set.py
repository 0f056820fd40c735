"""What the caller is owed: outcomes, each taken once."""

from __future__ import annotations

import sys
from collections import deque
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ...errors import JoinTimeout
from ..clock import SYSTEM_CLOCK
from ..records.failed import has_failed
from ..records.outcomes import Outcomes
from ..waiting.wait_graph import AllOutcomes, AnyOf, wait_for
from ..waiting.waiter import Waiter, Wakeable

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from ..records.message import AgentId
    from ..records.outcome import AgentOutcome
    from ..scheduling.agent_cell import AgentCell
    from ..scheduling.turn import Turn

WaiterT = TypeVar("WaiterT", bound=Wakeable)
MANY = 1000
"""Outcomes that are there and that nobody has taken: of so many it is said."""


class Taker(Generic[WaiterT]):
    """One who waits for the next outcome. Whoever ends an agent hands it over, so that who is woken looks no more.

    Locks: the pool's turn guards ``cell`` while it stands in line.
    """

    __slots__ = ("cell", "waiter")

    def __init__(self, waiter: WaiterT) -> None:
        self.cell: AgentCell | None = None
        self.waiter = waiter


class Gatherer(Generic[WaiterT]):
    """One who waits for all outcomes (of *group*, which is the key of one)."""

    __slots__ = ("group", "waiter")

    def __init__(self, group: Hashable, waiter: WaiterT) -> None:
        self.group = group
        self.waiter = waiter


class Strictness:
    """While it holds, who fails takes the rest (of *group*) along; None is everybody."""

    __slots__ = ("group",)

    def __init__(self, group: Hashable) -> None:
        self.group = group


class JoinSet:
    """The agents whose outcomes are owed, and those who wait for them.

    Args:
        when_many: Called once, when ``MANY`` have ended and nobody takes them.

    An agent that has ended is ready; or, when somebody waits for the next one, handed to who has waited longest. It is
    owed until that one's thread has it: a taker that is cancelled or interrupted gives it back.

    Guarantees: an outcome is taken once; a wait that runs out takes nothing; nobody waits when nothing is owed, and
    nobody is told so while something may be given back; who waits for the next one is served in order.

    Locks: the pool's turn, which it shares, guards what changes; ``_pending``, ``_ready``, ``_handed`` and ``_groups``
    are looked at without it. ``_all`` changes by single operations, and ``_handed`` by those of takers: who waits
    enters itself, then looks whether somebody is pending or handed; who takes the last one out of those looks whom to
    wake. :meth:`add` and :meth:`finish` are called under the turn, the others take it: once, unless they give up.
    Waiters are woken after it is released.
    """

    def __init__(
        self, turn: Turn, *, cancels_rest: bool = False, when_many: Callable[[], object] | None = None
    ) -> None:
        self._turn = turn
        self._when_many = when_many
        self._many = sys.maxsize if when_many is None else MANY
        self._strict: list[Strictness] = [Strictness(None)] if cancels_rest else []
        self._broken = False
        self._pending: dict[AgentId, AgentCell] = {}
        self._ready: dict[AgentId, AgentCell] = {}  # in order of completion
        self._groups: dict[Hashable, int] = {}
        self._next: deque[Taker[Any]] = deque()  # only while nothing is ready
        self._handed: dict[AgentId, AgentCell] = {}  # to takers whose threads have not run yet
        self._all: list[Gatherer[Any]] = []
        self._any = AnyOf(self.pending)

    def __len__(self) -> int:
        return len(self._pending) + len(self._ready) + len(self._handed)

    # Under the turn ---------------------------------------------------------------------------------------------

    def add(self, cell: AgentCell) -> None:
        """*cell* was admitted."""
        self._pending[cell.id] = cell
        group = cell.group
        if group is not None:
            self._groups[group] = self._groups.get(group, 0) + 1

    def finish(self, cell: AgentCell, wakes: list[Wakeable], calls: deque[Callable[[], object]]) -> list[AgentCell]:
        """The outcome of *cell* is there. Whoever has to be woken is added to *wakes*, what is to be said to *calls*.

        Returns:
            Those that are to be cancelled, as *cell* failed.
        """
        if self._pending.pop(cell.id, None) is None:
            return []  # taken out before: detached
        self._ready[cell.id] = cell
        grouped = cell.group is not None
        if grouped:
            self._left_pending(cell)
        if self._next:
            self._hand_out(wakes)
        if self._all and (grouped or not self._pending):  # else who waits for all waits for others, too
            self._wake_all(wakes)
        if len(self._ready) >= self._many:
            self._tell_of_many(calls)
        return self._rest_of(cell) if self._strict else []

    def _tell_of_many(self, calls: deque[Callable[[], object]]) -> None:
        if self._when_many is not None and not self._all:  # else somebody waits for them
            self._many = sys.maxsize
            calls.append(self._when_many)

    def _rest_of(self, cell: AgentCell) -> list[AgentCell]:
        assert cell.outcome is not None
        if not has_failed(cell.outcome):
            return []
        if any(one.group is None for one in self._strict):
            self._broken = True
            return list(self._pending.values())
        group = cell.group
        return self._pending_of(group) if any(one.group == group for one in self._strict) else []

    def _pending_of(self, group: Hashable) -> list[AgentCell]:
        return [cell for cell in self._pending.values() if group is None or cell.group == group]

    def is_broken(self) -> bool:
        """Has somebody failed, and taken everybody along?"""
        return self._broken

    def be_strict(self, strictness: Strictness) -> list[AgentCell]:
        """*strictness* holds from now on; those whom one that failed already takes along. Under the turn."""
        self._strict.append(strictness)
        group = strictness.group
        failed = any(cell.outcome is not None and has_failed(cell.outcome) for cell in self._of(group).values())
        return self._pending_of(group) if failed else []

    def be_lenient(self, strictness: Strictness) -> None:
        """The end of :meth:`be_strict`, if the taking was not. Whatever comes in between, it is done."""
        try:
            with self._turn:
                if strictness in self._strict:
                    self._strict.remove(strictness)
        finally:
            if strictness in self._strict:
                self.be_lenient(strictness)

    def _left_pending(self, cell: AgentCell) -> None:
        group = cell.group
        if group is not None:
            left = self._groups[group] = self._groups[group] - 1
            if not left:
                del self._groups[group]

    def _wake_all(self, wakes: list[Wakeable]) -> None:
        # A copy: others enter and leave meanwhile.
        wakes.extend(gatherer.waiter for gatherer in list(self._all) if not self._busy(gatherer.group))

    def _busy(self, group: Hashable) -> bool:
        """Has somebody (of *group*) not ended, or may be given back?"""
        if group is None:
            return bool(self._pending or self._handed)
        return group in self._groups or any(cell.group == group for cell in list(self._handed.values()))

    def _hand_out(self, wakes: list[Wakeable]) -> None:
        """Give what is ready to those who wait for a next one; when nothing is owed any more, they wait in vain."""
        while self._next and (self._ready or not (self._pending or self._handed)):
            taker: Taker[Any] = self._next.popleft()
            if self._ready:
                taker.cell = cell = self._ready.pop(next(iter(self._ready)))
                self._handed[cell.id] = cell
            wakes.append(taker.waiter)

    # For callers ------------------------------------------------------------------------------------------------

    def remove(self, cell: AgentCell) -> None:
        """*cell* is not owed (any more): it was taken through its handle, or detached."""
        wakes: list[Wakeable] = []
        with self._turn.signals_held_off:  # an interrupt must leave nobody asleep
            with self._turn:  # the end of the agent looks at the owner, too
                if cell.owner is not self:
                    return
                cell.owner = None
                if self._pending.pop(cell.id, None) is not None:
                    self._left_pending(cell)
                    self._wake_all(wakes)
                elif self._ready.pop(cell.id, None) is None:
                    return
                self._hand_out(wakes)
            _wake(wakes)

    def next(self, timeout: float | None = None) -> AgentOutcome[Any] | None:
        """Take the next outcome; None when nothing is owed.

        Raises:
            TimeoutError: Nothing ended in time; nothing is lost.
            DeadlockError: Only the calling agent, and those who wait for it, are owed.
        """
        taker = Taker(Waiter())
        try:
            late = (
                self.line_up(taker)
                and not wait_for(taker.waiter, timeout, "the next outcome", self._any)
                and self.withdraw(taker)
            )
            if not late:
                return self.collect(taker)
        except BaseException:  # also what a signal's handler has raised anywhere in between
            self.undo(taker)
            raise
        raise TimeoutError(none_in_time(timeout))

    def all(
        self, timeout: float | None = None, group: Hashable = None, strictness: Strictness | None = None
    ) -> Outcomes:
        """Take everything (of *group*), once all of it has ended.

        Args:
            group: The key of one.
            strictness: What ends with the taking.
        Raises:
            JoinTimeout: Not all ended in time; nothing was taken, ``partial`` shows what is there.
        """
        self._turn.refuse_inside()
        end = None if timeout is None else SYSTEM_CLOCK.monotonic() + timeout
        everybody = AllOutcomes(lambda: [cell for cell in self.pending() if group is None or cell.group == group])
        while True:
            gatherer = Gatherer(group, Waiter())
            try:
                left = None if end is None else end - SYSTEM_CLOCK.monotonic()
                woken = not self.gather(gatherer) or wait_for(gatherer.waiter, left, "all outcomes", everybody)
            finally:
                self.leave(gatherer)
            taken = self.take_all(group, strictness)
            if taken is not None:
                return taken
            if not woken:  # else somebody was started since
                raise self.too_late(timeout, group)

    # What a wait consists of, for threads and for coroutines ----------------------------------------------------

    def line_up(self, taker: Taker[Any]) -> bool:
        """Let *taker* have what is ready, or stand in line; False when there is nothing to wait for."""
        with self._turn:
            if self._ready:  # then nobody stands in line
                taker.cell = self._ready.pop(next(iter(self._ready)))
                return False
            self._next.append(taker)  # and then looks
            if self._pending or self._handed:
                return True
            self._next.pop()
            return False

    def collect(self, taker: Taker[Any]) -> AgentOutcome[Any] | None:
        """What *taker* was given has reached it. Who waited in case that it is given back is told."""
        cell = taker.cell
        if cell is None:
            return None
        if self._handed.pop(cell.id, None) is not None and (self._next or self._all):
            wakes: list[Wakeable] = []
            with self._turn.signals_held_off:  # an interrupt must leave nobody asleep
                with self._turn:
                    self._hand_out(wakes)
                    self._wake_all(wakes)
                _wake(wakes)
        return cell.outcome

    def withdraw(self, taker: Taker[Any]) -> bool:
        """Stop waiting; False when it stands in line no more: it was served just now."""
        with self._turn:
            try:
                self._next.remove(taker)
            except ValueError:
                return False
            return True

    def undo(self, taker: Taker[Any]) -> None:
        """*taker* was interrupted: it waits no longer, and takes nothing. Whatever comes in between, this is done."""
        if taker.cell is None and taker not in self._next:
            return
        try:
            with self._turn.signals_held_off:
                self.withdraw(taker)
                if taker.cell is not None:
                    self._give_back({taker.cell.id: taker.cell})
                    taker.cell = None
        finally:
            self.undo(taker)

    def _give_back(self, taken: dict[AgentId, AgentCell]) -> None:
        """What was taken reached nobody: it is owed as before, but for what was taken through its handle meanwhile."""
        wakes: list[Wakeable] = []
        with self._turn.signals_held_off:
            with self._turn:
                kept = dict(taken), self._ready  # until the turn is over: whose owner is another may be let go of here
                for id_ in taken:
                    self._handed.pop(id_, None)
                self._ready = {**{id_: cell for id_, cell in taken.items() if cell.owner is self}, **self._ready}
                taken.clear()
                self._hand_out(wakes)
                self._wake_all(wakes)
            del kept
            _wake(wakes)

    def gather(self, gatherer: Gatherer[Any]) -> bool:
        """Let *gatherer* wait for all; False when there is nothing to wait for."""
        self._all.append(gatherer)  # and then looks
        return self._busy(gatherer.group)

    def leave(self, gatherer: Gatherer[Any]) -> None:
        """*gatherer* waits no longer."""
        try:
            self._all.remove(gatherer)
        except ValueError:  # an interrupt came before it was there
            pass

    def too_late(self, timeout: float | None, group: Hashable) -> JoinTimeout:
        """What to raise when not all (of *group*) have ended in time."""
        return JoinTimeout(f"not all agents ended within {timeout} s; nothing was taken", self.partial(group))

    def take_all(self, group: Hashable, strictness: Strictness | None = None) -> Outcomes | None:
        """Take all that is ready (of *group*), once nobody is left; None when somebody is."""
        taken: dict[AgentId, AgentCell] = {}
        try:
            return _outcomes(taken) if self._take_all(group, taken, strictness) else None
        except BaseException:  # a signal's handler has raised
            self._undo_all(taken)
            raise

    def _undo_all(self, taken: dict[AgentId, AgentCell]) -> None:
        """An interrupt came after the taking. Whatever comes in between, what was taken is owed again."""
        try:
            self._give_back(taken)
        finally:
            if taken:
                self._undo_all(taken)

    def partial(self, group: Hashable = None) -> dict[AgentId, AgentOutcome[Any]]:
        """What is there to be taken (of *group*), without taking it."""
        with self._turn:
            return _outcomes(self._of(group))

    def ready(self) -> list[AgentOutcome[Any]]:
        """The same, under the turn."""
        return [cell.outcome for cell in self._ready.values() if cell.outcome is not None]

    def _of(self, group: Hashable) -> dict[AgentId, AgentCell]:
        if group is None:
            return self._ready
        return {id_: cell for id_, cell in self._ready.items() if cell.group == group}

    def _take_all(self, group: Hashable, taken: dict[AgentId, AgentCell], strictness: Strictness | None) -> bool:
        """Move all that is ready (of *group*) to *taken*; False when somebody has not ended."""
        wakes: list[Wakeable] = []
        with self._turn.signals_held_off:
            with self._turn:
                if self._busy(group):
                    return False
                taken.update(self._of(group))
                if group is None:
                    self._ready = {}
                else:
                    for id_ in taken:
                        del self._ready[id_]
                if strictness in self._strict:
                    self._strict.remove(strictness)
                self._hand_out(wakes)
            _wake(wakes)
        return True

    def pending(self) -> list[AgentCell]:
        """Those that have not ended yet."""
        with self._turn:
            return list(self._pending.values())


def none_in_time(timeout: float | None) -> str:
    """What to say when no outcome came within *timeout* seconds."""
    return f"no agent ended within {timeout} s; nothing is lost"


def _wake(waiters: list[Wakeable]) -> None:
    for waiter in waiters:
        waiter.wake()


def _outcomes(cells: dict[AgentId, AgentCell]) -> Outcomes:
    return Outcomes((id_, cell.outcome) for id_, cell in cells.items() if cell.outcome is not None)

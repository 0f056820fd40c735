"""Whose turn it is in a session: one agent of a pool at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from ..core.checks import leaf_lock
from ..core.records.state import QUEUED
from ..core.shown import shown
from ..core.waiting.wait_graph import WaitNode, refuse_circle, wait_for
from ..core.waiting.waiter import Waiter
from ..errors import Cancelled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..core.records.outcome import AgentOutcome
    from ..core.records.state import AgentState
    from ..core.waiting.wait_graph import WaitMember


class AtSession(Protocol):
    """An agent as far as a line needs it: its cell."""

    state: AgentState
    has_slot: bool
    outcome: AgentOutcome | None


class SessionPlace:
    """Where one agent stands in the line of a session.

    Locks: that of the lines guards ``waiter``.
    """

    __slots__ = ("cell", "session", "waiter")

    def __init__(self, session: str, cell: AtSession) -> None:
        self.session = session
        self.cell = cell
        self.waiter: Waiter | None = None

    def has_begun(self) -> bool:
        """Did it get its first slot, or a place elsewhere, and has it not ended?"""
        return (self.cell.state is not QUEUED or self.cell.has_slot) and self.cell.outcome is None


class SessionLines:
    """The agents of one pool at each session, in the order of their admission.

    Guarantees: one agent at a time is at a session. Who has begun waits for those that were admitted before and have
    begun, too; one that is still queued is overtaken, so that agents of a low priority hold up none.

    Threads: any.

    Locks: ``_lock`` guards the lines, ``_holders`` and each place's ``waiter``; nobody is woken under it.
    """

    def __init__(self) -> None:
        self._lock = leaf_lock()
        self._lines: dict[str, list[SessionPlace]] = {}
        self._holders: dict[str, SessionPlace] = {}

    def enter(self, session: str, cell: AtSession) -> SessionPlace:
        """Stand in the line of *session*, at its end."""
        place = SessionPlace(session, cell)
        with self._lock:
            self._lines.setdefault(session, []).append(place)
        return place

    def length(self, session: str) -> int:
        """How many stand there, or are at it."""
        with self._lock:
            return len(self._lines.get(session, ()))

    def take(self, place: SessionPlace) -> None:
        """Wait, parked, until it is the turn of *place*. The agent's own thread.

        Raises:
            Cancelled: The agent was cancelled, ran out of time, or was ended by another thread.
            DeadlockError: The one that is waited for is an ancestor of the agent, or waits for it.
        """
        while (waiter := self._wait_at(place)) is not None:
            for one in self.ahead(place):
                refuse_circle(place.cell, one)  # type: ignore[arg-type]  # a cell is a member
            wait_for(waiter, None, f"session {shown(place.session)}", TurnOf(self, place))
        if self._holders.get(place.session) is not place:
            raise Cancelled("it has ended")

    def _wait_at(self, place: SessionPlace) -> Waiter | None:
        """Where *place* has to wait; None when it is its turn, or it has left."""
        with self._lock:
            if place not in self._lines.get(place.session, ()):
                return None
            if self._ahead(place):
                place.waiter = Waiter()
            else:
                place.waiter = None
                self._holders[place.session] = place
            return place.waiter

    def ahead(self, place: SessionPlace) -> Sequence[WaitMember]:
        """Those whom *place* waits for."""
        with self._lock:
            return [one.cell for one in self._ahead(place)]  # type: ignore[misc]  # a cell is a member

    def _ahead(self, place: SessionPlace) -> list[SessionPlace]:
        holder = self._holders.get(place.session)
        ahead = [] if holder is None or holder is place else [holder]
        for one in self._lines.get(place.session, ()):
            if one is place:
                break
            if one is not holder and one.has_begun():
                ahead.append(one)
        return ahead

    def leave(self, place: SessionPlace) -> None:
        """It needs the session no more: the next one goes on. Twice does nothing twice."""
        waiter = None
        with self._lock:
            line = self._lines.get(place.session)
            if line is None or place not in line:
                return
            line.remove(place)
            mine = place.waiter
            if self._holders.get(place.session) is place:
                del self._holders[place.session]
            if not line:
                del self._lines[place.session]
            elif place.session not in self._holders:
                waiter = next((one.waiter for one in line if one.has_begun()), None)
        for one in (waiter, mine):  # its own: another thread may have ended it while it stood there
            if one is not None:
                one.wake()


class TurnOf(WaitNode):
    """The turn of a session that *place* waits for.

    Locks: none of its own; what it tells may have changed when it is looked at.
    """

    __slots__ = ("_lines", "_place")

    def __init__(self, lines: SessionLines, place: SessionPlace) -> None:
        self._lines = lines
        self._place = place

    @property
    def label(self) -> str:
        """How messages name it."""
        return f"session {shown(self._place.session)}"

    def targets(self) -> Sequence[WaitNode]:
        """Those who stand before it."""
        return self._lines.ahead(self._place)

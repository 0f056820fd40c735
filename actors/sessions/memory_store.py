"""The turns of sessions in memory, for tests: gone with the process."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ..agent.turns import SessionFacts, Turn
from ..core.checks import leaf_lock
from ..errors import SessionError
from .refusals import conflict, not_there, there_already

if TYPE_CHECKING:
    from collections.abc import Sequence


class _Kept:
    __slots__ = ("created_at", "forked_from", "turns", "updated_at")

    def __init__(self, at: datetime, turns: Sequence[Turn] = (), forked_from: str | None = None) -> None:
        self.turns = list(turns)
        self.created_at = self.updated_at = at
        self.forked_from = forked_from


class MemoryStore:
    """Sessions of this process alone.

    Threads: any.

    Locks: ``_lock`` guards all that is kept.
    """

    def __init__(self) -> None:
        self._lock = leaf_lock()
        self._kept: dict[str, _Kept] = {}
        self._is_closed = False

    def _all(self) -> dict[str, _Kept]:
        """Under the lock."""
        if self._is_closed:
            raise SessionError("the sessions are closed")
        return self._kept

    def facts(self, session: str) -> SessionFacts | None:
        """What is known of *session*."""
        with self._lock:
            kept = self._all().get(session)
            return None if kept is None else _facts(session, kept)

    def turns(self, session: str, last: int | None = None) -> list[Turn]:
        """The turns of *session* in order, or the last so many."""
        with self._lock:
            kept = self._all().get(session)
            turns = [] if kept is None else kept.turns.copy()
        return turns if last is None else turns[max(0, len(turns) - last) :]

    def append(self, session: str, turn: Turn, *, again: bool = False) -> None:
        """Store *turn*, which is to be the next one of *session*."""
        with self._lock:
            every = self._all()
            kept = every.get(session)
            turns = [] if kept is None else kept.turns
            if again and turn.number <= len(turns) and replace(turns[turn.number - 1], at=turn.at) == turn:
                return
            if turn.number != len(turns) + 1:
                raise conflict(session, turn, len(turns))
            if kept is None:
                kept = every[session] = _Kept(turn.at)
            kept.turns.append(turn)
            kept.updated_at = turn.at

    def undo(self, session: str) -> Turn | None:
        """Drop the last turn of *session*, and return it."""
        with self._lock:
            kept = self._all().get(session)
            if kept is None:
                return None
            turn = kept.turns.pop()
            kept.updated_at = datetime.now(UTC)
            if not kept.turns:
                del self._kept[session]
            return turn

    def fork(self, session: str, new: str, turns: int | None = None) -> None:
        """Begin *new* as a copy of *session*, or of its first so many turns."""
        with self._lock:
            every = self._all()
            if new in every:
                raise there_already(new)
            if session not in every:
                raise not_there(session)
            every[new] = _Kept(datetime.now(UTC), every[session].turns[:turns], session)

    def list(self, limit: int, before: datetime | None = None) -> list[SessionFacts]:
        """At most *limit* sessions, the one that was updated last first."""
        with self._lock:
            found = [_facts(session, kept) for session, kept in self._all().items()]
        found.sort(key=lambda each: (-each.updated_at.timestamp(), each.id))
        return [each for each in found if before is None or each.updated_at < before][:limit]

    def delete(self, session: str) -> bool:
        """Drop *session* with all its turns; was it there?"""
        with self._lock:
            return self._all().pop(session, None) is not None

    def prune(self, before: datetime) -> int:
        """Drop all sessions that were updated last before that moment."""
        with self._lock:
            old = [session for session, kept in self._all().items() if kept.updated_at < before]
            for session in old:
                del self._kept[session]
            return len(old)

    def close(self) -> None:
        """Forget all of it."""
        with self._lock:
            self._is_closed = True
            self._kept = {}


def _facts(session: str, kept: _Kept) -> SessionFacts:
    return SessionFacts(session, len(kept.turns), kept.created_at, kept.updated_at, kept.forked_from)

"""One conversation that goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..agent.keys import refuse_bad_id

if TYPE_CHECKING:
    from datetime import datetime

    from ..agent.turns import SessionFacts, SessionStore, Turn
    from ..core.records.conversation import Message


class Session:
    """One conversation, as it is stored: it is there from its first turn on, and empty before.

    ``len(session)`` says how many turns it has.

    Example:
        ```python
        from actors import AgentManifest, AgentPool, Sessions

        with Sessions("chats.db") as sessions:
            with AgentPool("echo", sessions=sessions) as pool:
                pool.converse(AgentManifest(name="friend"), "user-42").ask("Good morning")
            session = sessions.get("user-42")
            for turn in session.turns():
                print(turn.number, turn.query, "->", turn.text)
        ```

        ```text
        1 Good morning -> Good morning
        ```

    Args:
        facts: What was known of it when it was listed; None looks when it is asked for.

    Threads: any. Locks: none; it keeps nothing but its id.
    """

    __slots__ = ("_facts", "_store", "id")

    def __init__(self, store: SessionStore, session: str, facts: SessionFacts | None = None) -> None:
        self._store = store
        self._facts = facts
        self.id = session

    def turns(self) -> list[Turn]:
        """All turns, in order.

        Raises:
            SessionError: They cannot be read: damaged, or written by a newer version of the library.
        """
        return list(self._store.turns(self.id))

    def last(self, count: int) -> list[Turn]:
        """The last so many turns, in order.

        Raises:
            SessionError: As for :meth:`turns`.
            ValueError: *count* is below 0.
        """
        refuse_no_count(0, count=count)
        return list(self._store.turns(self.id, count))

    def messages(self, last: int | None = None) -> list[Message]:
        """What was said: of all turns, or of the last so many.

        Raises:
            SessionError: As for :meth:`turns`.
            ValueError: *last* is below 0.
        """
        if last is not None:
            refuse_no_count(0, last=last)
        return [message for turn in self._store.turns(self.id, last) for message in turn.messages]

    def undo(self) -> Turn | None:
        """Drop the last turn, and return it; None when there is none. An agent that is at its next turn meanwhile
        cannot store it (``SessionConflict``).

        Raises:
            SessionError: It cannot be dropped.
        """
        return self._store.undo(self.id)

    def fork(self, new_id: str, turns: int | None = None) -> Session:
        """Begin another session with what was said in this one, or with its first so many turns. From then on each goes
        its own way.

        Raises:
            SessionError: There is a session of that id, or this one has no turn.
            ValueError: *new_id* can be no id, or *turns* is below 1.
        """
        refuse_bad_id(new_id)
        if turns is not None:
            refuse_no_count(1, turns=turns)
        self._store.fork(self.id, new_id, turns)
        return Session(self._store, new_id)

    @property
    def created_at(self) -> datetime | None:
        """When its first turn was stored, or it was forked, UTC; None before."""
        facts = self._look()
        return None if facts is None else facts.created_at

    @property
    def updated_at(self) -> datetime | None:
        """When a turn of it was last stored or dropped, UTC; None before the first."""
        facts = self._look()
        return None if facts is None else facts.updated_at

    @property
    def forked_from(self) -> str | None:
        """The id of the session that it began as a copy of; None for any other."""
        facts = self._look()
        return None if facts is None else facts.forked_from

    def _look(self) -> SessionFacts | None:
        return self._store.facts(self.id) if self._facts is None else self._facts

    def __len__(self) -> int:
        facts = self._look()
        return 0 if facts is None else facts.turns

    def __bool__(self) -> bool:  # else one without turns would be as none
        return True

    def __repr__(self) -> str:
        return f"<Session {self.id!r}>"


def refuse_no_count(least: int, **given: object) -> None:
    """Raise when one of *given* is no whole number, or too small.

    Raises:
        TypeError, ValueError: It is.
    """
    for name, value in given.items():
        if isinstance(value, bool) or not isinstance(value, int):
            raise TypeError(f"{name} must be a whole number, got {value!r}")
        if value < least:
            raise ValueError(f"{name} must be at least {least}, got {value}")

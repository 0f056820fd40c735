"""Conversations that go on, as agents and stores of one's own see them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from ..core.records.conversation import Message
    from ..core.records.usage import TokenUsage


@dataclass(frozen=True, slots=True)
class TurnSummary:
    """A summary that was bought in a turn, where a conversation no longer fits its window (``policy = "summarize"``):
    later turns send it, too, and need not buy it again.

    It stands for all that was said from turn *first* on, before message *messages* of turn *turn*; but for the query of
    the turn in which it was bought.

    Args:
        text: What is sent.
        first: The number of a turn.
        turn: The number of a turn.
        messages: So many messages of that turn it stands for.
        at: So many messages of its own turn were there when it was bought.
    """

    text: str
    first: int
    turn: int
    messages: int
    at: int


@dataclass(frozen=True, slots=True)
class Turn:
    """A query and all that followed from it, to the answer.

    Args:
        number: From 1, without a gap.
        query: What was asked, as text.
        messages: The query, all answers, tool calls and results; not the system prompt.
        text: The answer.
        usage: Tokens of all completions of the turn.
        agent: The name of who answered.
        model: The model that it asked; None where nobody says.
        at: When it was stored, UTC.
        summary: What was bought in it so that what was said before fits; None: nothing. Turns are equal without it.
    """

    number: int
    query: str
    messages: tuple[Message, ...]
    text: str
    usage: TokenUsage
    cost_usd: float
    agent: str
    model: str | None
    at: datetime
    summary: TurnSummary | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class SessionFacts:
    """What a store knows of a session beside its turns.

    Args:
        turns: How many it has: at least 1.
        created_at: UTC.
        updated_at: When a turn of it was last stored or dropped, UTC.
        forked_from: The id of the session that it began as a copy of; None for any other.
    """

    id: str
    turns: int
    created_at: datetime
    updated_at: datetime
    forked_from: str | None = None


class SessionStore(Protocol):
    """Where the turns of sessions are kept. ``Sessions`` has two; one of your own passes
    ``actors.testing.SessionConformance``, and is used as ``Sessions.over(store)``.

    Guarantees: a turn is stored whole or not at all; each number of a session is given once, whoever else writes it.
    What is read is what was written.

    Threads: any.
    """

    def facts(self, session: str) -> SessionFacts | None:
        """What is known of *session*; None: it has no turn.

        Raises:
            SessionError: It cannot be read.
        """

    def turns(self, session: str, last: int | None = None) -> Sequence[Turn]:
        """The turns of *session* in order, or the last so many; none where there is no such session.

        Raises:
            SessionError: They cannot be read: damaged, or of a newer version.
        """

    def append(self, session: str, turn: Turn, *, again: bool = False) -> None:
        """Store *turn*, which is to be the next one of *session*; a session begins with its first.

        Args:
            again: It may have been stored before: where a turn of that number is there that differs in nothing but the
                moment, nothing is done.
        Raises:
            SessionConflict: Its number is not the next one.
            SessionError: It cannot be stored.
        """

    def undo(self, session: str) -> Turn | None:
        """Drop the last turn of *session*, and return it; None when there is none. Without turns it is gone.

        Raises:
            SessionError: It cannot be dropped.
        """

    def fork(self, session: str, new: str, turns: int | None = None) -> None:
        """Begin *new* as a copy of *session*, or of its first so many turns.

        Raises:
            SessionError: *new* is there, *session* is not, or it cannot be stored.
        """

    def list(self, limit: int, before: datetime | None = None) -> Sequence[SessionFacts]:
        """At most *limit* sessions, the one that was updated last first; those that were before *before*.

        Raises:
            SessionError: They cannot be read.
        """

    def delete(self, session: str) -> bool:
        """Drop *session* with all its turns; was it there?

        Raises:
            SessionError: It cannot be dropped.
        """

    def prune(self, before: datetime) -> int:
        """Drop all sessions that were updated last before that moment; how many were there?

        Raises:
            SessionError: They cannot be dropped.
        """

    def close(self) -> None:
        """Let go of it. Twice does nothing twice."""

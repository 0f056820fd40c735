"""What a store of sessions refuses, in the words of its errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import SessionConflict, SessionError

if TYPE_CHECKING:
    from ..agent.turns import Turn


def conflict(session: str, turn: Turn, last: int) -> SessionConflict:
    """What to raise when *turn* is not the next one of a session that has *last*."""
    what = "was stored by another one" if turn.number <= last else f"would leave a gap: turn {last} is now the last"
    return SessionConflict(
        f"session {session!r} has changed since the turn began: its turn {turn.number} {what}; nothing was "
        "overwritten, and the answer is not stored (it is the text of this error)",
        session=session,
        number=turn.number,
        text=turn.text,
    )


def there_already(session: str) -> SessionError:
    """What to raise when a session is there that is to begin."""
    return SessionError(
        f"session {session!r} is there already: nothing is overwritten; give another id", session=session
    )


def not_there(session: str) -> SessionError:
    """What to raise when a session that is to be copied has no turn."""
    return SessionError(f"there is no session {session!r}: it is there from its first turn on", session=session)

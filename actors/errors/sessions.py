"""What goes wrong with conversations that go on."""

from __future__ import annotations

from .base import AgentError


class SessionError(AgentError):
    """A session cannot be read, or a turn of it cannot be stored.

    Args:
        message: What happened.
        session: The id of the session; empty for all of them.
        text: The answer of the turn that could not be stored; empty where there is none.
    """

    def __init__(self, message: str = "", *, session: str = "", text: str = "") -> None:
        super().__init__(message)
        self.session = session
        self.text = text


class SessionConflict(SessionError):
    """The session has changed since the turn began: another process was first. Nothing of it was overwritten, and the
    turn is not stored.

    Args:
        message: What happened.
        session: The id of the session.
        number: Of the turn that could not be stored.
        text: Its answer.
    """

    def __init__(self, message: str = "", *, session: str = "", number: int = 0, text: str = "") -> None:
        super().__init__(message, session=session, text=text)
        self.number = number

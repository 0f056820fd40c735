"""What may be the key of an agent, and the id of a session."""

from __future__ import annotations

from ..core.records.json_marks import is_utf8

LONGEST_KEY = 500
"""Characters of a key, and of the name of a step."""
LONGEST_ID = 200
"""Characters of the id of a session."""


def problem_of_key(key: object) -> str | None:
    """What is wrong with a key; None when nothing is."""
    if not isinstance(key, str):
        return f"a key is text, not {type(key).__name__}"
    if not key:
        return "a key must not be empty: leave it out, and one is made"
    if len(key) > LONGEST_KEY:
        return f"a key has at most {LONGEST_KEY} characters, this one has {len(key)}"
    return None if is_utf8(key) else "a key must be text that UTF-8 can hold: this one has a lone surrogate"


def problem_of_id(session: object) -> str | None:
    """Why that cannot be the id of a session; None when it can."""
    if not isinstance(session, str):
        return f"the id of a session must be text, got {type(session).__name__}"
    if not session:
        return "the id of a session must not be empty"
    if len(session) > LONGEST_ID:
        return f"the id of a session has at most {LONGEST_ID} characters, got {len(session)}"
    if not is_utf8(session):
        return f"the id of a session must be text that can be written, got {session!r} (half of a surrogate pair)"
    return None


def refuse_bad_id(session: object) -> None:
    """Raise when that cannot be the id of a session.

    Raises:
        ValueError: It is empty, too long, or no text.
    """
    problem = problem_of_id(session)
    if problem is not None:
        raise ValueError(problem)

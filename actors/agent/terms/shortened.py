"""Text that is too long for a model, in fewer characters."""

from __future__ import annotations

LONGEST = 100_000
"""Characters of each text that a model is told, but for the query: a result, an error, a message, a memory."""


def shortened(text: str, longest: int = LONGEST) -> str:
    """*text* in at most *longest* characters: what is left out stands in the middle, and is said."""
    if len(text) <= longest:
        return text
    room = max(0, longest - len(left_out(len(text))))
    tail = room // 4
    return text[: room - tail] + left_out(len(text) - room) + text[len(text) - tail :]


def left_out(characters: int) -> str:
    """What stands where so many characters were taken out."""
    return f"\n[... {characters:,} characters left out ...]\n"

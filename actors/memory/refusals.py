"""What a memory is given, checked at its door."""

from __future__ import annotations

from ..errors import MemoryFailed

LARGEST = 100_000_000
"""Characters of one text."""


def refuse_no_text(**given: object) -> None:
    """Raise when one of *given* is no text, or too long.

    Raises:
        TypeError, MemoryFailed: It is.
    """
    for name, text in given.items():
        if not isinstance(text, str):
            raise TypeError(f"{name} must be text, got {type(text).__name__}")
        if len(text) > LARGEST:
            raise MemoryFailed(f"{name} is too long: {len(text):,} characters, at most {LARGEST:,}")


def refuse_no_number(**given: object) -> None:
    """Raise when one of *given* is no whole number.

    Raises:
        TypeError: It is none.
    """
    for name, number in given.items():
        if isinstance(number, bool) or not isinstance(number, int):
            raise TypeError(f"{name} must be a whole number, got {number!r}")


def refuse_no_bound(max_fragments: int | None) -> None:
    """Raise when no memory can keep at most so many fragments.

    Raises:
        TypeError, ValueError: It cannot.
    """
    if max_fragments is None:
        return
    refuse_no_number(max_fragments=max_fragments)
    if max_fragments < 1:
        raise ValueError(f"max_fragments must be at least 1, or None for no bound; got {max_fragments}")

"""A memory as a model reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .terms.message_text import told
from .terms.shortened import shortened

if TYPE_CHECKING:
    from .ports import MemoryFragment

LONGEST_NAME = 200
"""Characters of the name of a document."""


def recalled(fragment: MemoryFragment) -> str:
    """A memory as a model is told it: with where it comes from."""
    origin = str(fragment.source)
    if fragment.document is not None:
        name = shortened(" ".join(fragment.document.split()), LONGEST_NAME)
        origin = f"{origin} {name}, piece {fragment.piece}"
    return told(f"[{origin}] {fragment.content}")

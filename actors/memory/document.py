"""What a memory says of a document."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class Document:
    """A document as a memory has it.

    Args:
        pieces: So many fragments.
        added_at: When the newest of them came, in UTC.
    """

    name: str
    pieces: int
    added_at: datetime

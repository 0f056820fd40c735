"""A call that was let through."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .window import Lot


@dataclass(slots=True, eq=False)
class Started:
    """One call: what it counts for in its minute, and what became of it.

    Args:
        lot: Where the window counts it.
        requests, tokens_so_far: Of all calls until then, with this one.
        told: Seconds that the headers of its refusal name; None when they do not.
    """

    at: float
    tokens: int
    lot: Lot | None = None
    requests: int = 0
    tokens_so_far: int = 0
    told: float | None = None
    counts: bool = False
    refused: bool = False
    known: bool = False

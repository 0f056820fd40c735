"""Embeddings as directions: of length 1, so that a dot product is a cosine."""

from __future__ import annotations

import math
from array import array
from sys import byteorder
from typing import TYPE_CHECKING

from ..errors import MemoryFailed

if TYPE_CHECKING:
    from collections.abc import Sequence

BYTES = 4
"""Of one number in a file."""


def direction_of(embedding: Sequence[float] | None) -> tuple[float, ...] | None:
    """*embedding* scaled to length 1; None when it points nowhere.

    Raises:
        MemoryFailed: It holds something that is not a finite number.
    """
    if embedding is None:
        return None
    try:
        numbers = [float(number) for number in embedding]
    except (TypeError, ValueError, OverflowError) as error:
        raise MemoryFailed(f"an embedding is a list of numbers: {error}") from error
    largest = max(map(abs, numbers), default=0.0)
    if not all(map(math.isfinite, numbers)):
        raise MemoryFailed("an embedding holds finite numbers only")
    if largest == 0.0:
        return None
    scaled = [number / largest for number in numbers]  # first, or the squares of huge numbers overflow
    length = math.hypot(*scaled)
    return tuple(number / length for number in scaled)


def packed(direction: Sequence[float]) -> bytes:
    """*direction* as it stands in a file: float32, the lowest byte first."""
    numbers = array("f", direction)
    if byteorder == "big":
        numbers.byteswap()
    return numbers.tobytes()


def unpacked(data: bytes) -> array[float]:
    """What :func:`packed` made bytes of."""
    numbers = array("f", data)
    if byteorder == "big":
        numbers.byteswap()
    return numbers

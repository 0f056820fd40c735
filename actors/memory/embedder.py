"""What makes vectors of texts: the seam, and one that needs nothing."""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING, Protocol

from ..agent.ports import PrivacyTier
from .word_index import words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..core.waiting.cancel import CancelToken


class Embedder(Protocol):
    """What makes vectors of texts, so that those that mean the same are near each other. Threads: any."""

    @property
    def model(self) -> str:
        """What the vectors are of: those of two models are never compared."""

    @property
    def dimensions(self) -> int:
        """Numbers of each vector."""

    @property
    def privacy_tier(self) -> PrivacyTier:
        """How far the texts travel."""

    def embed(self, texts: Sequence[str], *, cancel: CancelToken) -> list[Sequence[float]]:
        """One vector for each of *texts*, in their order.

        Raises:
            Cancelled: *cancel* came; the call has ended.
            DriverError: There are none.
        """


class HashEmbedder:
    """Vectors of the words alone: texts that share words are near each other. For tests, and where no model is; nothing
    leaves the process.

    Args:
        dimensions: Numbers of each vector.
    """

    privacy_tier = PrivacyTier.SOVEREIGN

    def __init__(self, dimensions: int = 256) -> None:
        if isinstance(dimensions, bool) or not isinstance(dimensions, int) or dimensions < 1:
            raise ValueError(f"dimensions must be a whole number, at least 1; got {dimensions!r}")
        self.model = "hash"
        self.dimensions = dimensions

    def embed(self, texts: Sequence[str], *, cancel: CancelToken) -> list[Sequence[float]]:
        """One vector for each of *texts*. The same text has the same vector in every process.

        Args:
            cancel: Looked at between two texts.
        """
        cancel.check()
        return [self._vector(text) for text in texts]

    def _vector(self, text: str) -> list[float]:
        vector = [0.0] * self.dimensions
        for word in words(text):
            digest = hashlib.blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest()
            place = int.from_bytes(digest, "little")
            vector[(place >> 1) % self.dimensions] += 1.0 if place & 1 else -1.0
        length = math.hypot(*vector)
        return [number / length for number in vector] if length else vector

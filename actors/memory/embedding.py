"""Asks an embedder, and looks at what it says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loguru import logger

from ..agent.ports import PrivacyTier
from ..core.waiting.cancel import CancelToken
from ..core.waiting.wait_graph import current
from ..errors import MemoryFailed
from .direction import direction_of, packed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .embedder import Embedder


class Embedding:
    """An embedder as a memory asks it: in the thread of who remembers or recalls; a cancel of the agent that works
    there ends the call.

    Args:
        embedder: What makes the vectors.
    Raises:
        TypeError, ValueError: It is none, or has no model or dimensions.

    Threads: any. ``_is_told`` is a flag: at worst a failure is logged twice.
    """

    def __init__(self, embedder: Embedder) -> None:
        if isinstance(embedder, type) or not callable(getattr(embedder, "embed", None)):
            got = embedder.__name__ if isinstance(embedder, type) else type(embedder).__name__
            raise TypeError(
                "embedder must be an object with model, dimensions, privacy_tier and embed(texts, *, cancel); "
                f"got {got}"
            )
        self._embedder = embedder
        self.model = embedder.model
        if not isinstance(self.model, str) or not self.model:
            raise ValueError(f"the model of an embedder is a name, got {self.model!r}")
        self.privacy_tier = PrivacyTier(embedder.privacy_tier)
        self._is_told = False

    @property
    def dimensions(self) -> int:
        """Numbers of each vector.

        Raises:
            MemoryFailed: The embedder does not say.
        """
        dimensions = self._embedder.dimensions
        if isinstance(dimensions, bool) or not isinstance(dimensions, int) or dimensions < 1:
            raise MemoryFailed(
                f"dimensions of the embedder {self.model!r} must be a whole number, at least 1; got {dimensions!r}"
            )
        return dimensions

    def known_dimensions(self) -> int | None:
        """As :attr:`dimensions`; None where the embedder has to ask somebody who does not answer."""
        try:
            return self.dimensions
        except Exception as error:  # noqa: BLE001 - a memory works by words alone
            logger.debug("how long the vectors of {!r} are is not known: {}", self.model, error)
            return None

    def vectors(self, texts: Sequence[str], *, cancel: CancelToken | None = None) -> list[tuple[float, ...] | None]:
        """The direction of each of *texts*; None for one that points nowhere.

        Raises:
            Cancelled: The agent was cancelled.
            MemoryFailed: What came are no such vectors.
            Exception: What the embedder raises.
        """
        if not texts:
            return []
        member = current()
        token = cancel or (CancelToken() if member is None else member.token)
        found = list(self._embedder.embed(list(texts), cancel=token))
        if len(found) != len(texts):
            raise MemoryFailed(
                f"the embedder {self.model!r} was given {len(texts)} texts and returned {len(found)} vectors"
            )
        directions = [direction_of(vector) for vector in found]
        wanted = self.dimensions
        for vector in directions:
            if vector is not None and len(vector) != wanted:
                raise MemoryFailed(
                    f"the embedder {self.model!r} says that it makes {wanted} numbers, and made {len(vector)}"
                )
        return directions

    def try_vectors(self, texts: Sequence[str], otherwise: str) -> list[tuple[float, ...] | None]:
        """As :meth:`vectors`; where there are none it is logged, once until it works again.

        Args:
            otherwise: What is done without.
        """
        try:
            found = self.vectors(texts)
        except Exception as error:  # noqa: BLE001 - a memory works by words alone
            if not self._is_told:
                self._is_told = True
                logger.opt(exception=error).warning("the embedder {!r} failed: {}", self.model, otherwise)
            return [None] * len(texts)
        self._is_told = False
        return found

    def try_packed(self, texts: Sequence[str], otherwise: str) -> list[bytes | None]:
        """As :meth:`try_vectors`, as they stand in a file."""
        return [None if vector is None else packed(vector) for vector in self.try_vectors(texts, otherwise)]

"""The handbook as a memory that agents may look into, and that keeps nothing of what customers say."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from actors import MemoryFilter, MemoryFragment, MemorySource, SqliteMemory

DOCUMENTS = MemoryFilter(source=MemorySource.DOCUMENT)


class Handbook:
    """A ``MemorySubstrate`` of one document. All customers share it, so what one of them says is not remembered: the
    session of each has that.
    """

    def __init__(self, path: Path, text: Path) -> None:
        self._memory = SqliteMemory(path)
        # A section is a piece. A text that has not changed is not written again.
        self._memory.add_document("handbook", text, words_per_piece=50, overlap=0)

    def remember(self, *_: Any, **__: Any) -> str:
        """Nothing."""
        return ""

    def recall(
        self, query: str, limit: int = 5, _: MemoryFilter | None = None, embedding: Sequence[float] | None = None
    ) -> list[MemoryFragment]:
        """Pieces of the handbook that fit *query*."""
        return self._memory.recall(query, limit, DOCUMENTS, embedding)

    def set(self, agent: str, key: str, value: Any) -> None:
        """Nothing."""

    def get(self, agent: str, key: str) -> Any | None:
        """Nothing."""

    def forget(self, _: str) -> None:
        """Nothing."""

    def close(self) -> None:
        """Close the file."""
        self._memory.close()

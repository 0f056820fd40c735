"""Documents in a memory: stored in pieces, replaced as a whole."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ..agent.ports import MemorySource
from ..errors import MemoryFailed
from .document import Document
from .fragments import Fragment
from .stored_text import restored, stored

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence

NOBODY = ""
"""The agent of a document's pieces: they belong to none."""


def text_of(source: str | Path) -> str:
    """The text itself, or what stands in a file.

    Raises:
        MemoryFailed: The file cannot be read, or holds no text.
    """
    if isinstance(source, str):
        return source
    if not isinstance(source, Path):
        raise TypeError(f"a document is a text, or the Path of a file; got {type(source).__name__}")
    try:
        return source.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise MemoryFailed(
            f"{source} is no text (UTF-8): {error.reason} at byte {error.start}; take the text out of it first, with a "
            "package that reads such files"
        ) from error
    except (OSError, ValueError) as error:
        raise MemoryFailed(f"{source} cannot be read: {getattr(error, 'strerror', None) or error}") from error


def without_vector(connection: sqlite3.Connection, name: str, pieces: Sequence[str], model: str) -> list[str]:
    """Those of *pieces* for which the document that is there has no vector of *model*, each once."""
    rows = connection.execute(
        "SELECT content FROM fragment JOIN vector ON fragment = number WHERE document = ? AND model = ?",
        (stored(name), model),
    )
    known = {restored(content) for (content,) in rows}
    return [piece for piece in dict.fromkeys(pieces) if piece not in known]


def replace(
    connection: sqlite3.Connection, name: str, pieces: Sequence[str], vectors: Mapping[str, bytes], model: str
) -> int:
    """Put *pieces* in the place of what the document *name* was. A piece that is the same stays, with its vector.

    Returns:
        How many came.
    """
    old: dict[str, list[int]] = defaultdict(list)
    document = stored(name)
    for number, content in connection.execute(
        "SELECT number, content FROM fragment WHERE document = ? ORDER BY piece DESC", (document,)
    ):
        old[restored(content)].append(number)
    stays: list[tuple[int, int]] = []
    comes: list[tuple[int, str]] = []
    for piece, text in enumerate(pieces, 1):
        same = old.get(text)
        if same:
            stays.append((piece, same.pop()))
        else:
            comes.append((piece, text))
    left = [(number,) for numbers in old.values() for number in numbers]
    connection.executemany("DELETE FROM fragment WHERE number = ?", left)
    connection.executemany("UPDATE fragment SET piece = ? WHERE number = ?", stays)
    for piece, text in comes:
        fragment = Fragment.of(
            NOBODY, text, MemorySource.DOCUMENT, vectors.get(text), model, document=name, piece=piece
        )
        fragment.insert(connection)
    return len(comes)


def remove(connection: sqlite3.Connection, name: str) -> int:
    """Drop the document; how many pieces that were."""
    return connection.execute("DELETE FROM fragment WHERE document = ?", (stored(name),)).rowcount


def nothing_of(name: str) -> Document:
    """What a document without a word is: there is nothing of it."""
    return Document(name, 0, datetime.now(UTC))


def listed(connection: sqlite3.Connection) -> list[Document]:
    """All documents, in the order of their names."""
    rows = connection.execute(
        "SELECT document, count(*), max(at) FROM fragment WHERE document IS NOT NULL GROUP BY document"
    )
    found = [Document(restored(name), count, datetime.fromtimestamp(at, UTC)) for name, count, at in rows]
    return sorted(found, key=lambda document: document.name)

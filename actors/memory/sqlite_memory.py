"""A memory in a file: it stays."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from ..agent.ports import MemorySource, PrivacyTier
from ..errors import MemoryFailed
from ..storage.faults import Damaged, NotOurs, StorageFault
from . import documents
from .condition import condition_of
from .direction import BYTES, direction_of, packed
from .embedding import Embedding
from .fragments import Fragment, count_of, keep_at_most, shown
from .frequent_words import FrequentWords
from .kept_vectors import KeptVectors
from .pieces import pieces_of
from .ranking import ranked
from .refusals import LARGEST, refuse_no_bound, refuse_no_number, refuse_no_text
from .stored_text import restored, stored
from .weighted_words import WeightedWords, query_words

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator, Sequence
    from types import TracebackType

    from ..agent.ports import MemoryFilter, MemoryFragment
    from .condition import Condition
    from .document import Document
    from .embedder import Embedder

ResultT = TypeVar("ResultT")


class SqliteMemory:
    """Remembers in a file (SQLite): fragments of text, values by key, and documents, for any number of agents, threads
    and processes. A context manager.

    Example:
        ```python
        from actors import AgentPool, SqliteMemory, ToolRegistry
        from actors.tools import search_documents

        with SqliteMemory("notes.db") as memory:
            memory.add_document("handbook", "Orders of more than 50 EUR are sent free of charge.")
            with AgentPool("echo", memory=memory, tools=ToolRegistry([search_documents])) as pool:
                ...
            print(memory.recall("free orders", 1)[0].content)
        ```

    It ranks as ``InMemorySubstrate`` does: by words (BM25), of any script; with an embedder by the mean of that and of
    the similarity of vectors.

    Args:
        path: The file; it is made if there is none, readable by its owner alone. It holds its texts in the clear.
        embedder: Makes a vector of each text. Where it fails, what is recalled is found by words alone (logged once),
            and what is remembered is stored without; :func:`embed_file` and ``actors memory embed`` make up for that.
        max_fragments: How many are kept; the oldest goes in the transaction in which one comes. Pieces of documents
            are fragments like others. None: no bound.

    Raises:
        MemoryFailed: It is another program's file, damaged, or of a newer version or SQLite; its folder is not there or
            cannot be written; or its vectors are of another model, or of another length.

    Guarantees: M1 a fragment is in all tables or in none, after any kill; what :meth:`remember` returned for stays. M2
    ids cannot be guessed: an agent forgets only what it was shown. M3 there are never more than ``max_fragments``. M4
    no text makes an error, or reaches SQL as code. M5 :meth:`recall` waits for no :meth:`remember` of another thread or
    process.

    Threads: any. Processes: any number; a write of another one is waited for, 30 seconds at most.

    Locks: none of its own.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        embedder: Embedder | None = None,
        max_fragments: int | None = None,
    ) -> None:
        refuse_no_bound(max_fragments)
        self._max_fragments = max_fragments
        self._embedding = None if embedder is None else Embedding(embedder)
        self.path = path_of(path)
        self._frequent = FrequentWords()
        # Here, and not above: who has none open needs no SQLite.
        from ..storage.shared_file import SharedFile
        from .schema import refuse_words_without_content, schema

        self._vectors = KeptVectors(None if self._embedding is None else self._embedding.model)
        with faults():
            self._file = SharedFile(self.path, schema(), thread="actors-memory")
        try:
            self._read(refuse_words_without_content)
            if self._embedding is not None:
                self._read(partial(refuse_other_model, path=self.path, embedding=self._embedding))
        except BaseException:
            self._file.close()
            raise

    @property
    def privacy_tier(self) -> PrivacyTier:
        """How far texts travel: as far as to the embedder."""
        return PrivacyTier.SOVEREIGN if self._embedding is None else self._embedding.privacy_tier

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file. After that everything raises ``MemoryFailed``. Idempotent."""
        with faults():
            self._file.close()

    def __len__(self) -> int:
        """How many fragments are kept."""
        return self._read(count_of)

    def __bool__(self) -> bool:
        return True  # an empty memory is still a memory

    # Fragments ------------------------------------------------------------------------------------------------------

    def remember(
        self,
        agent: str,
        content: str,
        source: MemorySource = MemorySource.CONVERSATION,
        embedding: Sequence[float] | None = None,
    ) -> str:
        """Store *content*; return the new fragment's id when it is on disk.

        Args:
            agent: Whose memory it is.
            source: Where it comes from.
            embedding: In place of what the embedder would make of it.
        Raises:
            MemoryFailed: It could not be stored; or the embedding holds something that is not a finite number, or is
                not of the embedder's length.
        """
        refuse_no_text(agent=agent, content=content)
        source = MemorySource(source)
        vector = self._vector_of(content, embedding)
        fragment = Fragment.of(agent, content, source, vector, self._model)
        self._write(partial(self._insert, fragment))
        return fragment.id

    def _insert(self, fragment: Fragment, connection: sqlite3.Connection) -> None:
        fragment.insert(connection)
        if self._max_fragments is not None:
            keep_at_most(connection, self._max_fragments)

    @property
    def _model(self) -> str:
        return "" if self._embedding is None else self._embedding.model

    def _vector_of(self, content: str, embedding: Sequence[float] | None) -> bytes | None:
        if embedding is None:
            if self._embedding is None:
                return None
            (vector,) = self._embedding.try_packed([content], "what is remembered is stored without vectors")
            return vector
        direction = self._direction_of(embedding)
        return None if direction is None else packed(direction)

    def _direction_of(self, embedding: Sequence[float]) -> tuple[float, ...] | None:
        direction = direction_of(embedding)
        if direction is None or self._embedding is None:
            return direction
        dimensions = self._embedding.known_dimensions()
        if len(direction) != (dimensions or len(direction)):
            raise MemoryFailed(
                f"an embedding of {len(direction)} numbers does not fit the embedder {self._embedding.model!r}, which "
                f"makes {dimensions}"
            )
        return direction

    def recall(
        self,
        query: str,
        limit: int = 5,
        filter: MemoryFilter | None = None,  # noqa: A002 - the port's name
        query_embedding: Sequence[float] | None = None,
    ) -> list[MemoryFragment]:
        """Find what fits *query*, the best first, of equal ones the newest.

        Args:
            query: Words; how they are ordered, and their case, make no difference.
            limit: At most so many.
            filter: Which fragments count. A ``since`` without a time zone is local time, as always in Python.
            query_embedding: In place of what the embedder would make of the query.
        Raises:
            MemoryFailed: It cannot be read; or the embedding holds something that is not a finite number.
        """
        refuse_no_text(query=query)
        refuse_no_number(limit=limit)
        if limit < 1:
            return []
        if query_embedding is not None:
            direction = self._direction_of(query_embedding)
        elif self._embedding is not None:
            (direction,) = self._embedding.try_vectors([query], "what is recalled is found by words alone")
        else:
            direction = None
        return self._read(partial(self._find, query_words(query), condition_of(filter), direction, limit))

    def _find(
        self,
        wanted: list[str],
        condition: Condition | None,
        direction: tuple[float, ...] | None,
        limit: int,
        connection: sqlite3.Connection,
    ) -> list[MemoryFragment]:
        index = None if direction is None else self._vectors.up_to_date(connection, len(direction))
        words = WeightedWords(connection, wanted, self._frequent)
        return shown(connection, ranked(connection, words, index, direction, condition, limit))

    def forget(self, id: str) -> None:  # noqa: A002 - the port's name
        """Drop a fragment; an unknown id is no error."""
        refuse_no_text(id=id)
        self._write(partial(_forget, stored(id)))

    # Values ---------------------------------------------------------------------------------------------------------

    def set(self, agent: str, key: str, value: Any) -> None:
        """Store *value* under *key* for *agent*, as JSON; None forgets the key.

        Raises:
            MemoryFailed: JSON cannot hold it, or it could not be stored.
        """
        refuse_no_text(agent=agent, key=key)
        place = stored(agent), stored(key)
        if value is None:
            self._write(lambda connection: _run(connection, "DELETE FROM value WHERE agent = ? AND key = ?", place))
            return
        try:
            text = json.dumps(value, allow_nan=False)
        except (TypeError, ValueError, RecursionError) as error:
            raise MemoryFailed(f"the value under {key!r} cannot be stored as JSON: {error}") from error
        if len(text) > LARGEST:
            raise MemoryFailed(f"the value under {key!r} is too long: at most {LARGEST:,} characters of JSON")
        self._write(
            lambda connection: _run(connection, "INSERT OR REPLACE INTO value VALUES (?, ?, ?)", (*place, text))
        )

    def get(self, agent: str, key: str) -> Any | None:
        """The value under *key*, or None.

        Args:
            agent: Whose.
        """
        refuse_no_text(agent=agent, key=key)
        sql = "SELECT value FROM value WHERE agent = ? AND key = ?"
        row = self._read(lambda connection: connection.execute(sql, (stored(agent), stored(key))).fetchone())
        return None if row is None else json.loads(restored(row[0]))

    # Documents ------------------------------------------------------------------------------------------------------

    def add_document(
        self, name: str, text_or_path: str | Path, *, words_per_piece: int = 200, overlap: int = 40
    ) -> Document:
        """Store a document in pieces, in place of what it was before: all of it, or nothing. Pieces that are the same
        stay, with their vectors.

        Args:
            name: What it is found and quoted by.
            text_or_path: Its text, or the ``Path`` of a file of text (UTF-8).
            words_per_piece: At most so many words each; a piece ends with a paragraph where that is possible.
            overlap: Words that a piece repeats of the one before.
        Raises:
            MemoryFailed: The file cannot be read or is no text, or there are more pieces than ``max_fragments``.
            ValueError: Of a bad number.
        """
        refuse_no_text(name=name)
        pieces = pieces_of(documents.text_of(text_or_path), words_per_piece, overlap)
        if self._max_fragments is not None and len(pieces) > self._max_fragments:
            raise MemoryFailed(
                f"document {name!r} has {len(pieces)} pieces, and the memory keeps {self._max_fragments} fragments"
            )
        vectors = self._vectors_of(name, pieces)
        self._write(partial(self._replace, name, pieces, vectors))
        found = [document for document in self.documents() if document.name == name]
        return found[0] if found else documents.nothing_of(name)

    def _vectors_of(self, name: str, pieces: list[str]) -> dict[str, bytes]:
        if self._embedding is None:
            return {}
        wanted = self._read(partial(_without_vector, name, pieces, self._embedding.model))
        made = self._embedding.try_packed(wanted, f"document {name!r} is stored without vectors")
        return {piece: vector for piece, vector in zip(wanted, made, strict=True) if vector is not None}

    def _replace(self, name: str, pieces: list[str], vectors: dict[str, bytes], connection: sqlite3.Connection) -> None:
        documents.replace(connection, name, pieces, vectors, self._model)
        if self._max_fragments is not None:
            keep_at_most(connection, self._max_fragments)

    def documents(self) -> list[Document]:
        """All documents, in the order of their names."""
        return self._read(documents.listed)

    def remove_document(self, name: str) -> bool:
        """Drop a document; was there one?

        Args:
            name: As it was added.
        """
        refuse_no_text(name=name)
        return self._write(partial(_remove, name))

    # The file -------------------------------------------------------------------------------------------------------

    def _write(self, do: Callable[[sqlite3.Connection], ResultT]) -> ResultT:
        with faults():
            return self._file.write(do)

    def _read(self, do: Callable[[sqlite3.Connection], ResultT]) -> ResultT:
        with faults():
            return self._file.read(do)


def path_of(path: object) -> Path:
    """The file that *path* names, with all links followed.

    Raises:
        TypeError, ValueError: It names none.
    """
    name = os.fspath(path) if isinstance(path, str | os.PathLike) else None
    if not isinstance(name, str):
        raise TypeError(f"a memory in a file needs its path (text or os.PathLike), got {path!r}")
    if not name or "\0" in name:
        raise ValueError(f"a memory in a file needs its path, got {name!r}")
    if name == ":memory:":
        raise ValueError("a memory that is gone with the process is InMemorySubstrate()")
    return Path(os.path.realpath(name))


@contextmanager
def faults() -> Iterator[None]:
    """What goes wrong with the file, in the words of a memory."""
    try:
        yield
    except NotOurs as fault:
        raise MemoryFailed(f"{fault}; it is left as it is: take another path") from fault
    except Damaged as fault:
        raise MemoryFailed(f"{fault}; take a copy that is whole, or another path") from fault
    except StorageFault as fault:
        raise MemoryFailed(str(fault)) from fault


def refuse_other_model(connection: sqlite3.Connection, *, path: Path, embedding: Embedding) -> None:
    """Raise when the file's vectors are of another model, or of another length. The first and the last one tell: they
    are made anew in their order.
    """
    for order in ("ASC", "DESC"):
        row = connection.execute(
            f"SELECT model, length(vector) FROM vector ORDER BY fragment {order} LIMIT 1"  # noqa: S608
        ).fetchone()
        if row is None:
            return
        found = row[1] // BYTES
        dimensions = embedding.known_dimensions()  # not before: a server may have to be asked
        if row[0] != embedding.model or found != (dimensions or found):
            raise MemoryFailed(
                f"{path} has vectors of model {row[0]!r} ({found} numbers), and the embedder is {embedding.model!r} "
                f"({dimensions or 'unknown'}): `actors memory embed {path}` embeds anew, or embed_file(path, embedder)"
            )


def _forget(fragment_id: str | bytes, connection: sqlite3.Connection) -> None:
    connection.execute("DELETE FROM fragment WHERE id = ?", (fragment_id,))


def _without_vector(name: str, pieces: list[str], model: str, connection: sqlite3.Connection) -> list[str]:
    return documents.without_vector(connection, name, pieces, model)


def _remove(name: str, connection: sqlite3.Connection) -> bool:
    return documents.remove(connection, name) > 0


def _run(connection: sqlite3.Connection, sql: str, values: tuple[Any, ...]) -> None:
    connection.execute(sql, values)

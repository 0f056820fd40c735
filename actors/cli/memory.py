"""``actors memory add | embed | search``: documents in a memory, their vectors, and what is found in it."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import AgentError, MemoryFailed
from ..memory.reembedding import embed_file
from ..memory.sqlite_memory import SqliteMemory
from .check import answer
from .refusal import OutputLostError, RefusedError
from .terminal import answering, console, say
from .wording import counted, one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..agent.ports import MemoryFragment
    from ..memory.embedder import Embedder

EXIT_OK = 0
EXIT_NOTHING = 1
LONGEST = 1_000


def add(
    path: str,
    files: Sequence[str],
    *,
    name: str | None = None,
    words: int = 200,
    overlap: int = 40,
    model: str | None = None,
    base_url: str | None = None,
) -> int:
    """Store files of text as documents in the memory *path*, which is made if there is none.

    Args:
        name: Of the document, where it is one; else each is called as its file is.
        model, base_url: What makes vectors of them; None: nobody.
    Raises:
        RefusedError: A file cannot be read, or the memory not be written.
    """
    if name is not None and len(files) > 1:
        raise RefusedError("--name names one document, and there are several files")
    with _refused(), SqliteMemory(path, embedder=_embedder(model, base_url)) as memory:
        for file in files:
            document = memory.add_document(name or file, Path(file), words_per_piece=words, overlap=overlap)
            answer(f"{one_line(document.name, LONGEST)}: {counted(document.pieces, 'piece')}")
    return EXIT_OK


def embed(path: str, *, model: str, base_url: str | None = None) -> int:
    """Make the vectors that are missing in the memory *path*, or of another model.

    Raises:
        RefusedError: There is no such memory.
        OutputLostError: The embedder failed; what it made until then stays.
    """
    _refuse_missing(path)
    done = 0

    def told(count: int) -> None:
        nonlocal done
        done = count

    with _refused():
        embedder = _embedder(model, base_url)
        assert embedder is not None
        try:
            embed_file(path, embedder, told=told)
        except MemoryFailed:
            raise
        except AgentError as error:
            raise OutputLostError(
                f"{one_line(str(error), LONGEST)}; {counted(done, 'fragment')} embedded: the same command goes on there"
            ) from None
    answer(f"{path}: {counted(done, 'fragment')} embedded")
    return EXIT_OK


def search(path: str, query: str, *, limit: int = 5, model: str | None = None, base_url: str | None = None) -> int:
    """Tell what the memory *path* finds for *query*, the best first.

    Raises:
        RefusedError: There is no such memory.
    """
    _refuse_missing(path)
    with _refused(), SqliteMemory(path, embedder=_embedder(model, base_url)) as memory:
        found = memory.recall(query, limit)
    if not found:
        say("nothing was found")
        return EXIT_NOTHING
    for fragment in found:
        _show(f"{fragment.score:.2f}  {_origin(fragment)}", one_line(fragment.content, LONGEST))
    return EXIT_OK


def _show(head: str, text: str) -> None:
    """One that was found: a line in a pipe, a paragraph on a terminal."""
    if not sys.stdout.isatty():
        answer(f"{head}  {text}")
        return
    from rich.padding import Padding
    from rich.text import Text

    with answering():
        console(sys.stdout).print(Text(head, "bold"), Padding(Text(text), (0, 0, 1, 2)))


def _origin(fragment: MemoryFragment) -> str:
    if fragment.document is None:
        return f"[{fragment.source}]"
    return f"[{one_line(fragment.document, 200)}, piece {fragment.piece}]"


def _embedder(model: str | None, base_url: str | None) -> Embedder | None:
    if model is None:
        if base_url is not None:
            raise RefusedError("--base-url says where an embedder is: name its model with --embedder")
        return None
    from ..drivers.openai_embedder import OpenAIEmbedder

    made: Any = OpenAIEmbedder(model, base_url)
    return made  # type: ignore[no-any-return]


def _refuse_missing(path: str) -> None:
    if not Path(path).is_file():
        raise RefusedError(f"{path}: there is no such memory")


@contextmanager
def _refused() -> Iterator[None]:
    try:
        yield
    except (MemoryFailed, ValueError, TypeError, ImportError) as error:
        raise RefusedError(one_line(str(error), LONGEST)) from None

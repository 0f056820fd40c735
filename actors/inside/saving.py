"""Writes a picture into a file, in the way that its ending says."""

from __future__ import annotations

import contextlib
import gzip
import os
import secrets
import shutil
from contextlib import ExitStack
from typing import IO, TYPE_CHECKING, Final

from .chrome import chrome_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from .picture import Picture

    Writer = Callable[[Picture], Iterable[str]]

ENDINGS: Final = (".html", ".json", ".json.gz")
BUFFER: Final = 1 << 16


def writer_of(path: str | os.PathLike[str]) -> Writer:
    """What makes the text of the file at *path*.

    Raises:
        ValueError: It has another ending than those that there are.
        TypeError: It is no path.
    """
    name = os.fspath(path)
    if not isinstance(name, str):
        raise TypeError(f"a path is text, got {name!r}")
    ending = next((each for each in ENDINGS if name.lower().endswith(each)), None)
    if ending is None:
        raise ValueError(f"a timeline is saved as {', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}; got {name!r}")
    return _page if ending == ".html" else chrome_lines


def save(picture: Picture, path: str | os.PathLike[str]) -> None:
    """Write *picture*; what is at *path* is replaced when the new file is whole.

    Raises:
        ValueError: Another ending.
        OSError: It cannot be written: then nothing of it is left.
    """
    name = os.fspath(path)
    write = writer_of(name)
    place = os.path.realpath(name)
    if os.path.exists(place) and not os.path.isfile(place):  # /dev/stdout.json, a pipe: nothing takes its place
        with open(place, "wb") as file:
            _fill(file, write(picture), is_packed=name.lower().endswith(".gz"))
        return
    folder, file_name = os.path.split(place)
    beside = os.path.join(folder, f".{file_name[:100]}.{secrets.token_hex(4)}")
    try:
        number = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0), 0o666)
    except OSError as error:
        error.filename = name  # who reads it never heard of the one beside it
        raise
    try:
        with open(number, "wb") as file:
            _fill(file, write(picture), is_packed=name.lower().endswith(".gz"))
        with contextlib.suppress(FileNotFoundError):  # who may read what was there may read what comes
            shutil.copymode(place, beside)
        os.replace(beside, place)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(beside)
        raise


def _fill(file: IO[bytes], texts: Iterable[str], *, is_packed: bool) -> None:
    with ExitStack() as stack:
        # The same picture gives the same bytes: without a name and a time.
        into: IO[bytes] = stack.enter_context(_packed(file)) if is_packed else file
        for piece in _gathered(texts):
            into.write(piece.encode("utf-8", "replace"))


@contextlib.contextmanager
def _packed(file: IO[bytes]) -> Iterator[IO[bytes]]:
    with gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0, compresslevel=6) as packed:
        yield packed  # type: ignore[misc]  # it writes bytes


def _gathered(texts: Iterable[str]) -> Iterator[str]:
    """The same text in larger pieces."""
    pieces: list[str] = []
    size = 0
    for text in texts:
        pieces.append(text)
        size += len(text)
        if size >= BUFFER:
            yield "".join(pieces)
            pieces, size = [], 0
    yield "".join(pieces)


def _page(picture: Picture) -> Iterable[str]:
    from .page import page_of

    return (page_of(picture),)

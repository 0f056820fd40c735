"""Where jobs come from. Every source is read lazily: nothing here grows with the size of the input."""

from __future__ import annotations

import glob
import os
import stat
import sys
from typing import IO, TYPE_CHECKING, Protocol

from ..tools.shown_path import shown_path
from .job import KNOWN_KEYS, BadInput, Job, is_unicode, job_of, parse_json
from .options import STANDARD_STREAM
from .refusal import RefusedError, why
from .terminal import say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .options import RunOptions

    ReadLine = Callable[[Callable[[], bytes]], bytes]


class Source(Protocol):
    """A lazy series of jobs."""

    empty: str
    """What to say when there are none at all."""
    may_wait: bool
    """May the next job come much later, as from a pipe?"""

    def __iter__(self) -> Iterator[Job | BadInput]:
        """Read once, from the start."""

    def measure(self) -> None:
        """Find out how much there is, as far as that is cheap. Only the live display asks."""

    def expected(self, taken: int) -> int | None:
        """How many jobs there will be in all, when *taken* were read so far; None = cannot say."""

    def close(self) -> None:
        """Give back what is open."""


class PromptSource:
    """The one job of ``--prompt``."""

    empty = "--prompt is empty"
    may_wait = False

    def __init__(self, prompt: str) -> None:
        self._prompt = prompt

    def __iter__(self) -> Iterator[Job | BadInput]:
        yield Job(self._prompt)

    def measure(self) -> None:
        """Nothing to find out."""

    def expected(self, taken: int) -> int | None:  # noqa: ARG002 - the port's signature
        """One."""
        return 1

    def close(self) -> None:
        """Nothing is open."""


class LinesSource:
    """The jobs of ``--input``: one JSON object a line.

    Args:
        path: A file, or ``-`` for standard input.
        read: Calls what it is given, a read that may block, and returns the line; ``b""`` ends the input.
    """

    def __init__(self, path: str, *, read: ReadLine) -> None:
        self._label = "standard input" if path == STANDARD_STREAM else path
        self._read = read
        self._file = _open_input(path)
        self._size = _size_of(self._file)
        self._position = 0
        self._reading = False
        self._warned = False
        self.may_wait = self._size is None
        self.empty = f'{self._label} is empty: it needs one JSON object a line, such as {{"query": "..."}}'

    def __iter__(self) -> Iterator[Job | BadInput]:
        number = 0
        while True:
            number += 1
            where = f"{self._label}:{number}"
            try:
                self._reading = True
                line = self._read(self._file.readline)
            except OSError as error:
                yield BadInput(where, f"cannot be read further: {why(error)}")
                return
            finally:
                self._reading = False
            if not line:
                return
            self._position += len(line)
            # Windows editors put a byte order mark at the start.
            job = self._job(line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line, where)
            if job is not None:
                yield job

    def _job(self, line: bytes, where: str) -> Job | BadInput | None:
        if not line.strip():
            return None
        try:
            record = parse_json(line)
            job = job_of(record)
        except ValueError as error:
            return BadInput(where, str(error))
        unknown = [str(key) for key in record if key not in KNOWN_KEYS]
        if unknown and not self._warned:
            self._warned = True
            say(f"warning: {where}: ignored {', '.join(unknown)} (known: {', '.join(KNOWN_KEYS)})")
        return job

    def measure(self) -> None:
        """The size is known."""

    def expected(self, taken: int) -> int | None:
        """Guess by the share of the bytes that was read."""
        if not self._size or not self._position:
            return None
        return max(taken, round(taken * self._size / self._position))

    def close(self) -> None:
        """Close the file, unless another thread still waits in it: that close would wait, too."""
        if not self._reading:
            self._file.close()


class GlobSource:
    """The jobs of ``--glob``: one for each file that matches.

    Args:
        pattern: Relative or absolute; ``**`` goes into folders; ``~`` is the home folder.
        prompt: The query, with ``{path}`` for the path; None = the path alone.
        skip: Files that this run writes.
    """

    def __init__(self, pattern: str, *, prompt: str | None, skip: frozenset[str] = frozenset()) -> None:
        self._pattern = os.path.expanduser(pattern)
        self._prompt = prompt or "{path}"
        self._skip = skip
        self._count: int | None = None
        self.may_wait = False
        self.empty = f"--glob {pattern!r} matches no file (seen from {os.getcwd()})"

    def __iter__(self) -> Iterator[Job | BadInput]:
        for path in self._paths():
            if is_unicode(path):
                yield Job(self._prompt.replace("{path}", path), file=path)
            else:
                yield BadInput(shown_path(path), "the file's name is not UTF-8: rename it")

    def _paths(self) -> Iterator[str]:
        try:
            for path in glob.iglob(self._pattern, recursive=True):
                if os.path.isfile(path) and not (self._skip and os.path.realpath(path) in self._skip):
                    yield path
        except RecursionError:
            raise RefusedError(f"--glob {self._pattern!r}: the folders are nested too deep; name one of them") from None

    def measure(self) -> None:
        """Walk through the folders once and count."""
        self._count = sum(1 for _ in self._paths())

    def expected(self, taken: int) -> int | None:
        """What was counted."""
        return None if self._count is None else max(taken, self._count)

    def close(self) -> None:
        """Nothing is open."""


def open_source(options: RunOptions, *, read: ReadLine, skip: frozenset[str] = frozenset()) -> Source:
    """Make the source that *options* ask for.

    Raises:
        RefusedError: The input cannot be opened.
    """
    if options.input is not None:
        return LinesSource(options.input, read=read)
    if options.glob is not None:
        return GlobSource(options.glob, prompt=options.prompt, skip=skip)
    return PromptSource(options.prompt or "")


def _open_input(path: str) -> IO[bytes]:
    if path == STANDARD_STREAM:
        return _standard_input()
    try:
        return open(path, "rb")
    except OSError as error:
        raise RefusedError(f"--input {path}: cannot be read: {why(error)}") from None


def _standard_input() -> IO[bytes]:
    if sys.stdin is None:
        raise RefusedError("--input -: standard input is closed")
    try:
        # A file object of our own: at its end the interpreter closes sys.stdin, and would die of a thread in it.
        return open(sys.stdin.fileno(), "rb", closefd=False)
    except OSError:  # it was replaced by something without a descriptor
        return sys.stdin.buffer


def _size_of(file: IO[bytes]) -> int | None:
    """Bytes of a regular file, or of a stream in memory; None for what comes bit by bit."""
    try:
        status = os.fstat(file.fileno())
    except OSError:
        return 0
    return status.st_size if stat.S_ISREG(status.st_mode) else None

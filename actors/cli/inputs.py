"""Where jobs come from. Every source is read lazily: the jobs of no input are held all at once."""

from __future__ import annotations

import glob
import os
import stat
import sys
from typing import IO, TYPE_CHECKING, Protocol

from ..tools.shown_path import shown_path
from .job import BadInput, Job, is_unicode
from .jobs import JobMaker, Wanted
from .options import STANDARD_STREAM
from .records import Record, csv_records, json_records
from .refusal import RefusedError, why
from .survey import Survey, survey_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .options import RunOptions

    ReadLine = Callable[[Callable[[], bytes]], bytes]

CSV = ".csv"
"""The end of the name of a file of comma-separated values; every other one has JSON, one object a line."""
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Source(Protocol):
    """A lazy series of jobs."""

    empty: str
    """What to say when there are none at all."""

    def survey(self, stopped: Callable[[], bool]) -> Survey:
        """Look through it before anything runs, as far as it can be read twice.

        Raises:
            RefusedError: It cannot be run as it was asked for.
        """

    def __iter__(self) -> Iterator[Job | BadInput]:
        """Read once, from the start; what the survey found bad is left out."""

    def close(self) -> None:
        """Give back what is open."""


class PromptSource:
    """The one job of ``--prompt``."""

    empty = "--prompt is empty"

    def __init__(self, prompt: str) -> None:
        self._prompt = prompt

    def survey(self, stopped: Callable[[], bool]) -> Survey:  # noqa: ARG002 - the port's signature
        """One."""
        return Survey(jobs=1)

    def __iter__(self) -> Iterator[Job | BadInput]:
        yield JobMaker(Wanted(keyed=True)).job(Record("--prompt", {"query": self._prompt}))

    def close(self) -> None:
        """Nothing is open."""


class LinesSource:
    """The jobs of ``--input``: lines of JSON or of CSV, by the end of the file's name.

    Args:
        path: A file, or ``-`` for JSON from standard input.
        wanted: What is made of its records.
        read: Calls what it is given, a read that may block, and returns the line; ``b""`` ends the input.

    Raises:
        RefusedError: It cannot be opened.
    """

    def __init__(self, path: str, wanted: Wanted, *, read: ReadLine) -> None:
        self._path = path
        self._label = "standard input" if path == STANDARD_STREAM else path
        self._wanted = wanted
        self._read = read
        self._file = _open_input(path)
        self._twice = path != STANDARD_STREAM and _is_regular(self._file)
        self._reading = False
        self._lost: str | None = None
        self._records = csv_records if path.lower().endswith(CSV) else json_records
        self.empty = f'{self._label} is empty: it needs one JSON object a line, such as {{"query": "..."}}'
        if self._records is csv_records:
            self.empty = f"{self._label} has no rows: it needs a first row with the names of its columns, and others"

    def survey(self, stopped: Callable[[], bool]) -> Survey:
        """Read a file once; a pipe cannot be read twice."""
        if not self._twice:
            return Survey()
        maker = JobMaker(self._wanted)
        survey = survey_of(self._items(maker), key=self._wanted.key, stopped=stopped)
        if survey.jobs and maker.lacking():
            raise RefusedError(f"--keep: no line of {self._label} has a field {maker.lacking()[0]!r}")
        self._file.seek(0)
        return survey

    def __iter__(self) -> Iterator[Job | BadInput]:
        places: dict[str, str] = {}
        for where, item in self._items(JobMaker(self._wanted)):
            if isinstance(item, BadInput):
                if not self._twice:
                    yield item
            elif self._twice or self._wanted.key is None or (first := places.setdefault(item.key, where)) is where:
                yield item
            else:
                yield BadInput(where, f"its {self._wanted.key} is {item.key!r}, as at {first}")

    def _items(self, maker: JobMaker) -> Iterator[tuple[str, Job | BadInput]]:
        for record in self._records(self._lines(), self._label):
            yield record.where, record if isinstance(record, BadInput) else maker.job(record)
        if self._lost is not None:
            yield self._label, BadInput(self._label, self._lost)

    def _lines(self) -> Iterator[bytes]:
        mark = BYTE_ORDER_MARK  # as Windows editors put it at the start
        while True:
            try:
                self._reading = True
                line = self._read(self._file.readline)
            except OSError as error:
                self._lost = f"cannot be read further: {why(error)}"
                return
            finally:
                self._reading = False
            if not line:
                return
            yield line.removeprefix(mark)
            mark = b""

    def close(self) -> None:
        """Close the file, unless another thread still waits in it: that close would wait, too."""
        if not self._reading:
            self._file.close()


class GlobSource:
    """The jobs of ``--glob``: one for each file that matches, told apart by its path.

    Args:
        pattern: Relative or absolute; ``**`` goes into folders; ``~`` is the home folder.
        prompt: The query, with ``{path}`` for the path; None = the path alone.
        skip: Files that this run writes.
    """

    def __init__(self, pattern: str, *, prompt: str | None, skip: frozenset[str] = frozenset()) -> None:
        self._pattern = os.path.expanduser(pattern)
        self._prompt = prompt or "{path}"
        self._skip = skip
        self.empty = f"--glob {pattern!r} matches no file (seen from {os.getcwd()})"

    def survey(self, stopped: Callable[[], bool]) -> Survey:
        """Walk through the folders once and count."""
        survey = Survey(jobs=0)
        for count, _ in enumerate(self._paths(), 1):
            survey.jobs = count
            if stopped():
                break
        return survey

    def __iter__(self) -> Iterator[Job | BadInput]:
        for path in self._paths():
            if is_unicode(path):
                yield Job(self._prompt.replace("{path}", path), file=path, key=path)
            else:
                yield BadInput(shown_path(path), "the file's name is not UTF-8: rename it")

    def _paths(self) -> Iterator[str]:
        try:
            for path in glob.iglob(self._pattern, recursive=True):
                if os.path.isfile(path) and not (self._skip and os.path.realpath(path) in self._skip):
                    yield path
        except RecursionError:
            raise RefusedError(f"--glob {self._pattern!r}: the folders are nested too deep; name one of them") from None

    def close(self) -> None:
        """Nothing is open."""


def open_source(options: RunOptions, *, read: ReadLine, skip: frozenset[str] = frozenset()) -> Source:
    """Make the source that *options* ask for.

    Raises:
        RefusedError: The input cannot be opened.
    """
    if options.input is not None:
        return LinesSource(options.input, Wanted.of(options), read=read)
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


def _is_regular(file: IO[bytes]) -> bool:
    """Can it be read twice, and is all of it there?"""
    try:
        return stat.S_ISREG(os.fstat(file.fileno()).st_mode)
    except OSError:
        return False

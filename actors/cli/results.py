"""The results file: how each agent ended, one row as soon as it ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .csv_rows import CsvRows
from .inputs import CSV
from .jsonl import JsonLines
from .kept import Kept, go_on_with
from .options import STANDARD_STREAM
from .output import is_special, open_output
from .refusal import OutputLostError, RefusedError, why
from .row import row_of
from .terminal import say

if TYPE_CHECKING:
    from typing import IO

    from ..core.records.outcome import AgentOutcome
    from .job import Job
    from .options import RunOptions
    from .row import CsvShape


class ResultsFile:
    """Writes outcomes: JSON, one object a line, or CSV, by the end of its name.

    Args:
        options: Where to, and what is done with one that exists.
        shape: The columns, should it be CSV.

    Raises:
        RefusedError: It cannot be written, or it exists and nobody said what to do with it.
    """

    def __init__(self, options: RunOptions, shape: CsvShape) -> None:
        assert options.out is not None
        self._path = options.out
        self._shape = shape if self._path.lower().endswith(CSV) else None
        self.kept: frozenset[str] = frozenset()
        """The keys of the rows that were there and are final."""
        file, columns = self._open(options)
        self._rows: JsonLines | CsvRows
        if self._shape is None:
            self._rows = JsonLines(file)
        else:
            self._rows = CsvRows(file, columns or self._shape.columns, headed=bool(columns))
        self.written = 0

    def _open(self, options: RunOptions) -> tuple[IO[bytes], list[str]]:
        """The file, and the columns that stand in it."""
        if not options.resume or (options.journal is not None and _is_written_once(self._path)):
            return open_output(self._path, option="--out", mode="wb" if options.overwrite else "xb"), []
        if is_special(self._path):
            raise RefusedError(f"--resume: {self._path} is no file that one could go on with")
        kept = go_on_with(self._path, None if self._shape is None else self._shape.columns)
        self.kept = frozenset(kept.keys)
        _tell(self._path, kept)
        return kept.file, kept.columns

    def write(self, job: Job, key: str, outcome: AgentOutcome[Any]) -> None:
        """Append the row of *outcome*.

        Raises:
            OutputLostError: It cannot be written.
        """
        row = row_of(job, key, outcome)
        try:
            self._rows.write(row if self._shape is None else self._shape.flat(row))
        except OSError as error:
            raise OutputLostError(
                f"--out {self._path}: cannot be written any more: {why(error)}; "
                f"the first {self.written} outcomes are in it"
            ) from None
        self.written += 1

    def close(self) -> None:
        """Close the file."""
        self._rows.close()


def _is_written_once(path: str) -> bool:
    """Is it a stream or a device? A journal that is gone on with tells what has stood there, too."""
    return path == STANDARD_STREAM or is_special(path)


def _tell(path: str, kept: Kept) -> None:
    again = [f"{kept.again:,} that did not complete"] * bool(kept.again)
    torn = ["a last line that was broken off"] * kept.torn
    if again or torn:
        say(f"{path}: taken out, to be run again: {' and '.join([*again, *torn])}")

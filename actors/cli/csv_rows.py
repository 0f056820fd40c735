"""Results as rows of CSV."""

from __future__ import annotations

import csv
import io
import json
from typing import IO, TYPE_CHECKING, Any

from ..core.records.outcome_row import cell
from .jsonl import close

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


class CsvRows:
    """An output of one row of CSV an agent, whole after every row: each is flushed as it is written.

    Args:
        file: Where to.
        columns: In order; of a row nothing else is written.
        headed: Does the first row, with the names, stand there already?

    Threads: one at a time writes.
    """

    def __init__(self, file: IO[bytes], columns: Sequence[str], *, headed: bool) -> None:
        self._file = file
        self._columns = tuple(columns)
        if not headed:
            self._put(self._columns)

    def write(self, record: Mapping[str, Any]) -> None:
        """Append *record*: its texts as they are, nothing for null, objects and lists as JSON.

        Raises:
            OSError: The row could not be written, or not as a whole.
        """
        self._put([text_of(record.get(column)) for column in self._columns])

    def _put(self, cells: Iterable[str]) -> None:
        self._file.write(encoded_row(cells))
        self._file.flush()

    def close(self) -> None:
        """Close the file; standard output stays open."""
        close(self._file)


def encoded_row(cells: Iterable[str]) -> bytes:
    """One row with its end. A lone surrogate, which has no bytes, becomes a question mark."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue().encode(errors="replace")


def text_of(value: Any) -> str:
    """*value* as the text of a cell."""
    plain = cell(value)
    if plain is None:
        return ""
    return plain if isinstance(plain, str) else json.dumps(plain)

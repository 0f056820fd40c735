"""Files of one JSON object a line."""

from __future__ import annotations

import contextlib
import json
import sys
from typing import IO, TYPE_CHECKING, Any

from ..core.records.json_value import to_json

if TYPE_CHECKING:
    from collections.abc import Mapping


class JsonLines:
    """An output of one JSON object a line, whole after every line: each is flushed as it is written.

    Args:
        file: Where to.

    Threads: one at a time writes.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def write(self, record: Mapping[str, Any]) -> None:
        """Append *record*, which may hold anything: what JSON cannot hold is said by its type, in its place.

        Raises:
            OSError: The line could not be written, or not as a whole.
        """
        self._file.write(json.dumps(to_json(record), ensure_ascii=False).encode() + b"\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file; standard output stays open."""
        close(self._file)


def close(file: IO[bytes]) -> None:
    """Close *file*, unless it is standard output."""
    if file is not sys.stdout.buffer:
        # Every line was flushed: what is left is a line that was reported as lost.
        with contextlib.suppress(OSError):
            file.close()

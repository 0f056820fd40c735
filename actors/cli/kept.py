"""What an earlier run left in a results file: the rows that are final stay, all else is run again."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import shutil
import tempfile
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any

from ..core.records.outcome import AgentStatus
from .csv_rows import encoded_row
from .output import lock
from .records import WIDEST
from .refusal import RefusedError, why

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

FINAL = AgentStatus.COMPLETED


@dataclass(slots=True)
class Kept:
    """The final rows of a file.

    Args:
        file: Open at its end, and this process's alone.
        keys: Of the inputs that need not be run again.
        again: Rows of agents that did not complete; they were taken out.
        torn: Was the last line broken off? It was taken out.
        columns: Of a file of CSV, in order.
    """

    file: IO[bytes]
    keys: set[str] = field(default_factory=set)
    again: int = 0
    torn: bool = False
    columns: list[str] = field(default_factory=list)


class _Torn(Exception):
    """The last line was broken off."""


def go_on_with(path: str, columns: Sequence[str] | None) -> Kept:
    """Keep the final rows of the file at *path*, and open it to go on.

    Args:
        columns: For a file of CSV, those of the rows to come.

    Guarantees: what is there is never written over: a file that needs a change is written anew beside it, and takes its
    place when it is whole.

    Raises:
        RefusedError: It cannot be read or written, it holds what is no row, or another process writes it.
    """
    what = f"--out {path}"
    try:
        old = open(path, "a+b")  # noqa: SIM115 - it stays open
    except OSError as error:
        raise RefusedError(f"{what}: cannot be written: {why(error)}") from None
    lock(old, what, place=path)
    try:
        kept = Kept(old)
        old.seek(0)
        rows = _json_rows(old, path) if columns is None else _csv_rows(old, path, kept)
        if columns is not None and os.fstat(old.fileno()).st_size == 0:
            return kept
        for _ in _final(rows, kept):
            pass
        wanted = None if columns is None else list(dict.fromkeys([*columns, *kept.columns]))
        if kept.again or kept.torn or wanted != (kept.columns if columns is not None else None):
            kept.file = _rewritten(path, old, kept, wanted)
            old.close()
        return kept
    except OSError as error:
        old.close()
        raise RefusedError(f"{what}: cannot be read and written again: {why(error)}") from None
    except BaseException:
        old.close()
        raise


def _final(rows: Iterator[tuple[dict[str, Any], bytes]], kept: Kept) -> Iterator[tuple[dict[str, Any], bytes]]:
    try:
        for row, line in rows:
            if row["status"] == FINAL:
                kept.keys.add(row["key"])
                yield row, line
            else:
                kept.again += 1
    except _Torn:
        kept.torn = True


def _json_rows(file: IO[bytes], path: str) -> Iterator[tuple[dict[str, Any], bytes]]:
    for number, line in enumerate(file, 1):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            if file.peek(1) or line.endswith(b"\n"):  # type: ignore[attr-defined]
                raise _no_row(path, number, "no JSON") from None
            raise _Torn from None
        if not isinstance(row, dict) or not isinstance(row.get("key"), str) or "status" not in row:
            raise _no_row(path, number, "without a key and a status")
        yield row, line if line.endswith(b"\n") else line + b"\n"


def _csv_rows(file: IO[bytes], path: str, kept: Kept) -> Iterator[tuple[dict[str, Any], bytes]]:
    csv.field_size_limit(WIDEST)
    last = b""

    def texts() -> Iterator[str]:
        nonlocal last
        for last in file:
            yield last.decode(errors="surrogateescape")

    rows = csv.reader(texts(), strict=True)
    header: list[str] | None = None
    while True:
        number = rows.line_num + 1
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            if "unexpected end of data" in str(error):
                raise _Torn from None
            raise _no_row(path, number, "no CSV") from None
        if not last.endswith(b"\n"):
            raise _Torn
        if header is None:
            header = row
            if not {"key", "status"} <= set(header):
                raise _no_row(path, number, "without the columns key and status")
            kept.columns = header
        elif len(row) != len(header):
            raise _no_row(path, number, f"has {len(row)} cells, but there are {len(header)} columns")
        else:
            yield dict(zip(header, row, strict=True)), b""


def _no_row(path: str, number: int, what: str) -> RefusedError:
    return RefusedError(
        f"--out {path}:{number}: is no row of results ({what}), so --resume cannot go on with it; nothing was changed"
    )


def _rewritten(path: str, old: IO[bytes], kept: Kept, columns: Sequence[str] | None) -> IO[bytes]:
    """The final rows of *old* in a file of their own, which has taken its place."""
    place = os.path.realpath(path)
    number, name = tempfile.mkstemp(prefix=f".{os.path.basename(place)}.", dir=os.path.dirname(place))
    new = open(number, "w+b")  # noqa: SIM115 - as above
    try:
        lock(new, f"--out {path}")
        again = Kept(old)
        old.seek(0)
        if columns is None:
            new.writelines(line for _, line in _final(_json_rows(old, path), again))
        else:
            new.write(encoded_row(columns))
            new.writelines(_lines_of(_final(_csv_rows(old, path, again), again), columns))
        new.flush()
        os.fsync(number)
        shutil.copymode(place, name)
        os.replace(name, place)
    except BaseException:
        with contextlib.suppress(OSError):  # what could not be written cannot be flushed, either
            new.close()
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise
    kept.columns = list(columns or ())
    return new


def _lines_of(rows: Iterable[tuple[dict[str, Any], bytes]], columns: Sequence[str]) -> Iterator[bytes]:
    for row, _ in rows:
        yield encoded_row(row.get(column, "") for column in columns)

"""The records of an input, as they stand in it: lines of JSON, or of CSV."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .job import BadInput, one_word
from .refusal import RefusedError
from .wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

WIDEST = 2**31 - 1
"""Characters of a cell: as many as the csv module can be told everywhere."""


@dataclass(frozen=True, slots=True)
class Record:
    """The fields of one record. ``where`` is its file and line."""

    where: str
    fields: dict[str, Any]


def json_records(lines: Iterable[bytes], label: str) -> Iterator[Record | BadInput]:
    """One JSON object a line; empty lines are no records."""
    for number, line in enumerate(lines, 1):
        if line.strip():
            where = f"{label}:{number}"
            try:
                yield Record(where, _object(line))
            except ValueError as error:
                yield BadInput(where, str(error))


def _object(line: bytes) -> dict[str, Any]:
    try:
        record = json.loads(line.decode().rstrip(), parse_constant=_no_number)
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 (byte {error.start + 1} of the line): save the file as UTF-8") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error.msg} (column {error.colno})") from None
    except RecursionError:
        raise ValueError("not readable: nested too deep") from None
    if not isinstance(record, dict):
        raise ValueError(f'not a JSON object: write {{"query": ...}}, not {one_word(record)}')
    return record


def _no_number(constant: str) -> None:
    raise ValueError(f"not JSON: {constant} is no JSON number")


def csv_records(lines: Iterable[bytes], label: str) -> Iterator[Record | BadInput]:
    """One record a row, as the columns of the first row name it; every value is a text.

    Raises:
        RefusedError: The first row does not name the columns, or a quote is never closed, which would swallow all that
            follows.
    """
    csv.field_size_limit(WIDEST)
    texts = _Texts(lines)
    rows = csv.reader(texts, strict=True)
    header: list[str] | None = None
    while True:
        where = f"{label}:{rows.line_num + 1}"
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            if "unexpected end of data" in str(error):
                raise RefusedError(f"{where}: a quote is opened here and never closed") from None
            problem = texts.take_damage() or f"not CSV: {str(error).partition(' - ')[0]}"
            if header is None:
                raise RefusedError(f"{where}: {problem}") from None
            yield BadInput(where, problem)
            continue
        damage = texts.take_damage()
        if len(row) < 2 and not "".join(row).strip():
            continue
        if header is None:
            header = _header(row, where, damage)
        elif damage is not None:
            yield BadInput(where, damage)
        elif len(row) != len(header):
            yield BadInput(where, f"has {counted(len(row), 'cell')}, but there are {counted(len(header), 'column')}")
        else:
            yield Record(where, dict(zip(header, row, strict=True)))


def _header(row: list[str], where: str, damage: str | None) -> list[str]:
    if damage is not None:
        raise RefusedError(f"{where}: {damage}")
    names = [name.strip() for name in row]
    if "" in names:
        raise RefusedError(f"{where}: column {names.index('') + 1} has no name")
    shared = [name for index, name in enumerate(names) if name in names[:index]]
    if shared:
        raise RefusedError(f"{where}: two columns are named {shared[0]!r}")
    return names


class _Texts:
    """Lines as text."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        self._lines = iter(lines)
        self._damage: str | None = None

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        try:
            return line.decode()
        except UnicodeDecodeError as error:
            self._damage = f"not UTF-8 (byte {error.start + 1} of the line): save the file as UTF-8"
            return line.decode(errors="replace")

    def take_damage(self) -> str | None:
        """What was wrong with the lines since the last call."""
        damage, self._damage = self._damage, None
        return damage

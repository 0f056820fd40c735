"""Where the keys of a TOML text stand: the standard parser reads it once more, a statement at a time."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

Place = tuple[str | int, ...]
"""The keys and indexes that lead to a value, from the top."""

MOST_CHARACTERS = 1_000_000
"""So many are read in all, until the search for further lines is given up: of a statement over many lines, each line
that may be its last one costs a reading.
"""
_ENDS = ('"""', "'''", "]", "}")
"""What the last line of a statement over several lines has."""


class TomlLines:
    """The lines of a TOML text that was read without an error."""

    def __init__(self, text: str) -> None:
        self._lines: dict[Place, tuple[int, int]] = {}
        self._lengths: dict[Place, int] = {}  # of arrays of tables, as far as they have come
        table: Place = ()
        for first, last, keys, value in _statements(text):
            if keys and isinstance(value, _Header):
                table = self._enter(keys, in_array=value.in_array)
                self._note(table, first, last)
            elif keys:  # of several lines only the first key is surely on the first one
                self._note((*table, *(keys if first == last else keys[:1])), first, last)

    def at(self, place: Place) -> str:
        """Where *place* stands, or the nearest thing above it: ``line 3``, or ``lines 3-5`` for what is somewhere in a
        value of several lines. Empty where that is not known.
        """
        for length in range(len(place), 0, -1):
            found = self._lines.get(place[:length])
            if found is not None:
                first, last = found
                return f"line {first}" if first == last or length == len(place) else f"lines {first}-{last}"
        return ""

    def _enter(self, keys: list[str], *, in_array: bool) -> Place:
        """The place of the table that a header with *keys* opens."""
        place: Place = ()
        for key in keys[:-1]:
            place = self._latest((*place, key))
        place = (*place, keys[-1])
        if in_array:
            self._lengths[place] = self._lengths.get(place, 0) + 1
        return self._latest(place)

    def _latest(self, place: Place) -> Place:
        length = self._lengths.get(place)
        return place if length is None else (*place, length - 1)

    def _note(self, place: Place, first: int, last: int) -> None:
        """It begins here, and so does what it lies in, if that did not begin before."""
        for length in range(len(place), 0, -1):
            self._lines.setdefault(place[:length], (first, last))


class _Header:
    """What a header of a table has in place of a value."""

    def __init__(self, *, in_array: bool) -> None:
        self.in_array = in_array


def _statements(text: str) -> Iterator[tuple[int, int, list[str], Any]]:
    """Each statement: its first and last line, counted from 1, its keys, and its value. They end where too many
    characters were read.
    """
    left = MOST_CHARACTERS
    lines = text.replace("\r\n", "\n").split("\n")
    start, end = 0, 1
    while start < len(lines) and left > 0:
        statement = "\n".join(lines[start:end])
        left -= len(statement)
        try:
            found = tomllib.loads(statement)
        except (ValueError, RecursionError):  # it goes on, to a line that may be its last one
            end = next((n + 1 for n in range(end, len(lines)) if any(sign in lines[n] for sign in _ENDS)), -1)
            if end < 0:
                return
            continue
        yield start + 1, end, *_parts(found, is_header=lines[start].lstrip(" \t").startswith("["))
        start, end = end, end + 1


def _parts(found: dict[str, Any], *, is_header: bool) -> tuple[list[str], Any]:
    """The keys before the value: of an inline table with one entry also that one."""
    keys: list[str] = []
    value: Any = found
    while isinstance(value, dict) and len(value) == 1:
        (key,) = value
        keys.append(key)
        value = value[key]
    return keys, _Header(in_array=isinstance(value, list)) if is_header else value

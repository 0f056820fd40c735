"""How an input is changed: cut, spliced, repeated, reordered, with bytes and values of JSON that are others."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from .nasty import NASTY, value

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from random import Random

LONGEST = 16 * 1024
"""Bytes of an input; larger ones are made of it where its cost is measured."""
MOST_CHANGES = 4
ENDS = (b"\r\n", b"\r", b"\n\n", b"\n \n", b"")
TOKENS = (
    *(
        b"\x00",
        b"\xff",
        b"\xef\xbb\xbf",
        b"\xed\xa0\x80",
        b"\xc0\x80",
        b"\xf4\x90\x80\x80",
        b"\x1b[2J",
        b"\x85",
        b"\x0b",
    ),
    *(b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":", b"\n", b"\r", b"\n\n", b" ", b"null", b"\\ud83d"),
)
PLACE = "\x00here\x00"
PLACES = re.compile(re.escape(json.dumps(PLACE)))
BLOCK = re.compile(rb"(?<=\n)\r?\n")
DATA = re.compile(rb"(?<=data:)[^\r\n]*")


class Change(NamedTuple):
    """What a change is made with.

    Args:
        inputs: Others, to take something of.
        words: What the target knows.
    """

    random: Random
    inputs: Sequence[bytes]
    words: Sequence[bytes]

    def place(self, length: int) -> int:
        """One of 0 to *length*."""
        return self.random.randrange(length + 1)

    def part(self, length: int) -> tuple[int, int]:
        """Where a part of *length* begins and ends; mostly a short one."""
        begin = self.place(length)
        return begin, min(length, begin + self.random.randrange(self.random.choice((4, 64, length + 1))))


def mutated(random: Random, inputs: Sequence[bytes], words: Sequence[bytes]) -> bytes:
    """One of *inputs*, changed a little; the newest have their turn more often."""
    data = random.choice(inputs if random.random() < 0.7 else inputs[-20:])
    change = Change(random, inputs, words)
    for _ in range(random.randint(1, MOST_CHANGES)):
        data = random.choice(CHANGES)(change, data)[:LONGEST]
    return data


# Bytes ------------------------------------------------------------------------------------------------------------


def _cut(change: Change, data: bytes) -> bytes:
    return data[: change.place(len(data))]


def _without(change: Change, data: bytes) -> bytes:
    begin, end = change.part(len(data))
    return data[:begin] + data[end:]


def _again(change: Change, data: bytes) -> bytes:
    begin, end = change.part(len(data))
    return data[:begin] + data[begin:end] * change.random.choice((2, 3, 20, 200)) + data[end:]


def _put(change: Change, data: bytes) -> bytes:
    at = change.place(len(data))
    return data[:at] + change.random.choice((*change.words, *TOKENS, change.random.randbytes(2))) + data[at:]


def _flip(change: Change, data: bytes) -> bytes:
    if not data:
        return data
    at = change.place(len(data) - 1)
    return data[:at] + bytes([data[at] ^ 1 << change.random.randrange(8)]) + data[at + 1 :]


def _splice(change: Change, data: bytes) -> bytes:
    other = change.random.choice(change.inputs)
    return data[: change.place(len(data))] + other[change.place(len(other)) :]


def _line_ends(change: Change, data: bytes) -> bytes:
    return data.replace(b"\n", change.random.choice(ENDS))


# Lines and events -------------------------------------------------------------------------------------------------


def _lines(change: Change, data: bytes) -> bytes:
    return b"".join(_rearranged(change, [one.splitlines(keepends=True) for one in _with_another(change, data)]))


def _events(change: Change, data: bytes) -> bytes:
    return b"\n".join(_rearranged(change, [BLOCK.split(one) for one in _with_another(change, data)]))


def _with_another(change: Change, data: bytes) -> tuple[bytes, bytes]:
    return data, change.random.choice(change.inputs)


def _rearranged(change: Change, parts_of_both: list[list[bytes]]) -> list[bytes]:
    """One part taken out, repeated, moved, or taken from another input."""
    parts, others = parts_of_both
    if not parts or not others:
        return parts
    there = change.place(len(parts))
    what = change.random.choice(("out", "again", "moved", "foreign"))
    if what == "foreign":
        parts.insert(there, change.random.choice(others))
    elif what == "again":
        parts[there:there] = [change.random.choice(parts)] * change.random.choice((1, 2, 20))
    else:
        part = parts.pop(change.place(len(parts) - 1))
        if what == "moved":
            parts.insert(there, part)
    return parts


# Values of JSON ---------------------------------------------------------------------------------------------------


def _value(change: Change, data: bytes) -> bytes:
    """A value of the JSON that *data* is, or of one of its events, is another one, comes twice, or is not there."""
    random = change.random
    begin, end = random.choice(documents(data))
    try:
        document = json.loads(data[begin:end])
        holders = list(places(document))
        text = _changed(random, document, holders) if holders else random.choice(NASTY)
    except (ValueError, RecursionError):
        return data
    return data[:begin] + text.encode("utf-8", "surrogatepass") + data[end:]


def _changed(random: Random, document: Any, holders: list[tuple[Any, Any]]) -> str:
    holder, key = random.choice(holders)
    what = random.choice(("nasty", "nasty", "any", "gone", "another", "again", "renamed"))
    raw, ascii_ = "null", random.random() < 0.5
    if what == "any":
        holder[key] = value(random)
    elif what == "gone":
        del holder[key]
    elif what == "again" and isinstance(holder, list):
        holder[key:key] = [holder[key]] * random.choice((1, 2, 50))
    elif what == "renamed" and isinstance(holder, dict):
        holder[random.choice(("", "error", "type", "id", "index", "text", key * 2))] = holder.pop(key)
    elif what == "another":
        other, its = random.choice(holders)
        raw, holder[key] = json.dumps(other[its], ensure_ascii=ascii_), PLACE
    else:
        raw, holder[key] = random.choice(NASTY), PLACE
    return PLACES.sub(lambda _: raw, json.dumps(document, ensure_ascii=ascii_))


def documents(data: bytes) -> list[tuple[int, int]]:
    """Where the JSON of each event of *data* begins and ends; without events, all of it."""
    return [found.span() for found in DATA.finditer(data)] or [(0, len(data))]


def places(document: Any, depth: int = 0) -> Iterator[tuple[Any, Any]]:
    """Each place of a document: what holds it, and under which key."""
    if depth < 50 and isinstance(document, dict | list):
        for key in list(document) if isinstance(document, dict) else range(len(document)):
            yield document, key
            yield from places(document[key], depth + 1)


CHANGES = (_value, _value, _value, _events, _lines, _cut, _without, _again, _put, _put, _flip, _splice, _line_ends)

"""Makes an input smaller that breaks something, as long as it breaks the same."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from .mutations import documents, places

if TYPE_CHECKING:
    from collections.abc import Callable

    Breaks = Callable[[bytes], bool]


def reduced(data: bytes, breaks: Breaks) -> bytes:
    """What is left of *data* when events, lines, values of JSON and bytes are taken out, one after another.

    Args:
        breaks: Does an input break the same? Once it says no to everything, all is over.
    """
    before = None
    while before != data:
        before = data
        for mark in (b"\n\n", b"\n"):
            data = mark.join(_fewer(data.split(mark), lambda parts, mark=mark: breaks(mark.join(parts))))  # type: ignore[misc]
        data = _fewer_values(data, breaks)
        data = b"".join(_fewer([data[at : at + 1] for at in range(len(data))], lambda parts: breaks(b"".join(parts))))
    return data


def _fewer(parts: list[bytes], breaks: Callable[[list[bytes]], bool]) -> list[bytes]:
    """Halves are taken out, then quarters, down to single parts."""
    size = max(1, len(parts) // 2)
    while size:
        at = 0
        while at < len(parts):
            rest = parts[:at] + parts[at + size :]
            if breaks(rest):
                parts = rest
            else:
                at += size
        size //= 2
    return parts


def _fewer_values(data: bytes, breaks: Breaks) -> bytes:
    """Each value of each document is taken out, if it is not needed."""
    number = place = 0
    while number < len(documents(data)):
        begin, end = documents(data)[number]
        try:
            document = json.loads(data[begin:end])
            holders = list(places(document))
            if place >= len(holders):
                number, place = number + 1, 0
                continue
            holder, key = holders[place]
            del holder[key]
            smaller = data[:begin] + json.dumps(document).encode() + data[end:]
        except (ValueError, RecursionError):
            number, place = number + 1, 0
            continue
        if len(smaller) < len(data) and breaks(smaller):
            data = smaller
        else:
            place += 1
    return data

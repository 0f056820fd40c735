"""The parser of server-sent events, beside a plain reading of their specification."""

from __future__ import annotations

import itertools
import re
import zlib
from random import Random
from typing import TYPE_CHECKING

from actors.drivers.edge.sse import MARK, EventStream, ServerEvent

from ..target import Target, files, hold

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence

FEW = 4_000


class Events(Target):
    """Bytes of a stream."""

    about = "the parser of server-sent events"
    words = (b"data: ", b"data:", b"event: ", b"id: 1\n", b"retry: 1\n", b":\n", b"\r", b"\n\n", MARK)

    def seeds(self) -> Iterable[bytes]:
        """The bodies of answers."""
        return [content.partition(b"\n---\n")[2] for content in files("drivers/shapes/*.txt")]

    def work(self, data: bytes) -> object:
        """In one piece."""
        return _read(data, ())

    def check(self, data: bytes, *, thorough: bool = False) -> Hashable:
        """As the specification says, however it is cut."""
        events = _read(data, ())
        hold(events == _expected(data), "events are those of the specification", (events, _expected(data)))
        random = Random(zlib.crc32(data))
        ways = [sorted(random.choices(range(len(data) + 1), k=8)) for _ in range(3)]
        if thorough and len(data) <= FEW:
            ways.append(list(range(len(data))))
        for cuts in ways:
            hold(_read(data, cuts) == events, "any split gives the same", f"{events} cut at {cuts}")
        return (
            min(len(events), 3),
            any(event.name for event in events),
            max((len(one.lines) for one in events), default=0) > 1,
        )


def _read(data: bytes, cuts: Sequence[int]) -> list[ServerEvent]:
    stream = EventStream()
    pieces = (data[begin:end] for begin, end in itertools.pairwise((0, *cuts, len(data))))
    return [*(event for piece in pieces for event in stream.feed(piece)), *stream.end()]


def _expected(data: bytes) -> list[ServerEvent]:
    """Line by line; an event without data says nothing, and the end of the stream ends the last one."""
    found: list[ServerEvent] = []
    name, lines = "", list[str]()
    for line in [*re.split(rb"\r\n|\n|\r", data.removeprefix(MARK)), b""]:
        field, _, value = line.partition(b":")
        text = value.removeprefix(b" ").decode(errors="replace")
        if field == b"data":
            lines.append(text)
        elif field == b"event":
            name = text
        elif not line:
            if any(text.strip() for text in lines):
                found.append(ServerEvent(name, lines))
            name, lines = "", []
    return found


TARGET = Events()

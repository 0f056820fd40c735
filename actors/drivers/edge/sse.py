"""The events of a stream of server-sent events, from its bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

MARK = b"\xef\xbb\xbf"
"""Some servers begin with the mark of UTF-8."""


class ServerEvent(NamedTuple):
    """One event: its name ("" for none), and the lines of its data."""

    name: str
    lines: list[str]


class EventStream:
    """Takes a stream in pieces, cut anywhere. What says nothing is dropped: comments, ids, times, events without data.

    The work is linear in the bytes, whatever they are. Source: https://html.spec.whatwg.org/multipage/server-sent-events.html;
    beyond it, an event that the end of the stream cuts off before its blank line is taken, as servers forget that line.
    """

    def __init__(self) -> None:
        self._rest: list[bytes] = []  # a line that has not ended
        self._after_return = False  # the last piece ended with a carriage return: a line feed belongs to it
        self._begun = False
        self._name = ""
        self._lines: list[str] = []

    def feed(self, data: bytes) -> Iterator[ServerEvent]:
        """The events that *data* completes."""
        if self._after_return and data:
            data = data.removeprefix(b"\n")
            self._after_return = False
        for line in data.splitlines(keepends=True):
            text = line.rstrip(b"\r\n")
            if text == line:
                self._after_return = False  # it was not the end of the piece
                self._rest.append(line)
                return
            self._after_return = line.endswith(b"\r")
            if self._rest:
                self._rest.append(text)
                text = b"".join(self._rest)
                self._rest.clear()
            event = self._take(text)
            if event is not None:
                yield event

    def end(self) -> Iterator[ServerEvent]:
        """What was left when the stream ended."""
        self._after_return = False
        for line in (b"".join(self._rest), b""):
            event = self._take(line)
            if event is not None:
                yield event
        self._rest.clear()

    def _take(self, line: bytes) -> ServerEvent | None:
        if not self._begun:
            self._begun = True
            line = line.removeprefix(MARK)
        if not line:
            return self._dispatch()
        field, _, value = line.partition(b":")
        if field in (b"data", b"event"):
            text = value.removeprefix(b" ").decode("utf-8", "replace")
            if field == b"event":
                self._name = text
            else:
                self._lines.append(text)
        return None

    def _dispatch(self) -> ServerEvent | None:
        name, lines = self._name, self._lines
        self._name, self._lines = "", []
        return ServerEvent(name, lines) if any(line.strip() for line in lines) else None

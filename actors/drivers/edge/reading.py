"""Reads an answer from its bytes, whole or as a stream of events, whichever the server sends."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from ...core.clock import SYSTEM_CLOCK
from ...errors import MalformedAnswer
from ...network import bounded_json
from .refusals import ServerError, error_in
from .shown import short
from .sse import MARK, EventStream, ServerEvent

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .answer import Answer

FIELDS = (b"data", b"event", b":", b"id", b"retry")
"""A body that begins so is a stream of events."""
BLANK = re.compile(rb"\A(?:\s|%b)*+" % MARK)
"""What may stand before an answer, in any order, so that it does not matter where it is cut."""
ENOUGH = 6
"""Bytes that tell."""
DONE = "[DONE]"
FEW = 100
"""Signs of values: with fewer, no text is too deep or too much."""
AWAKE = re.compile(
    r"[\W_]*(ping|pong|heart[-_ ]?beat|keep[-_ ]?alive|connected|ok|processing|queued|waiting)[\W_]*", re.IGNORECASE
)
"""What gateways send for data, so that nobody takes the connection for dead."""


class Reading:
    """Feeds an answer with what arrives.

    Threads: that of its agent: whatever a server sends costs nobody else.
    """

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._headers: Mapping[str, str] = {}
        self._body: list[bytes] = []  # one that is whole, or whose kind is not known
        self._events: EventStream | None = None
        self._is_whole = False
        self._ended = False
        self._since: float | None = None  # when it seemed to be over

    def begin(self, headers: Mapping[str, str]) -> None:
        """The head of the answer."""
        self._headers = headers

    def take(self, data: bytes) -> str:
        """Bytes have arrived.

        Returns:
            The text that may be told.
        Raises:
            MalformedAnswer: They are no answer.
            ServerError: They are an error in an answer's place.
        """
        if self._events is not None:
            return self._take_events(self._events.feed(data))
        if self._is_whole:
            self._body.append(data)
            return ""
        begin = BLANK.sub(b"", b"".join((*self._body, data)), count=1)
        self._body = [begin]
        if len(begin) < ENOUGH:
            return ""
        self._is_whole = not begin.startswith(FIELDS)
        if self._is_whole:
            return ""
        self._events = EventStream()
        self._body.clear()
        return self._take_events(self._events.feed(begin))

    def end(self) -> str:
        """No more comes."""
        if self._events is not None:
            return self._take_events(self._events.end())
        text = b"".join(self._body).decode("utf-8", "replace").strip()
        if not text:
            raise MalformedAnswer("the server's answer is empty")
        body = _parsed(text)
        self._check(body)
        self._answer.take_whole(body)
        return ""

    def patience(self) -> float | None:
        """Seconds that are left for what may still come; None while the answer is not over."""
        patience = self._answer.patience()
        if patience is None or self._since is None:
            return None
        return max(0.0, patience - (SYSTEM_CLOCK.monotonic() - self._since))

    def _take_events(self, events: Iterable[ServerEvent]) -> str:
        told: list[str] = []
        for event in events:
            told += [self._take_event(value, event.name) for value in _values(event) if not self._ended]
            # What says nothing does not keep a stream alive that seems to be over.
            if self._answer.patience() is None:
                self._since = None
            elif self._since is None:
                self._since = SYSTEM_CLOCK.monotonic()
        return "".join(told)

    def _take_event(self, value: Any, name: str) -> str:
        if value == DONE:
            self._ended = True
            self._answer.done()
            return ""
        if name == "error" and not isinstance(value, dict):
            raise ServerError(None, self._headers, value)
        self._check(value)
        # What is no object says nothing: some servers keep a connection awake with it.
        return self._answer.take_event(name, value) if isinstance(value, dict) else ""

    def _check(self, value: Any) -> None:
        error = error_in(value, self._headers)
        if error is not None:
            raise error


def _values(event: ServerEvent) -> list[Any]:
    """The values of an event's data; usually one. Some servers forget the blank line between two."""
    text = "\n".join(event.lines).strip()
    if text.upper().strip("[]") == DONE.strip("[]"):
        return [DONE]
    if event.name == "ping" or AWAKE.fullmatch(text):
        return []
    if len(event.lines) > 1:
        try:
            return [_parsed(text)]
        except MalformedAnswer:
            return [value for line in event.lines if line.strip() for value in _values(ServerEvent(event.name, [line]))]
    return [text if event.name == "error" and not text.startswith(("{", "[")) else _parsed(text)]


def _parsed(text: str) -> Any:
    """The value of *text*, bounded before objects are made of it."""
    few = text.count("{") + text.count("[") + text.count(",") < FEW
    try:
        return json.loads(text) if few else bounded_json.loads(text.encode())
    except bounded_json.TooManyValues as error:
        raise MalformedAnswer(f"the answer {error}: {short(text)}") from None
    except ValueError as error:
        raise MalformedAnswer(f"the answer is no JSON ({error}): {short(text)}") from None

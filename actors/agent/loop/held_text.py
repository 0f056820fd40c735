"""Text of an answer that is not told before it has passed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...core.records.answer import TextDelta

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ...core.records.event import Event

    Emit = Callable[[Callable[..., Event], Mapping[str, Any]], None]


class HeldText:
    """Holds the pieces of an answer back, until it has passed the guardrails that look at it.

    Guarantees: nobody is told a piece of an answer that did not pass, nor of an attempt that broke off before it did;
    those of one that passed are told in order.

    Args:
        emit: Tells an event.

    Threads: whoever asks for the answer, and the agent's own when that is over; ``open`` any.

    Locks: none; ``_is_open`` is written by who judges, and seen with the next piece, or by ``release``.
    """

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._pieces: list[Mapping[str, Any]] = []
        self._first = 0  # where the completion at hand begins
        self._attempt = 0
        self._is_open = False

    def begin(self) -> None:
        """Another completion: what is held of those before it belongs to the same answer."""
        self._first, self._attempt = len(self._pieces), 0

    def tell(self, fields: Mapping[str, Any]) -> None:
        """Tell a piece, now or later."""
        if self._is_open:
            self._tell()
            self._emit(TextDelta, fields)
            return
        if fields["attempt"] > self._attempt:  # what came before it broke off
            del self._pieces[self._first :]
            self._attempt = fields["attempt"]
        self._pieces.append(fields)

    def open(self) -> None:
        """From now on pieces are told as they come, those that are held first."""
        self._is_open = True

    def replace(self, text: str) -> None:
        """The completion at hand has become *text*."""
        if len(self._pieces) > self._first:
            self._pieces[self._first :] = [{"text": text, "attempt": 1}]

    def release(self, text: str | None = None) -> None:
        """The answer has passed: it is told.

        Args:
            text: What all of it has become; None: what it was.
        """
        if text is not None and self._pieces:
            self._pieces = [{"text": text, "attempt": 1}]
        if not self._is_open:  # attempts that broke off were told to nobody
            self._pieces = [{**fields, "attempt": 1} for fields in self._pieces]
        self._tell()

    def drop(self) -> None:
        """It has not."""
        self._pieces, self._first = [], 0

    def _tell(self) -> None:
        pieces, self._pieces, self._first = self._pieces, [], 0
        for fields in pieces:
            self._emit(TextDelta, fields)

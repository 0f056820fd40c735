"""The model of the servers under test: it does what the text asks for, and goes on where the test lets it."""

from __future__ import annotations

import threading
from collections.abc import Callable

from desk import WordByWord, reply

from actors import CancelToken, CompletionRequest, CompletionResponse, Event, Overloaded, TextDelta

BOUND = 60.0
"""Seconds: more than any wait of a test, whose failure says more."""


class Steps:
    """How far drivers may go. One that waits for a step hears its cancel."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._left = 0

    def give(self, count: int) -> None:
        """Let drivers go *count* steps further."""
        with self._changed:
            self._left += count
            self._changed.notify_all()

    def take(self, cancel: CancelToken) -> None:
        """Go one step, once it is given."""
        forget = cancel.on_cancel(lambda: self.give(0))
        try:
            with self._changed:
                went = self._changed.wait_for(lambda: self._left or cancel.cancelled, BOUND)
                cancel.check()
                assert went, "nobody gave a step"
                self._left -= 1
        finally:
            forget()


class GatedDesk(WordByWord):
    """Answers as the example does, at once; but where a text begins with one of these words:

    - ``gated``: each word needs a step
    - ``broken``: the first attempt breaks off
    - ``crash``: it raises what nobody expects
    - ``hang``: it waits for its cancel
    - ``long``: the rest is repeated until it is a million characters
    """

    def __init__(self) -> None:
        super().__init__(self.reply, pause=0)
        self.steps = Steps()
        self._broken: set[str] = set()

    def reply(self, request: CompletionRequest) -> str:
        """Also for ``/ask``, which does not stream."""
        text = request.messages[-1].text
        if text.startswith("crash"):
            raise RuntimeError("the secret of the house")
        return reply(request)

    def complete(self, request: CompletionRequest, *, cancel: CancelToken) -> CompletionResponse:
        """Or hang."""
        if request.messages[-1].text.startswith("hang"):
            cancel.wait(BOUND)
        return super().complete(request, cancel=cancel)

    def stream(
        self, request: CompletionRequest, on_event: Callable[[Event], None], *, cancel: CancelToken
    ) -> CompletionResponse:
        """Piece by piece."""
        word, _, rest = request.messages[-1].text.partition(" ")
        if request.output_schema is not None or word not in {"gated", "broken", "long"}:
            return super().stream(request, on_event, cancel=cancel)
        if word == "broken" and rest not in self._broken:
            self._broken.add(rest)
            on_event(TextDelta(text="\N{GRINNING FACE} this is not the "))
            self.steps.take(cancel)
            raise Overloaded("it broke off", retry_after=0.0)
        pieces = [f"{piece} " for piece in rest.split()] if word != "long" else [rest] * (1_000_000 // len(rest))
        for piece in pieces:
            if word != "long":
                self.steps.take(cancel)
            cancel.check()
            on_event(TextDelta(text=piece))
        return CompletionResponse("".join(pieces))

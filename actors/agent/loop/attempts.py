"""The attempts at one completion, as those are told of them who listen to the agent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...core.crash import text_of
from ...core.records.answer import CompletionFailed, CompletionStarted
from ...core.records.told import told_text
from ...core.scheduling.event_log import NO_FIELDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...core.supervision.agent_context import AgentContext
    from ..ports import CompletionRequest, CompletionResponse
    from .told_messages import ToldMessages


class Attempts:
    """Tells of each attempt: that it began, and what becomes of it.

    Guarantees: each that was told to have begun is told to have ended once: by a ``CompletionFinished`` with a
    ``stop_reason``, or by a ``CompletionFailed``; unless the agent has ended before.

    Args:
        model: The one that is asked, as far as anybody says so.
        messages: Tells what a request says; None where events have no contents.

    Threads: that of the call.
    """

    __slots__ = ("_context", "_is_open", "_messages", "_model", "_request", "number")

    def __init__(
        self, context: AgentContext, request: CompletionRequest, model: str | None, messages: ToldMessages | None
    ) -> None:
        self._context = context
        self._request = request
        self._model = model
        self._messages = messages
        self._is_open = False
        self.number = 1
        """The place of the attempt at hand, or of the next one."""

    def begin(self) -> None:
        """The driver is asked now."""
        context = self._context
        if not context.listening:
            return
        self._is_open = True
        told: dict[str, Any] = {"model": self._model, "attempt": self.number}
        if self._messages is not None:
            told["input"] = self._messages.told(self._request)
        context.emit(CompletionStarted, told)

    def finished(self, response: CompletionResponse | None) -> Mapping[str, Any]:
        """What a ``CompletionFinished`` tells of this attempt beside what it has used; *response*: None when it failed
        after it had worked.
        """
        if not (self._is_open or self._context.listening):
            return NO_FIELDS
        if response is None:
            return {"model": self._model, "attempt": self.number}
        self._is_open = False
        told = {"model": self._model, "attempt": self.number, "stop_reason": str.__str__(response.stop_reason)}
        if self._messages is not None:
            told["text"] = told_text(response.text)
        return told

    def fail(self, error: BaseException, delay: float | None) -> None:
        """It failed by *error*; the next one begins in *delay* seconds, if it is not None."""
        if self._is_open:
            told = {"error": text_of(error), "attempt": self.number, "delay": delay, "model": self._model}
            self._context.emit(CompletionFailed, told)
        self._is_open = False
        self.number += 1

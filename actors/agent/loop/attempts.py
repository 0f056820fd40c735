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
    from ..ports import CompletionRequest, CompletionResponse, LlmDriver
    from .told_messages import ToldMessages


def model_of(request: CompletionRequest, driver: LlmDriver) -> str | None:
    """Which model *driver* asks; None where it does not say."""
    model = request.model or getattr(driver, "model", None)
    return model if isinstance(model, str) else None  # what a driver of a user's calls so may be anything


class Attempts:
    """Tells of each attempt: that it began, and what becomes of it.

    Guarantees: each that was told to have begun is told to have ended: by a ``CompletionFinished`` with a
    ``stop_reason``, or by a ``CompletionFailed``; unless the agent has ended before.

    Args:
        messages: Tells what a request says; None where events have no contents.

    Threads: that of the call.
    """

    __slots__ = ("_context", "_driver", "_is_told", "_messages", "_model", "_request", "number")

    def __init__(
        self, context: AgentContext, driver: LlmDriver, request: CompletionRequest, messages: ToldMessages | None
    ) -> None:
        self._context = context
        self._driver = driver
        self._request = request
        self._messages = messages
        self._model: str | None = None
        self._is_told = False
        self.number = 1
        """The place of the attempt at hand, or of the next one."""

    def begin(self) -> None:
        """The driver is asked now."""
        context = self._context
        if not context.listening:
            return
        self._is_told = True
        self._model = model_of(self._request, self._driver)
        told: dict[str, Any] = {"model": self._model, "attempt": self.number}
        if self._messages is not None:
            told["input"] = self._messages.told(self._request)
        context.emit(CompletionStarted, told)

    def finished(self, response: CompletionResponse | None) -> Mapping[str, Any]:
        """What a ``CompletionFinished`` tells of this attempt beside what it has used; *response*: None when it failed
        after it had worked.
        """
        if not self._is_told:
            return NO_FIELDS
        told: dict[str, Any] = {"model": self._model, "attempt": self.number}
        if response is not None:
            told["stop_reason"] = str.__str__(response.stop_reason)
            if self._messages is not None:
                told["text"] = told_text(response.text)
        return told

    def fail(self, error: BaseException, delay: float | None) -> None:
        """It failed by *error*; the next one begins in *delay* seconds, if it is not None."""
        if self._is_told:
            told = {"error": text_of(error), "attempt": self.number, "delay": delay, "model": self._model}
            self._context.emit(CompletionFailed, told)
        self._is_told = False
        self.number += 1

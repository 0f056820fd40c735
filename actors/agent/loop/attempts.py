"""The attempts at one completion, as those are told of them who listen to the agent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

from ...core.crash import text_of
from ...core.records.answer import CompletionFailed, CompletionStarted
from ...core.records.told import told_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..agent import Agent
    from ..ports import CompletionRequest, CompletionResponse, LlmDriver

    Messages: TypeAlias = Callable[[CompletionRequest], list[Any]]


class Attempts:
    """Tells of each attempt: that it began, and what becomes of it.

    Guarantees: each that was told to have begun is told to have ended: by a ``CompletionFinished`` with a
    ``stop_reason``, or by a ``CompletionFailed``; unless the agent has ended before.

    Args:
        messages: Tells what a request says, where events have contents.

    Threads: that of the call.
    """

    __slots__ = ("_agent", "_has_begun", "_messages", "_request", "model", "number")

    def __init__(self, agent: Agent[Any], driver: LlmDriver, request: CompletionRequest, messages: Messages) -> None:
        self._agent = agent
        self._messages = messages
        self._request = request
        self._has_begun = False
        self.model: Final = request.model or model_of(driver)
        self.number = 1
        """The place of the attempt at hand, or of the next one."""

    def begin(self) -> None:
        """The driver is asked now."""
        context = self._agent._context
        self._has_begun = context.listening
        if self._has_begun:
            told: dict[str, Any] = {"model": self.model, "attempt": self.number}
            if context.tells_content:
                told["input"] = self._messages(self._request)
            context.emit(CompletionStarted, told)

    def finished(self, response: CompletionResponse | None) -> Mapping[str, Any]:
        """What a ``CompletionFinished`` tells of this attempt beside what it has used; *response*: None when it failed
        after it had worked.
        """
        told: dict[str, Any] = {"model": self.model, "attempt": self.number}
        if response is not None:
            told["stop_reason"] = str(response.stop_reason)
            if self._agent._context.tells_content:
                told["text"] = told_text(response.text)
        return told

    def fail(self, error: BaseException, delay: float | None) -> None:
        """It failed by *error*; the next one begins in *delay* seconds, if it is not None."""
        if self._has_begun:
            told = {"error": text_of(error), "attempt": self.number, "delay": delay, "model": self.model}
            self._agent._context.emit(CompletionFailed, told)
        self._has_begun = False
        self.number += 1


def model_of(driver: LlmDriver) -> str | None:
    """The model that *driver* asks where nobody names one, as far as it says so."""
    model = getattr(driver, "model", None)
    return model if isinstance(model, str) else None

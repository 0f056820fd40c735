"""A Python function in place of a model: rule-based agents, tests, dry runs."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from ..agent.ports import CompletionRequest, CompletionResponse
from ..agent.takes import EVERYTHING, Takes
from .base import Driver

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..agent.terms.manifest import AgentManifest
    from ..core.waiting.cancel import CancelToken

    Policy: TypeAlias = Callable[[CompletionRequest], CompletionResponse | str]


class FunctionDriver(Driver):
    """Answers with what a function returns.

    Args:
        fn: Gets the request; returns an answer, or just its text. It is called from many threads at once.
        context_window: Tokens.
    """

    def __init__(self, fn: Policy, *, context_window: int = 4096) -> None:
        super().__init__(context_window=context_window)
        if not callable(fn):
            raise TypeError(f"FunctionDriver needs a function, got {type(fn).__name__}")
        self._fn = fn

    def __reduce__(self) -> tuple[Any, ...]:
        """A pickle has the function."""
        return partial(type(self), context_window=self.context_window), (self._fn,)

    @property
    def takes(self) -> Takes:
        """All content: it is passed on as it is."""
        return EVERYTHING

    def complete(self, request: CompletionRequest, *, cancel: CancelToken) -> CompletionResponse:
        """Call the function.

        Args:
            request: What the function gets.
            cancel: Ends the wait for it.
        Raises:
            TypeError: It returned neither a ``CompletionResponse`` nor a ``str``.
            Exception: Whatever it raises.
        """
        cancel.check()
        answer: object = self._fn(request)
        if isinstance(answer, str):
            return CompletionResponse(answer)
        if not isinstance(answer, CompletionResponse):
            name = getattr(self._fn, "__name__", repr(self._fn))
            raise TypeError(f"{name} must return a CompletionResponse or a str, got {type(answer).__name__}")
        return answer


def echo(manifest: AgentManifest) -> FunctionDriver:
    """A driver that answers with the last message that it was sent: shows what a model would be asked."""
    window = manifest.model.context_window or 4096
    return FunctionDriver(lambda request: request.messages[-1].text, context_window=window)

"""The input of an agent is looked at while its first completion is under way."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from ...core.waiting.cancel import CancelToken
from ...errors import Cancelled

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ...core.records.conversation import UserMessage
    from ...core.supervision.inline_call import ToolEnd
    from ..agent import Agent
    from ..ports import CompletionResponse
    from .driver_call import Payment

    Ask = Callable[[], tuple[CompletionResponse, Sequence[Payment]]]

WHY = "its input did not pass"
PATIENCE = 0.5
"""Seconds that a completion has to heed its cancel, and to say what it has used, when the agent ends with its input."""


class InputRace:
    """Runs both at the same time, each on a thread of its own, as tool calls are.

    Guarantees: a completion is cancelled at once when its input does not pass, and nothing is made of its answer. Where
    that ends the agent, one that does not heed its cancel is left behind.

    Args:
        check: Gives the query as it is to be: the same object, when it passes.
        ask: Asks for the first completion.
        passed: Called when it passes, on the thread of the check.

    Locks: none; each thread writes what is its own, and the agent's reads it when both are over.
    """

    def __init__(
        self,
        agent: Agent[Any],
        check: Callable[[], UserMessage],
        ask: Ask,
        passed: Callable[[], object],
    ) -> None:
        self._agent = agent
        self._check = check
        self._ask = ask
        self._passed = passed
        self._dropped = CancelToken()
        self._end: ToolEnd | None = None

    @property
    def has_run(self) -> bool:
        """Was the completion asked for?"""
        return self._end is not None

    def run(self, query: UserMessage) -> UserMessage:
        """The query as it is to be.

        Raises:
            GuardrailTripped: It ends the agent.
            Cancelled: The agent was cancelled.
        """
        jobs: list[tuple[Callable[[CancelToken], Any], None]] = [
            (partial(self._look, query), None),
            (self._complete, None),
        ]
        looked, self._end = self._agent._context.run_tools(jobs, ["check_input", "the first completion"])
        if looked.error is not None:
            raise looked.error
        found: UserMessage = looked.result
        return found

    def _look(self, query: UserMessage, _: CancelToken) -> UserMessage:
        try:
            found = self._check()
        except BaseException:
            self._dropped.cancel(WHY)
            self._agent._context.limit_tools(PATIENCE)
            raise
        if found is query:
            self._passed()
        else:
            self._dropped.cancel(WHY)
        return found

    def _complete(self, cancel: CancelToken) -> tuple[CompletionResponse, Sequence[Payment]]:
        forget = self._dropped.on_cancel(partial(cancel.cancel, WHY))
        try:
            cancel.check()
            return self._ask()
        finally:
            forget()

    def answer(self) -> tuple[CompletionResponse, Sequence[Payment]]:
        """What the completion gave, or raised."""
        assert self._end is not None  # it has run
        if self._end.error is not None:
            raise self._end.error
        given: tuple[CompletionResponse, Sequence[Payment]] = self._end.result
        return given

    def paid(self) -> Sequence[Payment]:
        """What an answer that is dropped has cost."""
        end = self._end
        if end is None or end.error is not None:
            if end is not None and not isinstance(end.error, Exception | Cancelled):
                raise end.error  # type: ignore[misc]  # neither an error nor a cancel: it ends the agent
            return ()
        given: tuple[CompletionResponse, Sequence[Payment]] = end.result
        return given[1]

"""Hands one conversation on."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..events import HandedOff
from ..guard import ALLOW
from ..transfer import Transfer
from .reasoner import heed
from .route import model_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...core.records.conversation import Message, ToolCall, ToolResultMessage
    from ..agent import Agent
    from ..guard import LoopGuard
    from .bookkeeper import Bookkeeper
    from .route import Route


class Relay:
    """Looks whether the model hands a conversation on, and does it.

    Args:
        books: What the conversation has bought in earlier lives; None when nobody keeps it.

    Threads: the agent's own.
    """

    def __init__(self, agent: Agent[Any], guard: LoopGuard, books: Bookkeeper | None = None) -> None:
        self._agent = agent
        self._guard = guard
        self._books = books
        self._count = 0

    def one_of(self, calls: Sequence[ToolCall]) -> Sequence[ToolCall]:
        """*calls* with one handoff at most: of several the first one counts, and the model is told."""
        found = [call for call in calls if not call.problem and self._transfer(call) is not None]
        if len(found) < 2:
            return calls
        problem = f"a conversation is handed on once in an answer, and {found[0].name} comes before it"
        others = {id(call) for call in found[1:]}
        return [replace(call, problem=problem) if id(call) in others else call for call in calls]

    def taken(self, calls: Sequence[ToolCall], results: Sequence[ToolResultMessage]) -> Transfer | None:
        """The handoff that was asked for and not refused; None: the conversation stays where it is."""
        for call, result in zip(calls, results, strict=True):
            transfer = None if result.is_error else self._transfer(call)
            if transfer is not None:
                return transfer
        return None

    def _transfer(self, call: ToolCall) -> Transfer | None:
        tool = self._agent.tools.get(call.name)
        return tool if isinstance(tool, Transfer) else None

    def seen(self, transfer: Transfer, route: Route, messages: Sequence[Message]) -> list[Message] | None:
        """What whoever goes on sees of *messages*; None: all of it. What a filter has left out nobody sees who comes
        after.

        Args:
            route: Of the manifest before.
        Raises:
            TypeError: The filter returned no messages.
            ValueError: It left nothing.
        """
        if transfer.filter is None and not route.is_filtered:
            return None
        before = route.seen(messages)
        if transfer.filter is None or self._books is None:
            return transfer.history(before)
        return self._books.filtered(before, lambda: transfer.history(before))

    def hand_on(self, transfer: Transfer) -> None:
        """From now on *transfer*'s manifest is the agent's.

        Raises:
            HandoffsExceeded: It was handed on too often.
            ToolFailed: A server of the other manifest's tools cannot be opened.
            JournalFailed: It cannot be recorded.
        """
        agent, books = self._agent, self._books
        if books is None or books.counts_handoff():
            verdict = self._guard.check_handoff()
            if verdict is not ALLOW:
                heed(verdict, agent)
        self._count += 1
        source, target = agent.manifest.name, transfer.destination.manifest.name
        agent._parts.hand_on(transfer.destination, agent)
        model = model_of(agent)
        if books is not None:
            books.hand_on(model or "", source, target)
        agent._context.expenses.goes_on(model, target)
        if (spans := agent._context.spans) is not None:
            spans.happened("handed_off", {"source": source, "target": target})
        agent._context.emit(HandedOff, {"source": source, "target": target, "count": self._count})

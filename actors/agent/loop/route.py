"""Who goes on with a conversation: what one manifest gives it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from .prompt import instructed
from .reasoner import Reasoner

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...core.records.conversation import Message
    from ..agent import Agent
    from ..guard import LoopGuard
    from ..ports import CompletionResponse
    from .bookkeeper import Bookkeeper
    from .driver_call import Payment
    from .inspector import Inspector
    from .prompt import HasInstructions


def model_of(agent: Agent[Any]) -> str | None:
    """The model that *agent* asks, where its manifest or its driver says so."""
    model = agent.manifest.model.name or getattr(agent.driver, "model", None)
    return model if isinstance(model, str) and model else None


class Route:
    """What the manifest that *agent* has now gives a conversation: its driver and model, its tools, its system prompt,
    and what an answer has to be. A handoff makes another one; all else of the conversation stays.

    Args:
        books: What the conversation has bought in earlier lives; None when nobody keeps it.
        inspector: Asks the guardrails; None when there are none.

    Threads: the agent's own.
    """

    def __init__(
        self,
        agent: Agent[Any],
        guard: LoopGuard,
        books: Bookkeeper | None = None,
        inspector: Inspector | None = None,
        *,
        was_handed_on: bool = False,
    ) -> None:
        driver = agent.driver
        assert driver is not None  # an agent without one is refused at spawn
        self._reasoner = Reasoner(agent, driver, guard, books, inspector, has_called=was_handed_on)
        self.shape = agent._parts.shape
        """What the answer has to be; None: text."""
        self._native = None if self.shape is None else self.shape.native
        self._tools = agent.tools.definitions_for(agent.manifest.capabilities)
        self._agent = agent
        self._books = books
        self._system = ""
        self._history: Sequence[Message] | None = None
        self._after = 0

    def share(self, texts: Sequence[str]) -> list[str]:
        """*texts* for the system prompt, within their share of the window: the longest are cut."""
        return self._reasoner.share(texts) if texts else []

    def begin(self, memories: Sequence[str]) -> None:
        """Be told what the agent remembers of the query, before the first completion."""
        self._system = instructed(cast("HasInstructions", self._agent), self._books)
        if memories:
            self._system += "\n\nWhat you remember:\n" + "\n".join(f"- {text}" for text in memories)
        if self.shape is not None:
            self._system += f"\n\n{self.shape.instructions()}"

    def see(self, history: Sequence[Message], *, after: int) -> None:
        """See *history* in place of the messages before the one of that number."""
        self._history, self._after = history, after
        self._reasoner.stand_alone()

    @property
    def is_filtered(self) -> bool:
        """Has a handoff's filter left something out?"""
        return self._history is not None

    def seen(self, messages: Sequence[Message]) -> Sequence[Message]:
        """What the model is told of the conversation."""
        return messages if self._history is None else [*self._history, *messages[self._after :]]

    def complete(self, messages: Sequence[Message], query: Message) -> tuple[CompletionResponse, Sequence[Payment]]:
        """Ask for the next answer, unless it is known: see ``Reasoner.complete``.

        Args:
            messages: The whole conversation.
        Returns:
            The answer, and what was paid for it, which is still to be counted.
        """
        if self._history is None:
            return self._reasoner.complete(messages, query, self._system, self._tools, self._native)
        seen = self.seen(messages)
        if not any(message is query for message in seen):
            query = seen[0]  # what stays whole where there is little room: a handoff's filter has left out the query
        return self._reasoner.complete(seen, query, self._system, self._tools, self._native)

    def count(self, paid: Sequence[Payment]) -> None:
        """Count what was paid for an answer.

        Raises:
            CircuitBreak: Tokens or cost above the limit.
        """
        self._reasoner.count(paid)

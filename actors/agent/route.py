"""Who goes on with a conversation: what one manifest gives it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .reasoner import Reasoner

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..core.records.conversation import Message
    from .agent import Agent
    from .bookkeeper import Bookkeeper
    from .driver_call import Payment
    from .guard import LoopGuard
    from .ports import CompletionResponse


def model_of(agent: Agent[Any]) -> str | None:
    """The model that *agent* asks, where its manifest or its driver says so."""
    model = agent.manifest.model.name or getattr(agent.driver, "model", None)
    return model if isinstance(model, str) and model else None


class Route:
    """What the manifest that *agent* has now gives a conversation: its driver and model, its tools, its system prompt,
    and what an answer has to be. A handoff makes another one; all else of the conversation stays.

    Args:
        books: What the conversation has bought in earlier lives; None when nobody keeps it.

    Threads: the agent's own.
    """

    def __init__(self, agent: Agent[Any], guard: LoopGuard, books: Bookkeeper | None = None) -> None:
        driver = agent.driver
        assert driver is not None  # an agent without one is refused at spawn
        self._reasoner = Reasoner(agent, driver, guard, books)
        self.shape = agent._parts.shape
        """What the answer has to be; None: text."""
        self._native = None if self.shape is None else self.shape.native
        self._tools = agent.tools.definitions_for(agent.manifest.capabilities)
        self._system = agent.manifest.model.system_prompt

    def share(self, texts: Sequence[str]) -> list[str]:
        """*texts* for the system prompt, within their share of the window: the longest are cut."""
        return self._reasoner.share(texts) if texts else []

    def begin(self, memories: Sequence[str]) -> None:
        """Be told what the agent remembers of the query, before the first completion."""
        if memories:
            self._system += "\n\nWhat you remember:\n" + "\n".join(f"- {text}" for text in memories)
        if self.shape is not None:
            self._system += f"\n\n{self.shape.instructions()}"

    def complete(self, messages: Sequence[Message], query: Message) -> tuple[CompletionResponse, Sequence[Payment]]:
        """Ask for the next answer, unless it is known: see ``Reasoner.complete``.

        Returns:
            The answer, and what was paid for it, which is still to be counted.
        """
        return self._reasoner.complete(messages, query, self._system, self._tools, self._native)

    def count(self, paid: Sequence[Payment]) -> None:
        """Count what was paid for an answer.

        Raises:
            CircuitBreak: Tokens or cost above the limit.
        """
        self._reasoner.count(paid)

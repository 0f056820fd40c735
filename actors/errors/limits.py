"""A limit is reached."""

from __future__ import annotations

from typing import ClassVar

from .base import AgentError


class CircuitBreak(AgentError):
    """A guard said no.

    Args:
        used: What it had counted: of a limit of the agent's own with the step that it refused, of a ``Budget`` what is
            spent and reserved without it. None where it did not count.
        limit: How much is allowed; None likewise.
        budget: The name of the ``Budget`` that is used up; None: it is the agent's own limit.

    ``kind`` says what is counted: ``iterations``, ``tool_calls``, ``tokens``, ``cost_usd``, ``handoffs`` or
    ``truncations``.
    """

    kind: ClassVar[str | None] = None

    def __init__(
        self, *args: object, used: float | None = None, limit: float | None = None, budget: str | None = None
    ) -> None:
        super().__init__(*args)
        self.used = used
        self.limit = limit
        self.budget = budget


class CapacityError(CircuitBreak):
    """The pool has neither a free slot nor a free place in its queue."""


class IterationsExceeded(CircuitBreak):
    """The loop reached ``max_iterations``."""

    kind = "iterations"


class ToolCallsExceeded(CircuitBreak):
    """The agent reached ``max_tool_calls``."""

    kind = "tool_calls"


class CostExceeded(CircuitBreak):
    """The agent spent more than ``max_cost_usd``."""

    kind = "cost_usd"


class TokensExceeded(CircuitBreak):
    """The agent used more than ``max_tokens_budget``."""

    kind = "tokens"


class HandoffsExceeded(CircuitBreak):
    """The conversation was handed on more than ``max_handoffs`` times."""

    kind = "handoffs"


class TruncationExceeded(CircuitBreak):
    """Too many answers in a row were cut off by ``max_tokens``."""

    kind = "truncations"

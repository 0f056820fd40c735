"""A stretch of an agent's life while it is being found out: times are moments of the pool's clock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ...core.records.state import AgentState


@dataclass(slots=True)
class Used:
    """What was used so far."""

    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0

    def add(self, other: Used) -> None:
        """That, too."""
        self.input_tokens += other.input_tokens
        self.output_tokens += other.output_tokens
        self.cost_usd += other.cost_usd


@dataclass(slots=True)
class Stretch:
    """What is to become a ``TimelineSpan``; the fields are those of one."""

    state: AgentState
    begin: float
    end: float
    label: str = ""
    lane: int | None = None
    attempt: int = 1
    error: str | None = None
    is_open: bool = False
    recalled: bool = False
    used: Used | None = None
    input: Any = None
    output: Any = None

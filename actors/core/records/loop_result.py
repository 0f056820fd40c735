"""What an ``LlmAgent`` returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...public import publish
from ..figures import counted, spent
from ..glance import glance

if TYPE_CHECKING:
    from .conversation import Message
    from .usage import TokenUsage


@dataclass(frozen=True, slots=True)
class AgentLoopResult:
    """What an ``LlmAgent`` returns.

    Args:
        text: The answer.
        usage: Tokens of all completions together, as in the outcome: those of earlier lives, of attempts that failed
            and of tools that ask a model included.
        tool_calls: How many were asked for and counted.
        messages: The whole conversation; empty with ``SpawnConfig(keep_messages=False)``.
        reasoning: What the model thought aloud before the answer, where the driver tells.
        is_empty: The model ended its turn without a word.
    """

    text: str
    usage: TokenUsage
    iterations: int
    tool_calls: int
    cost_usd: float
    messages: tuple[Message, ...]
    reasoning: str = ""
    is_empty: bool = False

    def __repr__(self) -> str:
        steps = [counted(self.iterations, "iteration"), counted(self.tool_calls, "tool call")]
        parts = [glance(self.text, 200), *steps, *spent(self.usage.total, self.cost_usd)]
        return f"<AgentLoopResult {', '.join(parts)}>"

    def _glance_(self) -> str:
        return self.text


publish("actors.agents", AgentLoopResult)

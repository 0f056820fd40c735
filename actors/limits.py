"""What counts and refuses: budgets, guards, the context window, the pace of requests."""

from typing import TYPE_CHECKING

from .public import shelve

if TYPE_CHECKING:
    from typing import ClassVar

    from .agent.budget import Budget, Spending
    from .agent.context_window import ContextWindow
    from .agent.guard import LoopGuard, Verdict, VerdictKind
    from .core.process.fork import ProcessLock
    from .drivers.limiter import LimiterStats, RateLimiter
    from .errors import CircuitBreak

__all__ = [
    "Budget",
    "ContextWindow",
    "LimiterStats",
    "LoopGuard",
    "RateLimiter",
    "Spending",
    "Verdict",
    "VerdictKind",
]

shelve(
    __name__,
    {
        "typing": "ClassVar",
        ".agent.budget": "Budget Spending",
        ".agent.context_window": "ContextWindow",
        ".agent.guard": "LoopGuard Verdict VerdictKind",
        ".core.process.fork": "ProcessLock",
        ".drivers.limiter": "LimiterStats RateLimiter",
        ".errors": "CircuitBreak",
    },
)

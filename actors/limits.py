"""What counts and refuses: budgets, guards, the context window, the pace of requests."""

from typing import ClassVar

from .agent.budget import Budget, Spending
from .agent.context_window import ContextWindow
from .agent.guard import LoopGuard, Verdict, VerdictKind
from .core.process.fork import ProcessLock
from .drivers.limiter import LimiterStats, RateLimiter
from .errors import CircuitBreak
from .public import publish

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

publish(__name__, globals())

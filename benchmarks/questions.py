"""The benchmarks by name. Each is a module with a ``QUESTION`` and a function ``measure(size, peers)``."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    from .peers import Peers
    from .report import Report
    from .size import Size

SAVINA = (
    *("ping_pong", "counting", "fork_join", "fork_join_throughput", "thread_ring", "banking", "bounded_buffer", "big"),
    *("chameneos", "skynet", "skynet_million"),
)
"""The programs of actors, which the name ``savina`` stands for."""
NAMES = (
    "counts",
    *("spawn_join", "llm_overhead", "actor_calls", "messages", "latency_hidden", "map_growth", "parked"),
    "scaling",
    *("http_throughput", "mixed_faults", "import_time"),
    *SAVINA,
    *("idle_actors", "timers"),
    *("abort_latency", "mass_wake", "stop_overshoot", "nesting", "ask_stop", "journal", "sessions", "memory"),
    "scale_out",
    *("first_answer", "handoff", "guardrails", "compaction", "parts", "spans", "timeline", "live"),
    *("soak", "actor_soak", "fuzz", "kills"),
)
ENDLESS = ("soak", "actor_soak", "fuzz", "kills")
"""They go on as long as they are told to, so each is run by a command of its own, and not with all others."""


class Question(Protocol):
    """A benchmark's module."""

    QUESTION: str

    def measure(self, size: Size, peers: Peers | None = None) -> Report:
        """Find the answer."""


def find(name: str) -> Question:
    """The benchmark of that name, imported only now: each may need packages of its own.

    Raises:
        KeyError: There is none.
    """
    if name not in NAMES:
        raise KeyError(name)
    return cast("Question", import_module(f"{__package__}.{name}"))

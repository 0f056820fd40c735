"""What an engine was asked for."""

from __future__ import annotations

from dataclasses import dataclass

from ..core.scheduling.cancellation import HOST_GRACE

BEYOND = 10.0
"""Seconds beyond the longest drain after which a host that does not answer is lost, if nobody says otherwise."""
LEAST_DRAIN = 1.0
"""Seconds that a host waits for something to say; of many nodes more, so that they do not call too often."""
NODES_PER_SECOND = 100


@dataclass(frozen=True, slots=True)
class Policy:
    """What an engine was asked for.

    Args:
        slots_per_node: Slots of the pool that one host may have, at most; None: 512.
        prefetch: Agents that may wait on a host; None: a quarter of its lease, at least 8.
        lost_after: Seconds without an answer after which a host is lost; None: 10 more than the longest drain.
        start_timeout: Seconds that *min_nodes* have to come up.
        min_nodes: Hosts without which no agent is taken at first.
    """

    slots_per_node: int | None = None
    prefetch: int | None = None
    lost_after: float | None = None
    start_timeout: float = 60.0
    min_nodes: int = 1

    def __post_init__(self) -> None:
        for name, least in (("slots_per_node", 1), ("prefetch", 0), ("min_nodes", 1)):
            value = getattr(self, name)
            if value is None and name != "min_nodes":
                continue
            if isinstance(value, bool) or not isinstance(value, int):
                raise TypeError(f"{name} must be a whole number, got {value!r}")
            if value < least:
                raise ValueError(f"{name} must be at least {least}, got {value!r}")
        for name in ("lost_after", "start_timeout"):
            value = getattr(self, name)
            if value is None and name == "lost_after":
                continue
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise TypeError(f"{name} must be a number of seconds, got {value!r}")
            if not 0 < value < float("inf"):
                raise ValueError(f"{name} must be above 0 seconds, got {value!r}")


def longest_drain(nodes: int, lost_after: float | None = None, abort_timeout: float = 0.0) -> float:
    """Seconds that a host of so many waits for something to say.

    A host hears only with the next drain that its last answer has come: with *lost_after* given it waits half as long
    as its fence does, at most, however many nodes there are.
    """
    drain = max(LEAST_DRAIN, nodes / NODES_PER_SECOND)
    return drain if lost_after is None else min(drain, (lost_after - abort_timeout - HOST_GRACE) / 2)


def patience(lost_after: float | None, abort_timeout: float, drain: float) -> float:
    """Seconds without an answer after which a host is lost.

    Raises:
        ValueError: So few that a host that is only slow to end could not fence itself off in time.
    """
    if lost_after is None:
        return max(BEYOND, abort_timeout + HOST_GRACE + 1.0) + drain
    least = abort_timeout + HOST_GRACE + drain
    if lost_after <= least:
        raise ValueError(
            f"lost_after must be above {least:g} s, got {lost_after:g}: abort_timeout ({abort_timeout:g} s) and "
            f"{HOST_GRACE:g} s for a host to end by itself, and the longest drain ({drain:g} s)"
        )
    return lost_after

"""How a run goes on the nodes of a cluster, as a line below that of its counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..core.shown import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ..cluster.node import NodeView

MOST_NODES = 6
"""So many are named, those that are not up first; the others are summed up."""
UP = "up"
LONGEST_WHY = 80


class Load(NamedTuple):
    """How many agents run on a node, wait there for a slot, and are parked."""

    running: int = 0
    queued: int = 0
    parked: int = 0

    def __str__(self) -> str:
        words = [(self.running, "running"), (self.queued, "queued"), (self.parked, "parked")]
        return ", ".join(f"{number:,} {word}" for number, word in words if number or word == "running")


def load_of(node: NodeView) -> Load:
    """What the agents that were placed on *node* are at: whoever is not parked has one of its slots, or waits."""
    awake = max(0, node.placed - node.parked)
    running = min(awake, node.lease)
    return Load(running, awake - running, node.parked)


def node_words(nodes: Iterable[NodeView], lost: Mapping[str, int]) -> str:
    """One line about *nodes*; empty without any.

    Args:
        lost: How many agents went with each node.
    """
    ranked = sorted(nodes, key=lambda node: (node.state == UP, -node.placed, node.node))
    said = [_one(node, lost.get(node.node, 0)) for node in ranked[:MOST_NODES]]
    rest = ranked[MOST_NODES:]
    if rest:
        loads = [load_of(node) for node in rest]
        total = Load(*(sum(column) for column in zip(*loads, strict=True)))
        said.append(f"{len(rest):,} more: {_with_lost(str(total), sum(lost.get(node.node, 0) for node in rest))}")
    return " · ".join(said)


def _one(node: NodeView, lost: int) -> str:
    load = str(load_of(node))
    if node.state != UP:
        why = f" ({one_line(node.why, LONGEST_WHY)})" if node.why else ""
        load = f"{node.state}{why}" + (f", {load}" if node.placed else "")
    return f"{one_line(node.node, 40)}: {_with_lost(load, lost)}"


def _with_lost(text: str, lost: int) -> str:
    return f"{text}, {lost:,} lost" if lost else text

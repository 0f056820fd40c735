"""Where an admitted agent goes, and how many slots each host has."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from .items import Lease
from .node import NodeState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .node import Node

IN_A_ROW = 16
"""So many agents go to the same host before another one is chosen: they go in one call."""
MOST_SLOTS = 512
"""Slots of one host at most: the threads of more hold each other up."""


class _Nodes:
    """Some nodes, of which any can be had at random."""

    __slots__ = ("_all", "_spot")

    def __init__(self) -> None:
        self._all: list[Node] = []
        self._spot: dict[Node, int] = {}

    def __len__(self) -> int:
        return len(self._all)

    def __contains__(self, node: Node) -> bool:
        return node in self._spot

    def any(self) -> Node:
        """One of them."""
        return random.choice(self._all)  # noqa: S311 - no secret

    def keep(self, node: Node, *, is_in: bool) -> None:
        """It is one of them, or is none."""
        if is_in and node not in self._spot:
            self._spot[node] = len(self._all)
            self._all.append(node)
        elif not is_in and node in self._spot:
            spot, last = self._spot.pop(node), self._all.pop()
            if last is not node:
                self._all[spot] = last
                self._spot[last] = spot


class Placement:
    """Chooses hosts, and deals out the slots of the pool to them.

    Guarantees: the slots that all hosts together may hand out are never more than the pool has.

    Locks: none: the engine's thread alone.

    Args:
        slots: Of the pool.
        slots_per_node: Of one host at most.
        prefetch: Agents that may wait on a host; None: a quarter of its lease, at least 8.
    """

    def __init__(self, slots: int, slots_per_node: int | None, prefetch: int | None) -> None:
        self.slots = slots
        self.vacant = 0
        """Places that are free on all hosts."""
        self.parked = self.strays = 0
        self._most = MOST_SLOTS if slots_per_node is None else slots_per_node
        self._prefetch = prefetch
        self._nodes: list[Node] = []
        self._idle = _Nodes()
        """Those where a slot is free."""
        self._roomy = _Nodes()
        """Those where one more may be, if only to wait."""
        self._vacancies: dict[Node, int] = {}
        self._counted: dict[Node, tuple[int, int]] = {}
        self._favourite: Node | None = None
        self._in_a_row = 0
        self._is_dealing = False
        self._is_lending = False
        """Are slots on their way from one host to another? Then nobody has to wait on a host."""

    # Hosts come and go ------------------------------------------------------------------------------------------

    def add(self, node: Node) -> None:
        """Its host is up."""
        self._nodes.append(node)
        self._vacancies[node], self._counted[node] = 0, (0, 0)
        self.deal()

    def remove(self, node: Node) -> None:
        """Its host is gone, and what it may have handed out with it."""
        if node in self._vacancies:
            node.lease = node.reserved = node.parked = node.strays = 0
            self.changed(node)
            self._nodes.remove(node)
            del self._vacancies[node], self._counted[node]
            self.deal()

    def resize(self, slots: int) -> None:
        """The pool has so many, from now on."""
        self.slots = slots
        self.deal()

    # Slots ------------------------------------------------------------------------------------------------------

    def deal(self) -> None:
        """Lend the slots in even shares: first the smaller leases, then, once acknowledged, the larger."""
        shares = self._shares()
        self._is_dealing = True  # what it changes is no reason to deal again
        for node, share in shares:
            if share < node.lease:
                self._lend(node, share)
        spare = self.slots - sum(node.reserved for node in self._nodes)
        for node, share in shares:
            slots = min(share, node.reserved + max(0, spare))
            if slots > node.lease:
                spare -= max(0, slots - node.reserved)
                node.reserved = max(node.reserved, slots)
                self._lend(node, slots)
        self._is_dealing = False
        self._is_lending = any(node.reserved > node.lease for node in self._nodes)

    def _shares(self) -> list[tuple[Node, int]]:
        """What each should have. Where there are fewer slots than hosts, those have one that have somebody to run."""
        count = len(self._nodes)
        if not count:
            return []
        share, rest = divmod(self.slots, count)
        nodes = self._nodes
        if not share:
            nodes = sorted(nodes, key=lambda node: (not node.placed, not node.lease))
        return [(node, min(self._most, share + (place < rest))) for place, node in enumerate(nodes)]

    def _lend(self, node: Node, slots: int) -> None:
        if slots != node.lease and node.line is not None:
            node.lease = slots
            node.line.put(Lease(slots))
            self.changed(node)

    def leased(self, node: Node, slots: int) -> None:
        """The host says that no more run: what was taken from it can go to others."""
        if slots == node.lease and slots < node.reserved:
            node.reserved = slots
            self.deal()

    # Places -----------------------------------------------------------------------------------------------------

    def changed(self, node: Node) -> None:
        """How many it has, how many of them are parked, or its lease, has changed."""
        before, now = self._vacancies.get(node), node.vacancies(self._prefetch)
        if before is None:
            return
        parked, strays = self._counted[node]
        self.parked += node.parked - parked
        self.strays += node.strays - strays
        self._counted[node] = node.parked, node.strays
        self.vacant += now - before
        self._vacancies[node] = now
        self._roomy.keep(node, is_in=now > 0)
        self._idle.keep(node, is_in=node.free_slots() > 0)
        if not (self._is_dealing or (node.lease and node.placed)) and self.slots < len(self._nodes):
            self.deal()

    def choose(self, near: Node | None = None) -> Node | None:
        """Where the next agent goes: where a slot is free, and only then where it has to wait; *near* if it can, else
        the roomier of two at random, then that for some in a row. None when nobody has room.
        """
        those = self._idle if len(self._idle) or self._is_lending else self._roomy
        if near is not None and near in those:
            return near
        favourite = self._favourite
        if favourite is not None and self._in_a_row < IN_A_ROW and favourite in those:
            self._in_a_row += 1
            return favourite
        if not len(those):
            return None
        one, other = those.any(), those.any()
        self._favourite = one if self._vacancies[one] >= self._vacancies[other] else other
        self._in_a_row = 1
        return self._favourite

    def nodes(self) -> Iterable[Node]:
        """Those whose hosts are up."""
        return [node for node in self._nodes if node.state is NodeState.UP]

"""Who goes where, and how many slots each host may hand out."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, cast

import pytest

from actors.cluster.items import Lease
from actors.cluster.link import NodeInfo
from actors.cluster.node import Node, NodeState
from actors.cluster.place import IN_A_ROW, MOST_SLOTS, Placement

if TYPE_CHECKING:
    from actors.core.scheduling.agent_cell import AgentCell


class Told:
    """A line that keeps what is put."""

    def __init__(self) -> None:
        self.items: list[Any] = []

    def put(self, item: Any) -> None:
        """Keep it."""
        self.items.append(item)

    def leases(self) -> list[int]:
        """What it was told."""
        return [item.slots for item in self.items if isinstance(item, Lease)]


def a_node(name: str) -> Node:
    """One whose host is up."""
    node = Node(NodeInfo(name, name, is_alive=True))
    node.begin(name, 1.0, 11.0)
    node.state, node.line = NodeState.UP, cast("Any", Told())
    return node


def placed(placement: Placement, node: Node, count: int) -> None:
    """Have *count* agents there."""
    for number in range(count):
        node.placed[id(node) + number] = cast("AgentCell", None)
    placement.changed(node)


def leases(*nodes: Node) -> list[int]:
    """What they have."""
    return [node.lease for node in nodes]


def a_placement(slots: int, *names: str, most: int | None = None, prefetch: int | None = 0) -> tuple[Any, ...]:
    """One, and its nodes."""
    placement = Placement(slots, most, prefetch)
    nodes = [a_node(name) for name in names]
    for node in nodes:
        placement.add(node)
        settle(placement, *nodes)
    return placement, *nodes


def settle(placement: Placement, *nodes: Node) -> None:
    """All hosts say that they have what they were told."""
    for node in nodes:
        placement.leased(node, node.lease)


def test_even_shares() -> None:
    """Whoever comes gets as much as the others; the first ones get what is over."""
    placement, one, two, three = a_placement(8, "a", "b", "c")
    assert leases(one, two, three) == [3, 3, 2]
    assert placement.vacant == 8


def test_a_larger_lease_waits_for_the_smaller_one() -> None:
    """What was lent is lent to nobody else before its host has said that no more run."""
    placement, one = a_placement(6, "a")
    two = a_node("b")
    placement.add(two)
    assert leases(one, two) == [3, 0]
    placement.leased(one, 6)  # an answer of before
    assert leases(one, two) == [3, 0]
    placement.leased(one, 3)
    assert leases(one, two) == [3, 3]


@pytest.mark.parametrize("seed", range(20))
def test_never_more_than_there_are(seed: int) -> None:
    """Whatever comes, goes, is resized or acknowledged, in whatever order."""
    chance = random.Random(seed)
    placement = Placement(12, None, 0)
    nodes: list[Node] = []
    held: dict[Node, int] = {}
    promised = 0
    for step in range(200):
        match chance.randrange(5):
            case 0 if len(nodes) < 6:
                node = a_node(f"{step}")
                nodes.append(node)
                placement.add(node)
            case 1 if nodes:
                node = nodes.pop(chance.randrange(len(nodes)))
                held.pop(node, None)
                placement.remove(node)
            case 2:
                placement.resize(chance.randrange(20))
            case _ if nodes:
                node = chance.choice(nodes)
                held[node] = node.lease  # it holds as many as it may, and no more
                placement.leased(node, node.lease)
        before, promised = promised, sum(node.reserved for node in nodes)
        assert promised <= max(before, placement.slots)
        assert all(held.get(node, 0) <= node.reserved for node in nodes)


def test_at_most_so_many_on_one() -> None:
    """``slots_per_node``; and without it as many as threads bear."""
    _, one, two = a_placement(100, "a", "b", most=10)
    assert leases(one, two) == [10, 10]
    _, alone = a_placement(10_000, "a")
    assert alone.lease == MOST_SLOTS


def test_prefetch() -> None:
    """A quarter of the lease may wait there, at least 8; none with 0; whoever is parked makes room."""
    placement, one = a_placement(40, "a", prefetch=None)
    assert placement.vacant == 50
    placement, one = a_placement(4, "a", prefetch=None)
    assert placement.vacant == 12
    placement, one = a_placement(4, "a")
    placed(placement, one, 4)
    assert (placement.vacant, placement.choose()) == (0, None)
    one.parked = 1
    placement.changed(one)
    assert (placement.vacant, placement.parked, placement.choose()) == (1, 1, one)


def test_some_go_in_a_row() -> None:
    """Then they go in one call; the next ones may go to another host."""
    (placement, *_) = a_placement(300, "a", "b", "c")
    for _ in range(5):
        first = placement.choose()
        assert [placement.choose() for _ in range(IN_A_ROW - 1)] == [first] * (IN_A_ROW - 1)


def test_near() -> None:
    """A child goes where its parent is, if there is room."""
    placement, one, two = a_placement(4, "a", "b")
    assert {placement.choose(two) for _ in range(40)} == {two}
    placed(placement, two, 2)
    assert placement.choose(two) is one


def test_a_free_slot_comes_first() -> None:
    """Nobody waits on one host while another one has a slot free; not even for a child."""
    placement, one, two = a_placement(40, "a", "b", prefetch=8)
    placed(placement, one, 20)
    assert {placement.choose(one) for _ in range(40)} == {two}
    placed(placement, two, 20)
    assert placement.choose(one) is one
    assert {placement.choose() for _ in range(400)} == {one, two}


def test_a_lost_host_has_nothing() -> None:
    """Its slots go to the others."""
    placement, one, two = a_placement(4, "a", "b")
    one.state = NodeState.LOST
    placement.remove(one)
    assert (leases(one, two), placement.vacant) == ([0, 4], 4)
    assert {placement.choose() for _ in range(40)} == {two}


def test_fewer_slots_than_hosts() -> None:
    """Those have one that have somebody to run: nobody waits for ever on a host without a slot."""
    placement, one, two = a_placement(2, "a", "b")
    placed(placement, one, 1)
    placed(placement, two, 1)
    placement.resize(1)
    settle(placement, one, two)
    assert sorted(leases(one, two)) == [0, 1]
    has, waits = (one, two) if one.lease else (two, one)
    has.placed.clear()
    placement.changed(has)
    settle(placement, one, two)
    assert (has.lease, waits.lease) == (0, 1)

"""A look at the nodes of a cluster: which are there, and whether agents could live on each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from actors.cluster.link import HostInfo, HostRefused, LinkError, LinkGone, NodeInfo
from actors.cluster.probe import Probed, probe

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = HostInfo(1, "3.11", "1.0", "2.60.0")


class FakeLink:
    """Answers at once, or never."""

    here = HERE

    def __init__(self, nodes: list[NodeInfo] | LinkError | None, hosts: dict[str, HostInfo | LinkError]) -> None:
        self._nodes = nodes
        self._hosts = hosts
        self.names: list[str] = []

    def nodes(self, done: Callable[[Any], None]) -> None:
        if self._nodes is not None:
            done(self._nodes)

    def start(self, node: str, incarnation: str, settings: bytes, done: Callable[[Any], None]) -> None:
        assert settings == b"settings"
        self.names.append(incarnation)
        if node in self._hosts:
            done(self._hosts[node])


def look(link: FakeLink) -> list[Probed]:
    return probe(link, b"settings", timeout=0.01)  # type: ignore[arg-type]  # all that it needs of one


def test_each_node_is_told_of_in_its_order() -> None:
    """Ready, of other versions, refused by its cluster, late, and gone: one row each, with what is wrong."""
    nodes = [NodeInfo(name, f"host {name}", is_alive=name != "e") for name in "abcde"]
    other = HostInfo(3, "3.12", "1.0", "2.61.0")
    hosts: dict[str, HostInfo | LinkError] = {"a": HERE, "b": other, "c": HostRefused("no actors there")}
    link = FakeLink(nodes, hosts)
    found = look(link)
    assert [(one.id, one.node, one.state, one.is_ready) for one in found] == [
        ("a", "host a", "ready", True),
        ("b", "host b", "refused", False),
        ("c", "host c", "refused", False),
        ("d", "host d", "failed", False),
        ("e", "host e", "gone", False),
    ]
    assert [one.why for one in found] == [
        "",
        "Python 3.12 there, 3.11 here; ray 2.61.0 there, 2.60.0 here",
        "no actors there",
        "no host came up within 0.01 s",
        "it has left the cluster",
    ]
    assert (found[1].python, found[1].actors, found[1].ray) == ("3.12", "1.0", "2.61.0")
    assert len(set(link.names)) == 4


@pytest.mark.parametrize(
    ("nodes", "error", "said"),
    [(LinkGone("no cluster"), LinkGone, "no cluster"), (None, LinkError, "no answer within 0.01 s")],
    ids=["gone", "silent"],
)
def test_a_cluster_that_cannot_be_looked_at(nodes: Any, error: type[Exception], said: str) -> None:
    """It is no empty list of nodes."""
    with pytest.raises(error, match=said):
        look(FakeLink(nodes, {}))

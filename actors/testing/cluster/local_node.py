"""The machines of a cluster that is played in this process, and the hosts on them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from ...cluster.link import HostDied, LinkError
from .faults import Fates

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...cluster.link import HostInfo, Method, NodeInfo
    from .faults import Faults
    from .owed import Owed


class Hosting(Protocol):
    """What a link needs of a host, such as ``NodeHost``."""

    def put(self, frame: bytes, /) -> bytes:
        """Take a ``PutCall``, and answer by a ``PutAnswer``."""

    def drain(self, frame: bytes, /) -> bytes:
        """Take a ``DrainCall``, and answer by a ``Drained``."""

    def close(self) -> None:
        """Abort what runs, and return when no thread is left."""


class MakeHost(Protocol):
    """Makes a host."""

    def __call__(self, incarnation: str, node: str, settings: bytes, *, end_process: Callable[[], object]) -> Hosting:
        """Make it; *end_process* is how it ends the process that it is in."""


@dataclass(eq=False, slots=True)
class LocalNode:
    """A machine. Guarded by the lock of its link, as its hosts are.

    Args:
        held: What is done once it goes on, while it stands still.
    """

    info: NodeInfo
    versions: HostInfo
    is_frozen: bool = False
    is_cut: bool = False
    host: LocalHost | None = None
    held: list[Callable[[], object]] = field(default_factory=list)


@dataclass(eq=False, slots=True)
class LocalHost:
    """One life of a host: that of its process, were it in one of its own.

    Args:
        why: What ended it; None while it lives.
        owed: Calls that are not answered yet.
    """

    incarnation: str
    node: LocalNode
    fates: dict[Method, Fates]
    hosting: Hosting | None = None
    why: str | None = None
    owed: set[Owed[bytes | LinkError]] = field(default_factory=set)

    @classmethod
    def on(cls, node: LocalNode, incarnation: str, *, faults: Faults, seed: object) -> LocalHost:
        """A host that is about to begin on *node*; its calls have fates of their own."""
        fates: dict[Method, Fates] = {
            "put": Fates(faults, f"{seed}/{node.info.id}/put"),
            "drain": Fates(faults, f"{seed}/{node.info.id}/drain"),
        }
        return cls(incarnation, node, fates)

    def error(self) -> LinkError:
        """What a call to it gets once it has ended: for sure only where its node is there to say so."""
        if not self.node.info.is_alive:
            return LinkError(f"node {self.node.info.name} cannot be reached")
        return HostDied(f"the host on node {self.node.info.name} ended: {self.why}", node_lives=True)

"""One node of the cluster and the host on it, as the program sees them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..core.scheduling.agent_cell import AgentCell
    from .line import Line
    from .link import NodeInfo


class NodeState(StrEnum):
    """What the host of a node is at."""

    STARTING = "starting"
    UP = "up"
    REFUSED = "refused"
    """Its versions are others: nothing is placed there."""
    LOST = "lost"
    """Its host went. While the node lives, another one is made."""
    GONE = "gone"
    """The node itself has left the cluster."""


@dataclass(frozen=True, slots=True)
class NodeView:
    """One node of an engine, as of a moment.

    Args:
        node: Its name.
        pid: Of its host; 0 without one.
        lease: Slots of the pool that its host may hand out.
        placed: Agents that were sent there and have not ended.
        parked: Those of them that wait for somebody, and need no slot.
        heard: Seconds since its host's last answer; None before the first.
        state: ``starting``, ``up``, ``refused``, ``lost`` or ``gone``.
        why: What is wrong; empty when nothing is.
    """

    node: str
    pid: int
    lease: int
    placed: int
    parked: int
    heard: float | None
    state: str
    why: str = ""


class Node:
    """One node, and the incarnation of a host that is there now.

    Locks: none: the engine's thread writes all; anybody may read a field.
    """

    def __init__(self, info: NodeInfo) -> None:
        self.info = info
        self.state = NodeState.STARTING
        self.why = ""
        self.pid = 0
        self.incarnation = ""
        self.line: Line | None = None
        self.lease = 0
        """What it was told."""
        self.reserved = 0
        """What it may hand out: more than it was told, until it has said that no more run."""
        self.parked = self.strays = 0
        self.is_quiet = False
        """It has not answered for a while: nobody is sent there until it does."""
        self.placed: dict[int, AgentCell] = {}
        self.kits: set[int] = set()
        self.wait = self.lost_after = 0.0
        """Seconds that its host waits for something to say, and after which it is lost: what it was told."""
        self.heard: float | None = None
        self.skew = float("inf")
        """The program's clock less the host's, as of its fastest answer."""
        self.made_at: list[float] = []
        """The moments at which hosts were made on it, of the last minute."""

    def free_slots(self) -> int:
        """How many more could begin there at once."""
        return max(0, min(self.lease + self.parked - len(self.placed), self.vacancies(0)))

    def vacancies(self, prefetch: int | None) -> int:
        """How many more may be placed there."""
        if self.state is not NodeState.UP or self.is_quiet or not self.lease:
            return 0
        ahead = max(8, self.lease // 4) if prefetch is None else prefetch
        return max(0, self.lease + ahead + self.parked - len(self.placed))

    def begin(self, incarnation: str, wait: float, lost_after: float) -> None:
        """A host is being made there: for its whole life it waits, and is given up, after so many seconds. What others
        are told later, when nodes have come or gone, its fence does not know.
        """
        self.wait, self.lost_after = wait, lost_after
        self.state, self.why, self.pid, self.incarnation = NodeState.STARTING, "", 0, incarnation
        self.line = None
        self.lease = self.reserved = self.parked = self.strays = 0
        self.is_quiet = False
        self.kits = set()
        self.heard = None
        self.skew = float("inf")

    def view(self, now: float) -> NodeView:
        """How it is now."""
        return NodeView(
            node=self.info.name,
            pid=self.pid if self.state is NodeState.UP else 0,
            lease=self.lease,
            placed=len(self.placed),
            parked=self.parked,
            heard=None if self.heard is None else max(0.0, now - self.heard),
            state=str(self.state),
            why=self.why,
        )

"""Lets the agents of a pool live on the nodes of a cluster: the pool decides, and this places, hears and loses them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from ..errors import EngineLost
from .arrivals import Arrivals
from .departures import Departures
from .engine_state import PACKED, EngineState
from .fleet import Fleet
from .loss import Losses
from .serving import serve_hosts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..agent.assembly.factory import AgentFactory
    from ..core.scheduling.agent_cell import AgentCell
    from ..core.supervision.pool_state import PoolState
    from ..core.supervision.supervisor import Supervisor
    from .link import Link
    from .policy import Policy


class ClusterLives:
    """What a pool has in place of threads. Its own thread alone changes what it knows of nodes and of who is where.

    Guarantees: who was started is settled once: by its host's word, by the loss of that, or by the pool itself.

    Threads: any. Locks: none of its own.
    """

    def __init__(self, pool: PoolState, link: Link, policy: Policy) -> None:
        self.state = EngineState(pool, policy, self._flush)
        losses = Losses(self.state)
        self._departures = Departures(self.state, losses)
        self._arrivals = Arrivals(self.state, losses)
        self.fleet = Fleet(self.state, losses, link)

    def begin(self, supervisor: Supervisor, factory: AgentFactory) -> None:
        """The pool is made: register who answers what hosts ask, and make hosts.

        Raises:
            EngineLost: Not as many came up in time as there have to be.
        """
        self.state.supervisor, self.state.factory = supervisor, factory
        serve_hosts(self.state)
        self.state.thread.start()
        self.fleet.begin()

    def admit(self, cells: Sequence[AgentCell]) -> None:
        """Pack *cells*, in the caller's thread.

        Raises:
            NotPortable: Something of one of them cannot go to a node.
            EngineLost: There are none any more.
        """
        lost = self.state.lost
        if lost is not None:
            raise EngineLost(str(lost)) from lost
        pack = self.state.packer.pack
        cell: AgentCell
        for cell in cells:
            cell.lazies[PACKED] = pack(cell.spec)

    def start(self, cell: AgentCell) -> None:
        """Send *cell* to a host."""
        self.state.thread.do(partial(self._departures.start, cell))

    def stop(self, cells: Sequence[AgentCell]) -> None:
        """They were cancelled: tell their hosts."""
        for cell in cells:
            cell.token.fire()
        self.state.thread.do(partial(self._departures.stop, tuple(cells)))

    def node_of(self, cell: AgentCell) -> str | None:
        """Where *cell* was sent; None while it was not."""
        node = self.state.where.get(cell.id)
        return None if node is None else node.info.name

    def resize(self, slots: int) -> None:
        """The pool has so many slots, from now on."""
        self.state.thread.do(partial(self.state.placement.resize, slots))

    def listen(self) -> None:
        """Whether anybody listens to all agents has changed. Also under a lock."""
        self.state.thread.do(self._listen)

    def _listen(self) -> None:
        self.state.tell_all(self.state.listening())

    def close(self) -> None:
        """End the hosts, and what connects with them."""
        self.fleet.close()

    def _flush(self) -> None:
        self._departures.start_homeless()
        self.state.decide()

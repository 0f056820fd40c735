"""The hosts of an engine: made on each node, looked after, given up, and made again."""

from __future__ import annotations

import threading
import uuid
from functools import partial
from typing import TYPE_CHECKING

from loguru import logger

from ..core.figures import counted
from ..core.shown import shown
from ..core.waiting.wait_graph import wait_for
from ..core.waiting.waiter import Waiter
from ..errors import EngineLost
from .items import Close
from .line import PATIENCE, Line
from .link import HostDied, HostRefused, LinkError, LinkGone, refusal
from .node import Node, NodeState
from .policy import longest_drain, patience
from .settings import HostSettings

if TYPE_CHECKING:
    from .engine_state import EngineState
    from .items import ToProgram
    from .lane import HostState
    from .link import HostInfo, Link, NodeInfo
    from .loss import Losses
    from .node import NodeView

LOOK_EVERY = 1.0
"""Seconds between two looks at which nodes there are."""
MOST_HOSTS = 3
"""So often a host is made on one node within a minute."""
MINUTE = 60.0
BACKOFF = 0.5
"""Seconds before a host is made again, at first."""
GOODBYE = 1.0
"""Seconds that hosts have to be told that it is over, beyond ``abort_timeout``."""


class Fleet:
    """Makes a host on each node, hears each, and gives up those that are gone.

    Locks: none: the engine's thread writes all, but for ``_ready``, which wakes who waits for the first hosts, and
    ``_is_closing``, which is set once.
    """

    def __init__(self, state: EngineState, losses: Losses, link: Link) -> None:
        self._state = state
        self._losses = losses
        self._link = link
        self._nodes: dict[str, Node] = {}
        self.lost_after = patience(state.policy.lost_after, state.pool.abort_timeout, longest_drain(1))
        self._wait = longest_drain(1, state.policy.lost_after, state.pool.abort_timeout)
        self._ready = Waiter()
        self._is_closing = False
        self._closed = threading.Event()

    # Any thread ------------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Make hosts, and wait until there are as many as there have to be.

        Raises:
            EngineLost: They did not come up in time.
        """
        policy = self._state.policy
        self._state.thread.do(self._look)
        is_ready = wait_for(self._ready, policy.start_timeout, "the nodes of the cluster")
        if is_ready and self._state.lost is None:
            return
        nodes = list(self._nodes.values())
        lost, up = self._state.lost, sum(node.state is NodeState.UP for node in nodes)
        self.close()
        if lost is not None:
            raise EngineLost(str(lost)) from lost
        what = "; ".join(f"{node.info.name}: {node.state}{f' ({node.why})' if node.why else ''}" for node in nodes)
        raise EngineLost(
            f"{up} of {policy.min_nodes} nodes came up within {policy.start_timeout:g} s: {shown(what, 600) or 'none'}"
        )

    def views(self) -> list[NodeView]:
        """The nodes, as of now."""
        now = self._state.thread.now()
        return [node.view(now) for node in list(self._nodes.values())]

    def close(self) -> None:
        """Ask the hosts to end, and end them. Twice does nothing twice."""
        if not self._is_closing:
            self._is_closing = True
            self._state.thread.do(self._say_goodbye)
            if not self._state.thread.is_here():
                self._closed.wait(GOODBYE + self._state.pool.abort_timeout)
            self._link.close()
            self._state.thread.end(self._state.pool.abort_timeout + GOODBYE)
            for node in self._nodes.values():
                self._state.tell_gone(node.incarnation)

    # Nodes -----------------------------------------------------------------------------------------------------------

    def _look(self) -> None:
        if self._is_closing:
            return
        self._link.nodes(self._saw)
        self._state.thread.do_at(self._state.thread.now() + LOOK_EVERY, self._look)
        self._look_after()

    def _saw(self, found: list[NodeInfo] | LinkError) -> None:
        self._state.thread.do(partial(self._take, found))

    def _take(self, found: list[NodeInfo] | LinkError) -> None:
        if isinstance(found, LinkError):
            if isinstance(found, LinkGone):
                self.lose_all(found)
            return
        if self._is_closing:
            return
        for info in found:
            node = self._nodes.get(info.id)
            if node is None and info.is_alive:
                self._nodes[info.id] = node = Node(info)
                self._make(node)
            elif node is not None:
                self._see(node, info)
        alive = sum(node.state in (NodeState.UP, NodeState.STARTING) for node in self._nodes.values())
        lost_after, abort_timeout = self._state.policy.lost_after, self._state.pool.abort_timeout
        self._wait = longest_drain(alive, lost_after, abort_timeout)
        if lost_after is None:
            self.lost_after = patience(None, abort_timeout, self._wait)

    def _see(self, node: Node, info: NodeInfo) -> None:
        node.info = info
        if not info.is_alive and node.state in (NodeState.LOST, NodeState.REFUSED):
            node.state, node.why = NodeState.GONE, node.why or "it left the cluster"

    # Hosts -----------------------------------------------------------------------------------------------------------

    def _make(self, node: Node) -> None:
        if self._is_closing or not node.info.is_alive or self._state.lost is not None:
            return
        thread, now = self._state.thread, self._state.thread.now()
        node.made_at = [at for at in node.made_at if at > now - MINUTE]
        if len(node.made_at) >= MOST_HOSTS:
            thread.do_at(node.made_at[0] + MINUTE, partial(self._make, node))
            return
        node.made_at.append(now)
        incarnation = uuid.uuid4().hex
        node.begin(incarnation, self._wait, self.lost_after)
        self._link.start(node.info.id, incarnation, self._settings(node), partial(self._came, node, incarnation))

    def _settings(self, node: Node) -> bytes:
        pool, restart = self._state.pool, self._state.factory.restart
        listen = self._state.listening()
        return HostSettings(
            name=f"{pool.name}@{node.info.name}",
            inbox_capacity=pool.limits.inbox_capacity,
            max_live=pool.limits.max_live,
            stalled_after=pool.limits.stalled_after,
            abort_timeout=pool.abort_timeout,
            restart=restart,
            lost_after=node.lost_after,
            with_content=pool.with_content,
            tells_all=listen.to_all,
            tells_text=listen.to_text,
        ).dump()

    def _came(self, node: Node, incarnation: str, info: HostInfo | LinkError) -> None:
        self._state.thread.do(partial(self._come_up, node, incarnation, info))

    def _come_up(self, node: Node, incarnation: str, info: HostInfo | LinkError) -> None:
        if node.incarnation != incarnation or self._is_closing:
            self._link.kill(incarnation)
            return
        why = str(info) if isinstance(info, HostRefused) else None
        if not isinstance(info, LinkError):
            node.pid = info.pid
            why = refusal(self._link.here, info)
        if why is not None:
            self._link.kill(incarnation)
            node.state, node.why = NodeState.REFUSED, why
            logger.warning("node {} is refused: {}", shown(node.info.name, 60), shown(why, 300))
        elif isinstance(info, LinkError):
            self._gave_up(node, info)
        else:
            node.line = Line(self._link, self._state.thread, _Ear(self, node), incarnation, node.wait)
            node.state, node.heard = NodeState.UP, self._state.thread.now()
            node.line.put(self._state.listening())
            node.line.drain()
            self._state.placement.add(node)
            if sum(one.state is NodeState.UP for one in self._nodes.values()) >= self._state.policy.min_nodes:
                self._ready.wake()

    def _gave_up(self, node: Node, why: LinkError) -> None:
        """No host is there: one is made again, after a while, if the node lives."""
        if isinstance(why, LinkGone):
            self.lose_all(why)
            return
        node.state, node.why = NodeState.LOST, str(why)
        wait = BACKOFF * 2 ** len(node.made_at)
        self._state.thread.do_at(self._state.thread.now() + wait, partial(self._make, node))

    # What a line says ------------------------------------------------------------------------------------------------

    def heard(self, node: Node, state: HostState) -> None:
        """A host answered."""
        now = self._state.thread.now()
        node.heard = now
        node.skew = min(node.skew, now - state.sent_at)
        counts = state.parked, state.strays
        if counts != (node.parked, node.strays) or node.is_quiet:
            (node.parked, node.strays), node.is_quiet = counts, False
            self._state.placement.changed(node)
        if self._is_closing:
            self._look_who_left()

    def got(self, node: Node, line: Line, items: list[ToProgram]) -> None:
        """What a host says."""
        self._state.heard(node, items)
        self._state.drop_kits(line, node)

    def died(self, node: Node, line: Line, error: LinkError) -> None:
        """A host is gone; or its node is, and then nobody knows what still runs there."""
        if node.line is not line:
            return
        if self._is_closing:
            line.close()
            self._look_who_left()
            return
        if isinstance(error, LinkGone):
            self.lose_all(error)
            return
        line.close()
        if isinstance(error, HostDied) and error.node_lives:
            self.lose(node, error)
            return
        self._link.kill(node.incarnation)  # it may be out of reach, and runs on then
        node.state, node.why = NodeState.LOST, str(error)
        self._state.placement.changed(node)
        left = max(0.0, (node.heard or 0.0) + node.lost_after - self._state.thread.now())
        self._state.thread.do_at(self._state.thread.now() + left, partial(self._lose_if, node, line, error))

    def _lose_if(self, node: Node, line: Line, error: LinkError) -> None:
        if node.line is line:
            self.lose(node, error)

    def _look_after(self) -> None:
        """Give up hosts that have not answered for too long."""
        now = self._state.thread.now()
        for node in list(self._nodes.values()):
            if node.line is None or node.heard is None:
                continue
            silence = now - node.heard
            if silence >= node.lost_after:
                self.lose(node, HostDied(f"no answer for {silence:.1f} s"))
            elif silence >= node.wait + PATIENCE and not node.is_quiet:
                node.is_quiet = True
                self._state.placement.changed(node)

    def lose(self, node: Node, why: LinkError) -> None:
        """The host of *node* is lost, with all that it had."""
        line, node.line = node.line, None
        if line is None:
            return
        line.close()
        self._link.kill(node.incarnation)
        name, count = shown(node.info.name, 60), len(node.placed)
        logger.warning("the host on {} is lost, with {}: {}", name, counted(count, "agent"), shown(str(why), 300))
        self._state.placement.remove(node)
        self._state.desk.forget(line)
        self._losses.lose(node, str(why))
        self._gave_up(node, why)

    def lose_all(self, why: LinkError) -> None:
        """Nothing connects the program with the nodes any more."""
        if self._is_closing or self._state.lost is not None:
            return
        logger.error("the engine of {} is lost: {}", self._state.pool.name, shown(str(why), 500))
        self._state.lost = EngineLost(str(why))
        for node in self._nodes.values():
            line, node.line = node.line, None
            node.state, node.why = NodeState.LOST, str(why)
            if line is not None:
                line.close()
                self._state.placement.remove(node)
                self._state.desk.forget(line)
                self._losses.lose(node, str(why))
        self._state.in_step(self._losses.lose_queued)
        self._ready.wake()

    def _say_goodbye(self) -> None:
        """Ask all hosts to end; what nobody answers is killed with the link."""
        for node in self._nodes.values():
            line = node.line
            if line is not None and not line.is_closed:
                line.put(Close())
        self._look_who_left()

    def _look_who_left(self) -> None:
        """Have all hosts got what was to be said? Then nothing more is."""
        lines = [node.line for node in self._nodes.values() if node.line is not None]
        if not any(len(line.outbox) and not line.is_closed for line in lines):
            for line in lines:
                line.close()
            self._closed.set()


class _Ear:
    """What a line tells of its node."""

    __slots__ = ("_fleet", "_node")

    def __init__(self, fleet: Fleet, node: Node) -> None:
        self._fleet = fleet
        self._node = node

    def heard(self, line: Line, state: HostState) -> None:  # noqa: ARG002 - a line is of one node
        """It answered."""
        self._fleet.heard(self._node, state)

    def got(self, line: Line, items: list[ToProgram]) -> None:
        """What it had to say."""
        self._fleet.got(self._node, line, items)

    def died(self, line: Line, error: LinkError) -> None:
        """It is over."""
        self._fleet.died(self._node, line, error)

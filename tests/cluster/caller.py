"""Calls a link as a test wants to: one call, and its answer."""

from __future__ import annotations

import queue
from typing import TYPE_CHECKING, Any

from actors.cluster.lane import DrainCall, Drained, Inlet, Outbox, PutAnswer, PutCall, dump, load
from actors.cluster.link import LinkError

from ..waiting import BOUND

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors.cluster.items import Cancel
    from actors.cluster.link import HostInfo, Link, Method, NodeInfo


class Pending:
    """An answer that is to come."""

    def __init__(self, call: Callable[[Callable[[Any], None]], None]) -> None:
        self.answers: queue.SimpleQueue[Any] = queue.SimpleQueue()
        call(self.answers.put)

    def get(self, timeout: float = BOUND) -> Any:
        """Wait for it."""
        return self.answers.get(timeout=timeout)

    @property
    def has_come(self) -> bool:
        """Is there one, or a second one?"""
        return not self.answers.empty()


class Caller:
    """The program's end of the lanes to one host."""

    def __init__(self, link: Link, incarnation: str) -> None:
        self.link, self.incarnation = link, incarnation
        self.outbox, self.inlet = Outbox(), Inlet()

    def nodes(self) -> list[NodeInfo]:
        """Look which nodes there are."""
        found: list[NodeInfo] = Pending(self.link.nodes).get()
        return found

    def start(self, node: str, settings: bytes = b"settings") -> HostInfo | LinkError:
        """Start the host."""
        info: HostInfo | LinkError = Pending(lambda done: self.link.start(node, self.incarnation, settings, done)).get(
            60
        )
        return info

    def pending(self, method: Method, frame: bytes) -> Pending:
        """Call it."""
        return Pending(lambda done: self.link.call(self.incarnation, method, frame, done))

    def put_frame(self) -> bytes:
        """What is to be put."""
        batch = self.outbox.next()
        return dump(PutCall(self.incarnation, *(batch or (self.outbox.acknowledged + 1, []))))

    def put(self) -> PutAnswer | LinkError:
        """Put what is not acknowledged."""
        answer = self.pending("put", self.put_frame()).get()
        if isinstance(answer, LinkError):
            return answer
        taken = load(answer, PutAnswer)
        self.outbox.acknowledge(taken.state.took)
        return taken

    def drain(self, wait: float = 0.0) -> list[Cancel] | LinkError:
        """Get what is new."""
        answer = self.pending("drain", self.drain_frame(wait)).get()
        return answer if isinstance(answer, LinkError) else self.inlet.take(load(answer, Drained))

    def drain_frame(self, wait: float) -> bytes:
        """Ask for what is new."""
        return dump(DrainCall(self.incarnation, self.inlet.last, wait))

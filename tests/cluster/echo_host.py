"""A host that is no pool: it gives back the items that it got."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING

from actors.cluster.lane import DrainCall, Drained, HostState, Inlet, Outbox, PutAnswer, PutCall, dump, load

if TYPE_CHECKING:
    from collections.abc import Callable


class EchoHost:
    """Puts into its outbox what comes out of its inlet. An item of the reason ``end`` ends its process."""

    def __init__(self, incarnation: str, node: str, settings: bytes, *, end_process: Callable[[], object]) -> None:
        if settings == b"broken":
            raise ValueError("these settings are broken")
        self.incarnation, self.node, self.settings = incarnation, node, settings
        self.end_process = end_process
        self.is_closed = threading.Event()
        self.filled = threading.Event()
        self.is_drained = threading.Event()
        self.taking = threading.Lock()
        self.inlet, self.outbox = Inlet(), Outbox(self.filled.set)

    def put(self, frame: bytes) -> bytes:
        """Take items."""
        call = load(frame, PutCall)
        with self.taking:
            items = self.inlet.take(call)
            for item in items:
                self.outbox.put(item)
        if any(item.reason == "end" for item in items):
            self.end_process()
        return dump(PutAnswer(self.state()))

    def drain(self, frame: bytes) -> bytes:
        """Give items."""
        call = load(frame, DrainCall)
        self.outbox.acknowledge(call.ack)
        self.filled.clear()
        self.is_drained.set()
        if not len(self.outbox):
            self.filled.wait(call.wait)
        batch = self.outbox.next()
        return dump(Drained(self.state(), *(batch or (call.ack + 1, []))))

    def state(self) -> HostState:
        """What each answer tells; *free* is the number of the process."""
        return HostState(self.incarnation, time.monotonic(), self.inlet.last, 0, os.getpid())

    def close(self) -> None:
        """End."""
        self.is_closed.set()
        self.filled.set()

"""One wait of one thread."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .branch import Branch
    from .cell import AgentCell


class Waiter:
    """A gate that one thread waits at once, and that any thread opens.

    Made anew for each wait: a signal that arrives just as a timed wait runs out dies with it, so it cannot end
    the next wait too early. About a tenth of the cost of a ``threading.Event``. ``owner`` is the agent or tool
    call that is parked at it, if one is.
    """

    __slots__ = ("_gate", "owner")

    def __init__(self) -> None:
        self.owner: AgentCell | Branch | None = None
        self._gate = threading.Lock()
        self._gate.acquire()

    def wake(self) -> None:
        """Open the gate; opening it again does nothing. An agent without a slot stands in line for one from now on."""
        owner = self.owner
        if owner is not None:
            owner.expect_slot(self)
        try:
            self._gate.release()
        except RuntimeError:  # it is open
            pass

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until somebody opens the gate, at most *timeout* seconds; False when the time ran out."""
        if timeout is None:
            return self._gate.acquire()
        if timeout <= 0:
            return self._gate.acquire(blocking=False)
        return self._gate.acquire(timeout=min(timeout, threading.TIMEOUT_MAX))

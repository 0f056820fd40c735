"""What a pool keeps of one tool call of an agent."""

from __future__ import annotations

import abc
import threading
from contextvars import copy_context
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from ..clock import SYSTEM_CLOCK
from ..process.log import IS_QUICK, labelled
from ..waiting.wait_graph import WaitMember, enter

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..records.message import AgentId
    from ..records.spec import AgentSpec
    from ..waiting.cancel import CancelToken
    from ..waiting.wait_graph import Lot, WaitNode
    from ..waiting.waiter import Waiter


class _Late(Enum):
    LATE = auto()


LATE: Final = _Late.LATE
"""The result of a tool call that ran past its time."""


class ToolOwner(WaitMember):
    """An agent, as far as its tool calls need it."""

    __slots__ = ()

    id: AgentId
    spec: AgentSpec

    @abc.abstractmethod
    def expect_slot(self, waiter: Waiter) -> None:
        """It is about to be woken from *waiter*, and stands in line for a slot now."""


OwnerT = TypeVar("OwnerT", bound=ToolOwner)


class ToolThread(WaitMember, Generic[OwnerT]):
    """One piece of an agent's work, a tool call, on a thread of its own, or on the agent's (``InlineCall``).

    It has the agent's identity and context, but no slot: the agent's slot is laid out for others exactly while none of
    its threads works. One that runs past its time is abandoned: its token is cancelled, its thread counted.

    Locks: the pool's turn guards ``done``, ``end``, ``parks``, ``parked_on``, ``since``, ``abandoned`` and
    ``abandoned_at``.
    Its own thread writes ``thread``, ``waiter``, ``result`` and ``when_free``, and ``error`` if it ever runs. Nothing
    else changes.
    """

    def __init__(
        self,
        cell: OwnerT,
        name: str,
        job: Callable[[CancelToken], Any],
        timeout: float | None,
        *,
        lot: Lot,
        since: float,
    ) -> None:
        self._cell = cell
        self.name = name
        self._job = job
        self.thread = 0
        self.waits = []  # its waits are noted on the agent
        self._context = copy_context()
        self.token = cell.token.child()
        self.waiter: Waiter | None = None
        self.host = lot
        self.since = since
        self.end = None if timeout is None else SYSTEM_CLOCK.monotonic() + timeout
        self.parked_on: str | None = None
        self.result: Any = LATE
        self.error: BaseException | None = None
        self.done = False
        self.parks = 0
        self.abandoned = False
        self.abandoned_at = 0.0
        self.when_free: Callable[[Callable[[], object]], object] | None = None

    def work(self) -> None:
        """Do the work, on a worker's thread."""
        self.thread = threading.get_ident()
        if IS_QUICK:  # then the label came with the context, which is a copy of the agent's
            self._context.run(self._work)
        else:
            self._context.run(labelled, self._cell.id, self._cell.spec.name, self._work)

    def _work(self) -> None:
        enter(self)
        try:
            self.token.check()
            self.result = self._job(self.token)
        except BaseException as error:  # noqa: BLE001 - handed to the agent's thread
            self.error = error

    def leave_behind(self, thread: int, when_ended: Callable[[Callable[[], object]], object]) -> None:
        """It holds the thread of an event loop: it has ended when that is free, and a dump shows that thread."""
        self.thread = thread
        self.when_free = when_ended

    @property
    def cell(self) -> OwnerT:
        """The agent that it works for."""
        return self._cell

    # Waiting (the protocol WaitMember) ------------------------------------------------------------------------------

    @property
    def label(self) -> str:
        """How messages name it: as its agent."""
        return self._cell.label

    def check(self) -> None:
        """Raise when it was cancelled, or its agent: that is marked at once, and its calls when its wave comes. So
        nobody takes what is seen of children that were stopped together with their parent for what they have done.
        """
        self._cell.token.check()
        self.token.check()

    def waiting_self(self) -> WaitMember:
        """The agent that it works for."""
        return self._cell

    def expect_slot(self, waiter: Waiter) -> None:
        """It is being woken from *waiter*: its agent stands in line for a slot now, unless it was left."""
        if not self.abandoned:
            self._cell.expect_slot(waiter)

    def is_here(self) -> bool:
        """Is this its own thread?"""
        return self.thread == threading.get_ident()

    def is_below(self, other: WaitNode) -> bool:
        """Is *other* its agent or one of its ancestors?"""
        return self._cell.is_below(other)
